"""Normalisation of evidence rows: Microsoft's columns and AdditionalFields merged, values in normal form."""

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.entities.addresses import by_value, host_of, normal_address
from defender_assets.core.leads.entities.identities import ACCOUNT_COLUMNS, IDENTIFIERS, with_identifiers

_ONLY_IN_FIELDS = (
    "entity_key", "md5", "process_id", "created", "parent_file_name", "parent_command_line", "country", "urls",
    "mail_direction", "display_name", "session_id", "session_started", "user_agent",
)  # fmt: skip
"""Columns that are taken from AdditionalFields unchanged."""


def entity_rows(evidence: pl.DataFrame, persons: pl.DataFrame) -> pl.DataFrame:
    """Return one normalised row per evidence row.

    Args:
        evidence: typed AlertEvidence rows, each record once, with `fields` (`additional_fields.FIELDS`).
        persons: result of `known_persons`.

    Returns:
        ALERT_KEY, `Timestamp`, `record_id`, `entity` (EntityType in lower case), the entity's values in snake_case,
        the identifiers of its account, and `person`, which is equal for all accounts of one person.
    """
    field = pl.col("fields").struct.field
    kind = pl.col("EntityType").str.strip_chars().str.to_lowercase()
    other_address = (
        pl.when(kind == "ip").then(pl.coalesce(field("address"), "LocalIP")).otherwise(field("sender_address"))
    )
    rows = evidence.select(
        *ALERT_KEY,
        "Timestamp",
        "record_id",
        entity=kind,
        role=pl.coalesce("EvidenceRole", field("role")),
        verdict=pl.coalesce(field("last_verdict"), field("suspicion_level")),
        remediation=pl.coalesce(field("remediation_state"), field("detection_status")),
        threat_family="ThreatFamily",
        file_name=pl.coalesce("FileName", field("file_name")),
        folder=pl.coalesce("FolderPath", field("folder")),
        sha1=pl.coalesce(pl.col("SHA1").str.to_lowercase(), field("sha1")),
        sha256=pl.coalesce(pl.col("SHA256").str.to_lowercase(), field("sha256")),
        size="FileSize",
        command_line="ProcessCommandLine",
        address=pl.coalesce("RemoteIP", other_address),
        url=pl.coalesce("RemoteUrl", field("url")).str.strip_chars(),
        network_message_id=pl.coalesce(pl.col("NetworkMessageId").str.to_lowercase(), field("network_message_id")),
        subject=pl.coalesce("EmailSubject", field("subject")),
        sender=field("sender").str.normalize("NFKC").str.to_lowercase(),
        recipient=field("recipient").str.normalize("NFKC").str.to_lowercase(),
        mailbox_address=field("mailbox_address").str.to_lowercase(),
        registry_key="RegistryKey",
        value_name="RegistryValueName",
        value_data="RegistryValueData",
        cloud_name="CloudResource",
        cloud_platform="CloudPlatform",
        cloud_type="ResourceType",
        resource_id=pl.coalesce("ResourceID", field("resource_id")),
        subscription_id="SubscriptionId",
        application=pl.coalesce("Application", field("application")),
        application_id=pl.coalesce(pl.col("ApplicationId").cast(pl.String), field("application_id")),
        oauth_application_id=pl.coalesce(
            pl.col("OAuthApplicationId").str.to_lowercase(), field("oauth_application_id")
        ),
        **{name: pl.coalesce(theirs, field(name)) for name, theirs in ACCOUNT_COLUMNS.items()},
        **{name: field(name) for name in _ONLY_IN_FIELDS},
    )
    rows = rows.with_columns(
        address=by_value(rows.get_column("address"), normal_address),
        url=pl.when(pl.col("url") != "-").then("url"),
        host=by_value(rows.get_column("url"), host_of),
    )
    return _with_person(with_identifiers(rows), persons)


def _with_person(rows: pl.DataFrame, persons: pl.DataFrame) -> pl.DataFrame:
    # Accounts of the system and of machines have no IDENTIFIERS; they are listed, so they need a name too.
    fallback = pl.coalesce(
        "account_object_id",
        "account_sid",
        "account_upn",
        pl.concat_str("account_domain", pl.lit("\\"), "account_name"),
        "account_name",
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
