"""The normalised entities that link leads into stories: one kind and one normal form per entity (source facts, §6).

What links nothing because everybody has it is in `unlinked`. How often another entity may occur before it links nothing
is decided in `core/stories`.
"""

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.entities import unlinked
from defender_assets.core.leads.entities.addresses import SIMPLE_ADDRESS, normal_address
from defender_assets.core.leads.entities.identifier_text import (
    SIMPLE_IDENTIFIER,
    SIMPLE_OBJECT_ID,
    by_value,
    each,
    identifier,
    object_id,
    passes,
)
from defender_assets.core.leads.entities.identities import IDENTIFIERS
from defender_assets.core.leads.entities.traits import client_of, malware_of, subject_of

ENTITY = pl.Struct({"kind": pl.String(), "value": pl.String(), "identity": pl.String()})
"""`identity` is equal for all identifiers of one user or device; for other kinds it is the value."""

KINDS = (
    "user", "device", "resource", "file", "address", "host", "mail", "sender", "session", "app", "subject", "malware",
    "client",
)  # fmt: skip


def link_entities(
    rows: pl.DataFrame,
    persons: pl.DataFrame,
    devices: pl.DataFrame,
    egress: pl.DataFrame,
    images: pl.DataFrame,
    hashes: pl.DataFrame,
) -> pl.DataFrame:
    """Return ALERT_KEY and `entities`, a sorted List(ENTITY); an alert without any has no row.

    `rows` come from `with_person`, `egress` from `egress_addresses`, `images` from `system_images`,
    `hashes` from `known_hashes`. A lead gets all
    identifiers of its `persons` (`known_persons`), whichever its evidence names. `devices` come from
    `linking_devices`.
    """
    if rows.get_column("unlinked").any():
        rows = rows.filter(~pl.col("unlinked"))
    senders = pl.col("sender").str.split(", ").list.eval(pl.element().filter(pl.element().str.contains("@")))
    found = pl.concat(
        [
            _users(rows, persons),
            devices.select(*ALERT_KEY, kind=pl.lit("device"), value="value", identity="identity"),
            _both_hashes(_files(rows), hashes).join(images, on=["tenant_id", "value"], how="anti"),
            *_addresses_and_hosts(pl.concat([_one(rows, kind, pl.col(kind)) for kind in ("address", "host")]), egress),
            _one(rows, "mail", pl.col("network_message_id")),
            _each(rows, "sender", senders),
            _one(rows, "session", _session()),
            _one(rows, "resource", _resource()),
            _one(rows, "app", _app()),
            *_traits(rows),
        ]
    )
    fields = ["kind", "value", "identity"]
    return (
        found.unique()
        .sort(*ALERT_KEY, *fields)
        .group_by(ALERT_KEY, maintain_order=True)
        .agg(entities=pl.struct(fields))
    )


def egress_addresses(devices: pl.LazyFrame) -> pl.DataFrame:
    """Return the organisation's own public addresses: `tenant_id`, `address`, from DeviceInfo's PublicIP."""
    seen = devices.select("tenant_id", address="PublicIP").drop_nulls().unique().collect()
    return (
        seen.with_columns(address=by_value(seen.get_column("address"), normal_address, SIMPLE_ADDRESS))
        .drop_nulls()
        .unique()
    )


def system_images(evidence: pl.LazyFrame) -> pl.DataFrame:
    """Return `tenant_id` and `value`: hashes of the system's programs that evidence shows in their own folders.

    A copy of such a program in another folder, or under another name, is as ordinary as the program.
    """
    own = unlinked.is_own_image(pl.col("FileName"), pl.col("FolderPath"))
    hashes = evidence.filter(own).select("tenant_id", "SHA256", "SHA1").unique().collect()
    found = hashes.unpivot(index="tenant_id").drop_nulls("value").select("tenant_id", "value")
    return found.with_columns(each(pl.col("value"), identifier, SIMPLE_IDENTIFIER)).drop_nulls().unique()


def known_hashes(evidence: pl.LazyFrame) -> pl.DataFrame:
    """Return `tenant_id`, `sha1`, `sha256` of the files of which a record names both, and `alone`.

    `alone`: another record names the SHA-1 without a SHA-256. What one of them has several of is left out. Only the
    columns of evidence are read.
    """
    hashes = ["SHA1", "SHA256"]
    rows = evidence.select("tenant_id", *hashes).drop_nulls("SHA1").unique().collect()
    rows = rows.select("tenant_id", *(each(pl.col(name), identifier, SIMPLE_IDENTIFIER) for name in hashes)).unique()
    both = rows.drop_nulls()
    alone = rows.filter(pl.col("SHA1").is_not_null() & pl.col("SHA256").is_null()).select("tenant_id", "SHA1")
    of_one = pl.all_horizontal(pl.len().over("tenant_id", name) == 1 for name in hashes)
    return (
        both.filter(of_one)
        .join(alone.with_columns(alone=True), on=["tenant_id", "SHA1"], how="left")
        .select("tenant_id", sha1="SHA1", sha256="SHA256", alone=pl.col("alone").fill_null(value=False))
    )


def _one(rows: pl.DataFrame, kind: str, value: pl.Expr) -> pl.DataFrame:
    return (
        rows.select(*ALERT_KEY, kind=pl.lit(kind), value=value)
        .filter(pl.col("value").is_not_null() & (pl.col("value") != ""))
        .with_columns(identity="value")
        .unique()
    )


def _each(rows: pl.DataFrame, kind: str, values: pl.Expr) -> pl.DataFrame:
    listed = rows.select(*ALERT_KEY, value=values).filter(pl.col("value").list.len() > 0).explode("value")
    return _one(listed, kind, pl.col("value"))


