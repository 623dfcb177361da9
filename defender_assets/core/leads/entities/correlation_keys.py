"""The normalised entities that link leads into stories: one kind and one normal form per entity (source facts, §6).

How often an entity may occur before it links nothing is decided in `core/stories`.
"""

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.entities.addresses import by_value, is_external, normal_address
from defender_assets.core.leads.entities.identities import IDENTIFIERS
from defender_assets.core.leads.entities.lists import with_mail_urls

ENTITY = pl.Struct({"kind": pl.String(), "value": pl.String(), "identity": pl.String()})
"""`identity` is equal for all identifiers of one user; for other kinds it is the value."""

KINDS = ("user", "device", "resource", "file", "address", "host", "mail", "sender", "session", "app")

# Windows' own tools are the image of half of all processes, so they link nothing.
_PREVALENT_FILES = [
    "bitsadmin.exe", "certutil.exe", "cmd.exe", "conhost.exe", "cscript.exe", "dllhost.exe", "explorer.exe",
    "lsass.exe", "mmc.exe", "msedge.exe", "mshta.exe", "msiexec.exe", "net.exe", "net1.exe", "ntoskrnl.exe",
    "outlook.exe", "powershell.exe", "powershell_ise.exe", "pwsh.exe", "reg.exe", "regsvr32.exe", "rundll32.exe",
    "schtasks.exe", "services.exe", "svchost.exe", "taskhostw.exe", "vssadmin.exe", "whoami.exe", "winword.exe",
    "excel.exe", "chrome.exe", "wmic.exe", "wmiprvse.exe", "wscript.exe",
]  # fmt: skip
_PREVALENT_FOLDERS = r"^[a-z]:\\(?:windows|program files(?: \(x86\))?)(?:\\|$)"
# Where everybody signs in and reads mail. Not whole domains: attackers share files under them too.
_PREVALENT_HOSTS = [
    "graph.microsoft.com", "login.live.com", "login.microsoftonline.com", "login.windows.net", "office.com",
    "outlook.office.com", "outlook.office365.com", "security.microsoft.com", "www.bing.com", "www.google.com",
    "www.microsoft.com", "www.office.com",
]  # fmt: skip
_NO_FILES = [
    "-",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",  # SHA-1 of the empty file
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",  # SHA-256 of it
    "d41d8cd98f00b204e9800998ecf8427e",  # MD5 of it
]
# Applications that everybody uses: Office 365, Azure, OneDrive, SharePoint, Exchange and Teams by their numbers in
# Defender for Cloud Apps; Exchange, SharePoint and Graph by their Entra ids.
_PREVALENT_APPS = [
    "0", "11161", "12260", "15600", "20892", "20893", "28375",
    "00000002-0000-0ff1-ce00-000000000000",
    "00000003-0000-0ff1-ce00-000000000000",
    "00000003-0000-0000-c000-000000000000",
]  # fmt: skip


def link_entities(
    rows: pl.DataFrame, persons: pl.DataFrame, devices: pl.DataFrame, egress: pl.DataFrame
) -> pl.DataFrame:
    """Return ALERT_KEY and `entities`, a sorted List(ENTITY); an alert without any has no row.

    Args:
        rows: result of `entity_rows`.
        persons: result of `known_persons`; a lead gets all identifiers of a person, whichever its evidence names.
        devices: ALERT_KEY and `device_id`, resolved, one row per device of the alert.
        egress: result of `egress_addresses`.
    """
    rows = with_mail_urls(rows)
    addresses = _one(rows, "address", pl.col("address"))
    hosts = _one(rows, "host", pl.when(~pl.col("host").is_in(_PREVALENT_HOSTS)).then("host"))
    found = pl.concat(
        [
            _users(rows, persons),
            _one(devices, "device", pl.col("device_id")),
            _one(rows, "file", _file()),
            *_addresses_and_hosts(pl.concat([addresses, hosts]), egress),
            _one(rows, "mail", pl.col("network_message_id")),
            _one(rows, "sender", pl.when(pl.col("sender").str.contains("@", literal=True)).then("sender")),
            _one(rows, "session", pl.when(pl.col("entity").str.contains("logon")).then("session_id")),
            _one(rows, "resource", pl.col("resource_id").str.to_lowercase().str.strip_chars_end("/")),
            _one(rows, "app", _app("oauth_application_id")),
            _one(rows, "app", _app("application_id")),
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
    return seen.with_columns(address=by_value(seen.get_column("address"), normal_address)).drop_nulls().unique()


def _one(rows: pl.DataFrame, kind: str, value: pl.Expr) -> pl.DataFrame:
    return (
        rows.select(*ALERT_KEY, kind=pl.lit(kind), value=value)
        .filter(pl.col("value").is_not_null() & ~pl.col("value").is_in(["", "-"]))
        .with_columns(identity="value")
        .unique()
    )


def _users(rows: pl.DataFrame, persons: pl.DataFrame) -> pl.DataFrame:
    """Return the identifiers of the alerts' users, and all others of the same persons in the look-back."""
    # The organisation's user is the recipient, or the sender of an outbound mail.
    insider = pl.when(pl.col("mail_direction") == "outbound").then("sender").otherwise("recipient")
    columns = [*(pl.col(name) for name in IDENTIFIERS), insider, pl.col("mailbox_address")]
    mentioned = pl.concat([_one(rows, "user", column).drop("identity") for column in columns]).unique()
    users = mentioned.join(persons, on=["tenant_id", "value"], how="left").with_columns(
        identity=pl.coalesce("identity", "value")
    )
    others = users.drop("value").unique().join(persons, on=["tenant_id", "identity"]).select(users.columns)
    return pl.concat([users, others]).unique()


def _file() -> pl.Expr:
    digest = pl.coalesce("sha256", "sha1", "md5")
    name, folder = pl.col("file_name").str.to_lowercase(), pl.col("folder").str.to_lowercase()
    prevalent = name.is_in(_PREVALENT_FILES) & folder.str.contains(_PREVALENT_FOLDERS)
    return pl.when(~prevalent.fill_null(value=False) & ~digest.is_in(_NO_FILES)).then(digest)


def _addresses_and_hosts(rows: pl.DataFrame, egress: pl.DataFrame) -> list[pl.DataFrame]:
    """Return external addresses without the organisation's own, and hosts; a host that is an address counts as one."""
    rows = rows.with_columns(_address=by_value(rows.get_column("value"), normal_address))
    hosts = rows.filter(pl.col("_address").is_null()).drop("_address")
    addresses = rows.filter(pl.col("_address").is_not_null()).with_columns(
        kind=pl.lit("address"), value="_address", identity="_address"
    )
    external = by_value(addresses.get_column("value"), lambda text: "yes" if is_external(text) else None).is_not_null()
    own = egress.select("tenant_id", value="address")
    return [hosts, addresses.filter(external).drop("_address").join(own, on=["tenant_id", "value"], how="anti")]


def _app(column: str) -> pl.Expr:
    return pl.when(~pl.col(column).is_in(_PREVALENT_APPS)).then(column)
