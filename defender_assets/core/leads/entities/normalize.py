"""Evidence rows made ready: Microsoft's columns and AdditionalFields brought together under one spelling.

What becomes of the rows (lists on a lead, links between leads, a verdict) is decided in the rooms beside this one.
"""

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.entities.addresses import by_value, host_of, normal_address
from defender_assets.core.leads.entities.identities import with_identifiers


def entity_rows(evidence: pl.DataFrame, persons: pl.DataFrame) -> pl.DataFrame:
    """Return one row per evidence row, with the columns that the entity rooms read.

    Args:
        evidence: typed AlertEvidence rows, each record once, with `fields` (`additional_fields.FIELDS`).
        persons: what `known_persons` found.

    Returns:
        ALERT_KEY, `Timestamp`, `record_id`, `entity` (Microsoft's EntityType in lower case), the entity's facts in
        snake_case, the identifiers of its account, and `person`, which is equal for accounts of one person.
    """
    field = pl.col("fields").struct.field
    kind = pl.col("EntityType").str.strip_chars().str.to_lowercase()
    account = {
        "account_object_id": pl.coalesce("AccountObjectId", field("account_object_id")),
        "account_upn": pl.coalesce("AccountUpn", field("account_upn")),
        "account_sid": pl.coalesce("AccountSid", field("account_sid")),
        "account_domain": pl.coalesce("AccountDomain", field("account_domain")),
        "account_name": pl.coalesce("AccountName", field("account_name")),
    }
    far = pl.when(kind == "ip").then(pl.coalesce(field("address"), "LocalIP")).otherwise(field("sender_address"))
    rows = evidence.select(
        *ALERT_KEY,
        "Timestamp",
        "record_id",
        entity=kind,
        entity_key=field("entity_key"),
        role=pl.coalesce("EvidenceRole", field("role")),
        verdict=pl.coalesce(field("last_verdict"), field("suspicion_level")),
        remediation=pl.coalesce(field("remediation_state"), field("detection_status")),
        threat_family="ThreatFamily",
        file_name=pl.coalesce("FileName", field("file_name")),
        folder=pl.coalesce("FolderPath", field("folder")),
        sha1=pl.coalesce(pl.col("SHA1").str.to_lowercase(), field("sha1")),
        sha256=pl.coalesce(pl.col("SHA256").str.to_lowercase(), field("sha256")),
        md5=field("md5"),
        size="FileSize",
        command_line="ProcessCommandLine",
        process_id=field("process_id"),
        created=field("created"),
        parent_file_name=field("parent_file_name"),
        parent_command_line=field("parent_command_line"),
        address=pl.coalesce("RemoteIP", far),
        country=field("country"),
        url=pl.coalesce("RemoteUrl", field("url")).str.strip_chars(),
        urls=field("urls"),
        network_message_id=pl.coalesce(pl.col("NetworkMessageId").str.to_lowercase(), field("network_message_id")),
        subject=pl.coalesce("EmailSubject", field("subject")),
        sender=field("sender").str.normalize("NFKC").str.to_lowercase(),
        recipient=field("recipient").str.normalize("NFKC").str.to_lowercase(),
        mail_direction=field("mail_direction"),
        mailbox_address=field("mailbox_address").str.to_lowercase(),
        display_name=field("display_name"),
        registry_key="RegistryKey",
        value_name="RegistryValueName",
        value_data="RegistryValueData",
        cloud_name="CloudResource",
        cloud_platform="CloudPlatform",
        cloud_type="ResourceType",
        resource_id=pl.coalesce("ResourceID", field("resource_id")),
        subscription_id="SubscriptionId",
        session_id=field("session_id"),
        session_started=field("session_started"),
        user_agent=field("user_agent"),
        application=pl.coalesce("Application", field("application")),
        application_id=pl.coalesce(pl.col("ApplicationId").cast(pl.String), field("application_id")),
        oauth_application_id=pl.coalesce(
            pl.col("OAuthApplicationId").str.to_lowercase(), field("oauth_application_id")
        ),
        **account,
    )
    rows = rows.with_columns(
        address=by_value(rows.get_column("address"), normal_address),
        url=pl.when(pl.col("url") != "-").then("url"),
        host=by_value(rows.get_column("url"), host_of),
    )
    return _with_person(with_identifiers(rows), persons)


def _with_person(rows: pl.DataFrame, persons: pl.DataFrame) -> pl.DataFrame:
    own = pl.coalesce("user_object_id", "user_upn", "user_sid", "user_name")
    # The system's and the machines' accounts are no persons, yet they are listed, so they need a name as well.
    plain = pl.coalesce(
        "account_object_id",
        "account_sid",
        "account_upn",
        pl.concat_str("account_domain", pl.lit("\\"), "account_name"),
        "account_name",
    ).str.to_lowercase()
    return (
        rows.with_columns(_own=own)
        .join(
            persons.select("tenant_id", _own="value", _identity="identity"),
            on=["tenant_id", "_own"],
            how="left",
            maintain_order="left",
        )
        .with_columns(person=pl.coalesce("_identity", "_own", plain))
        .drop("_own", "_identity")
    )