def named_users(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ALERT_KEY, `kind` and `value`: the identifiers of users in the result of `entity_rows`, each once."""
    # The organisation's user is the recipient, or the sender of an outbound mail.
    insider = pl.when(pl.col("mail_direction") == "outbound").then("sender").otherwise("recipient")
    columns = [*IDENTIFIERS, "mailbox_address"]
    named = [_one(rows, "user", pl.col(name)) for name in columns] + [_each(rows, "user", insider.str.split(", "))]
    return pl.concat(named).drop("identity").unique()


def _users(rows: pl.DataFrame, persons: pl.DataFrame) -> pl.DataFrame:
    """Return the identifiers of the alerts' users, and all others of the same persons in the look-back."""
    users = (
        named_users(rows)
        .join(persons, on=["tenant_id", "value"], how="left")
        .with_columns(identity=pl.coalesce("identity", "value"))
    )
    others = users.drop("value").unique().join(persons, on=["tenant_id", "identity"]).select(users.columns)
    return pl.concat([users, others]).unique()


def _files(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the files, without those that any evidence of the alert calls prevalent."""
    digest = pl.coalesce("sha256", "sha1", "md5")
    found = _one(
        rows, "file", pl.when(unlinked.is_linking_file(digest, pl.col("file_name"), pl.col("folder"))).then(digest)
    )
    prevalence = pl.col("prevalence")
    prevalent = (prevalence.cast(pl.Float64, strict=False) >= unlinked.PREVALENT_FROM) | prevalence.is_in(
        unlinked.PREVALENT_WORDS
    )
    everywhere = rows.filter(prevalent.fill_null(value=False))
    known = pl.concat([_one(everywhere, "file", pl.col(name)) for name in ("sha256", "sha1", "md5")])
    return found.join(known, on=[*ALERT_KEY, "value"], how="anti")


def _both_hashes(files: pl.DataFrame, hashes: pl.DataFrame) -> pl.DataFrame:
    """Return the files with the other hash of those that some records name by one hash, and others by the other."""
    by_sha1 = files.join(hashes, left_on=["tenant_id", "value"], right_on=["tenant_id", "sha1"])
    alone = hashes.filter("alone")
    by_sha256 = files.join(alone, left_on=["tenant_id", "value"], right_on=["tenant_id", "sha256"])
    found = [
        files,
        by_sha1.select(*ALERT_KEY, "kind", value="sha256", identity="sha256"),
        by_sha256.select(*ALERT_KEY, "kind", value="sha1", identity="sha1"),
    ]
    return pl.concat([each.select(files.columns) for each in found]).unique()


def _addresses_and_hosts(rows: pl.DataFrame, egress: pl.DataFrame) -> list[pl.DataFrame]:
    """Return external addresses without the organisation's own, and hosts; a host that is an address counts as one."""
    rows = rows.with_columns(_address=by_value(rows.get_column("value"), normal_address, SIMPLE_ADDRESS))
    is_address = pl.col("_address").is_not_null()
    hosts = rows.filter(~is_address, passes(pl.col("value"), unlinked.is_linking_host)).drop("_address")
    addresses = rows.filter(is_address).with_columns(kind=pl.lit("address"), value="_address", identity="_address")
    external = addresses.drop("_address").filter(passes(pl.col("value"), unlinked.is_linking_address))
    return [hosts, external.join(egress.select("tenant_id", value="address"), on=["tenant_id", "value"], how="anti")]


def _traits(rows: pl.DataFrame) -> list[pl.DataFrame]:
    normal = {
        "subject": each(pl.col("subject"), subject_of),
        "malware": each(pl.col("threat_family"), malware_of),
        "client": each(pl.col("user_agent"), client_of),
    }
    return [_one(rows, kind, value) for kind, value in normal.items()]


def _session() -> pl.Expr:
    """Return a sign-in's session; that of a host only together with the host and the session's start."""
    host = pl.coalesce("machine_id", pl.concat_str("host_name", "dns_domain", separator=".", ignore_nulls=True))
    on_host = pl.concat_str(
        host.replace("", None).str.to_lowercase(),
        each(pl.col("session_id"), unlinked.host_session),
        "session_started",
        separator="|",
    )
    kind = pl.col("entity")
    return pl.when(kind == "hostlogonsession").then(on_host).when(kind.str.starts_with("cloudlogon")).then("session_id")


def _resource() -> pl.Expr:
    resource = pl.col("resource_id").str.to_lowercase().str.strip_chars_end("/")
    kind = pl.col("entity").fill_null("")
    # The id of an IoT device is unique within its hub only.
    within = pl.when(kind == "iotdevice").then(
        pl.concat_str(pl.col("parent").str.to_lowercase(), resource, separator="/")
    )
    value = pl.when(kind == "iotdevice").then(within).otherwise(resource)
    return pl.when(unlinked.is_linking_resource(resource) & ~kind.is_in(unlinked.UNLINKED_RESOURCE_KINDS)).then(value)


def _app() -> pl.Expr:
    """Return the id of an application in Entra; the numbers of SaaS applications are none."""
    named = pl.when(pl.col("entity") == "serviceprincipal").then("application_id")
    principal = each(named, object_id, SIMPLE_OBJECT_ID)
    app = pl.coalesce("oauth_application_id", principal)
    first_party = pl.col("owner_tenant").is_in(unlinked.MICROSOFT_TENANTS).fill_null(value=False)
    return pl.when(unlinked.is_linking_app(app) & ~first_party).then(app)
