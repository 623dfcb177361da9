"""Normalisation of evidence: Microsoft's columns and AdditionalFields merged, one row per entity, in normal form."""

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.entities.addresses import SIMPLE_ADDRESS, normal_address
from defender_assets.core.leads.entities.identifier_text import (
    SIMPLE_IDENTIFIER,
    SIMPLE_OBJECT_ID,
    SIMPLE_SHOWN,
    each,
    identifier,
    object_id,
    shown,
)
from defender_assets.core.leads.entities.identities import ACCOUNT_COLUMNS, IDENTIFIERS, with_identifiers
from defender_assets.core.leads.entities.mail_addresses import SIMPLE_MAIL, display_name, mail_address
from defender_assets.core.leads.entities.urls import host_of

COLUMNS = {
    "threat_family": "ThreatFamily",
    "file_name": "FileName",
    "folder": "FolderPath",
    "sha1": "SHA1",
    "sha256": "SHA256",
    "size": "FileSize",
    "command_line": "ProcessCommandLine",
    "url": "RemoteUrl",
    "network_message_id": "NetworkMessageId",
    "subject": "EmailSubject",
    "registry_key": "RegistryKey",
    "value_name": "RegistryValueName",
    "value_data": "RegistryValueData",
    "cloud_name": "CloudResource",
    "cloud_platform": "CloudPlatform",
    "cloud_type": "ResourceType",
    "resource_id": "ResourceID",
    "subscription_id": "SubscriptionId",
    "application": "Application",
    "application_id": "ApplicationId",
    "oauth_application_id": "OAuthApplicationId",
    **ACCOUNT_COLUMNS,
}
"""Our column -> column of AlertEvidence; AdditionalFields fills what the column leaves empty."""

_ACCOUNTS = ("user", "mailbox", "mailboxconfiguration")
_WORDS = ("sha1", "sha256", "md5", "mail_direction")
_IDS = ("network_message_id", "session_id", "oauth_application_id", "object_id", "owner_tenant")
_ROLES = {"0": "Impacted", "1": "Related"}
"""What the numbers of `Role` mean in Defender for Endpoint. Other services number lists of their own, so they are used
only where the number of the row's own entity agrees with EvidenceRole."""
_PLATFORMS = {
    r"(?i)^/?subscriptions/": "Azure",
    r"(?i)^arn:": "Amazon Web Services",
    r"(?i)^(?://[^/]*googleapis\.com/|projects/)": "Google Cloud Platform",
}
"""Pattern of a resource's id -> CloudPlatform in Microsoft's words."""
_KIND_PLATFORMS = {"amazonresource": "Amazon Web Services", "googlecloudresource": "Google Cloud Platform"}


def entity_rows(evidence: pl.DataFrame) -> pl.DataFrame:
    """Return one normalised row per evidence row, and one per entity inside it.

    Args:
        evidence: typed AlertEvidence rows, each record once, with `fields` (`fields.FIELDS`).

    Returns:
        ALERT_KEY, `Timestamp`, `record_id`, `entity` (kind in lower case, `kinds.Kind.name`), `nested` (whether the
        entity is inside the row's own), the entity's values in snake_case, and the identifiers of its account. Each
        entity has its own role.
    """
    rows = pl.concat([_own(evidence), _inside(evidence)], how="diagonal")
    rows = rows.with_columns(
        # AlertEvidence's own columns tell whether a row is about an address of the other side or of this one.
        address=each(pl.coalesce("address", "_local"), normal_address, SIMPLE_ADDRESS),
        url=each(pl.col("url"), shown, SIMPLE_SHOWN),
        application_id=each(pl.col("application_id"), shown, SIMPLE_SHOWN),
        resource_id=each(pl.col("resource_id"), shown, SIMPLE_SHOWN),
        sender=each(pl.col("_sender"), mail_address, SIMPLE_MAIL),
        sender_name=each(pl.col("_sender"), display_name),
        recipient=each(pl.col("_recipient"), mail_address, SIMPLE_MAIL),
        mailbox_address=each(pl.col("mailbox_address"), mail_address, SIMPLE_MAIL),
        **{name: each(pl.col(name), identifier, SIMPLE_IDENTIFIER) for name in _WORDS},
        **{name: each(pl.col(name), object_id, SIMPLE_OBJECT_ID) for name in _IDS},
        **{name: each(pl.col(name), shown, SIMPLE_SHOWN) for name in (*ACCOUNT_COLUMNS, "account_display_name")},
    ).drop("_local", "_sender", "_recipient")
    rows = rows.with_columns(
        host=pl.coalesce(each(pl.col("url"), host_of), each(pl.col("domain"), host_of)),
        cloud_platform=pl.coalesce("cloud_platform", _platform()),
        subscription_id=pl.coalesce(
            "subscription_id", pl.col("resource_id").str.extract(r"(?i)^/?subscriptions/([^/]+)")
        ),
        name=pl.when(pl.col("other").is_not_null()).then(
            pl.coalesce("name", "threat_family", "file_name", "cloud_name", "application", "url", "address")
        ),
    )
    return with_identifiers(pl.concat([rows, _accounts(rows)], how="diagonal"))


def _own(evidence: pl.DataFrame) -> pl.DataFrame:
    """Return the entities of the rows themselves."""
    fields = pl.col("fields").struct.field
    names = [field.name for field in evidence.schema["fields"].fields if field.name != "inside"]  # type: ignore[attr-defined]
    kind = pl.col("EntityType").str.strip_chars().str.to_lowercase()
    values = {name: fields(name) for name in names}
    values |= {
        name: pl.coalesce(pl.col(theirs).cast(pl.String) if name == "application_id" else theirs, fields(name))
        for name, theirs in COLUMNS.items()
    }
    values |= {
        "entity": pl.coalesce(fields("entity"), kind),
        "role": pl.coalesce("EvidenceRole", fields("role")),
        "address": pl.coalesce("RemoteIP", fields("address")),
        "_local": pl.when(kind == "ip").then("LocalIP"),
        "_account_role": pl.coalesce(fields("account_role"), _numbered(fields("account_role_number"))),
        "nested": pl.lit(value=False),
    }
    return _normal(evidence.select(*ALERT_KEY, "Timestamp", "record_id", **values))


def _inside(evidence: pl.DataFrame) -> pl.DataFrame:
    """Return the entities inside those of the rows."""
    rows = (
        evidence.select(
            *ALERT_KEY,
            "Timestamp",
            "record_id",
            "EvidenceRole",
            "fields",
            inside=pl.col("fields").struct.field("inside"),
        )
        .filter(pl.col("inside").list.len() > 0)
        .explode("inside")
    )
    inside = pl.col("inside").struct.field
    values = {field.name: inside(field.name) for field in evidence.schema["fields"].fields if field.name != "inside"}  # type: ignore[attr-defined]
    values |= {
        "role": pl.coalesce(inside("role"), _numbered(inside("role_number"))),
        "_local": pl.lit(None, pl.String),
        "_account_role": pl.lit(None, pl.String),
        "nested": pl.lit(value=True),
    }
    return _normal(rows.select(*ALERT_KEY, "Timestamp", "record_id", **values))


def _normal(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(
        verdict=pl.coalesce("last_verdict", "suspicion_level"),
        remediation=pl.coalesce("remediation_state", "detection_status"),
        unlinked=pl.col("unlinked").fill_null(value=False),
    ).rename({"sender": "_sender", "recipient": "_recipient"})


def _numbered(number: pl.Expr) -> pl.Expr:
    """Return the word for a role's number, if the number of the row's own entity agrees with EvidenceRole."""
    own = pl.col("fields").struct.field("role_number").replace_strict(_ROLES, default=None, return_dtype=pl.String)
    agrees = own.str.to_lowercase() == pl.col("EvidenceRole").str.to_lowercase()
    return pl.when(agrees).then(number.replace_strict(_ROLES, default=None, return_dtype=pl.String))


def _accounts(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the accounts of entities that are no accounts (a process, a session, a mail) as entities of their own."""
    columns = (*ACCOUNT_COLUMNS, "account_display_name")
    named = pl.any_horizontal(pl.col(name).is_not_null() for name in columns)
    accounts = rows.lazy().filter(named & ~pl.col("entity").fill_null("").is_in(_ACCOUNTS))
    return accounts.select(
        *ALERT_KEY,
        "Timestamp",
        "record_id",
        *columns,
        "unlinked",
        entity=pl.lit("user"),
        nested=pl.lit(value=True),
        role="_account_role",
    ).collect()


def _platform() -> pl.Expr:
    by_id = [
        pl.when(pl.col("resource_id").str.contains(pattern)).then(pl.lit(name)) for pattern, name in _PLATFORMS.items()
    ]
    by_kind = pl.col("entity").replace_strict(_KIND_PLATFORMS, default=None, return_dtype=pl.String)
    return pl.coalesce(*by_id, by_kind)


def with_person(rows: pl.DataFrame, persons: pl.DataFrame) -> pl.DataFrame:
    """Add `person`, which is equal for all accounts of one person, to the result of `entity_rows`."""
    # Accounts of the system and of machines have no IDENTIFIERS; they are listed, so they need a name too.
    fallback = pl.coalesce(
        "account_object_id",
        "account_sid",
        "account_upn",
        pl.concat_str("account_domain", pl.lit("\\"), "account_name"),
        "account_name",
        "account_display_name",
    ).str.to_lowercase()
    return (
        rows.with_columns(_own=pl.coalesce(IDENTIFIERS))
        .join(
            persons.select("tenant_id", _own="value", _identity="identity"),
            on=["tenant_id", "_own"],
            how="left",
            maintain_order="left",
        )
        .with_columns(person=pl.coalesce("_identity", "_own", fallback))
        .drop("_own", "_identity")
    )
