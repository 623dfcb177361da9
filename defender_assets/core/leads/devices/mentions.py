"""The devices that an alert's evidence names, and their order. Their state is in `as_of`."""

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY

IMPACTED = "impacted"


def names_a_device() -> pl.Expr:
    """Return whether an evidence row is a Machine row with a DeviceId."""
    machine = (pl.col("EntityType").str.strip_chars().str.to_lowercase() == "machine").fill_null(value=False)
    return machine & _id(pl.col("DeviceId")).is_not_null()


def named_devices(evidence: pl.DataFrame) -> pl.DataFrame:
    """Return the devices of each alert, one row per identifier.

    They are the DeviceIds of Machine rows; if an alert has none, the DeviceIds of other rows and the MachineIds of the
    hosts in AdditionalFields (source facts, section 4).

    Args:
        evidence: AlertEvidence rows, each record once, with `fields` (`additional_fields.FIELDS`, null if not read).

    Returns:
        ALERT_KEY, `original_device_id` (lower case), `role` (Impacted if it is in any row, else the newest),
        `named_at` (its earliest Timestamp in the alert), and `evidence_name`, `evidence_os` (newest).
    """
    field = pl.col("fields").struct.field
    rows = evidence.select(
        *ALERT_KEY,
        "Timestamp",
        "record_id",
        machine=names_a_device(),
        original_device_id=pl.coalesce(_id(pl.col("DeviceId")), _id(field("machine_id"))),
        role="EvidenceRole",
        evidence_name=pl.coalesce("DeviceName", field("host_name")),
        evidence_os=field("os_family"),
    ).filter(pl.col("original_device_id").is_not_null())
    impacted = pl.col("role").str.to_lowercase() == IMPACTED
    return (
        rows.filter(pl.col("machine") | ~pl.col("machine").any().over(ALERT_KEY))
        .sort("Timestamp", "record_id")
        .group_by(*ALERT_KEY, "original_device_id", maintain_order=True)
        .agg(
            role=pl.coalesce(pl.col("role").filter(impacted).last(), pl.col("role").last(ignore_nulls=True)),
            named_at=pl.col("Timestamp").first(),
            evidence_name=pl.col("evidence_name").last(ignore_nulls=True),
            evidence_os=pl.col("evidence_os").last(ignore_nulls=True),
        )
    )


def rank_devices(devices: pl.DataFrame) -> pl.DataFrame:
    """Return the devices, each alert's primary one first: Impacted ones, then the earliest named, then by id."""
    impacted = (pl.col("role").str.to_lowercase() == IMPACTED).fill_null(value=False)
    return devices.sort(*ALERT_KEY, ~impacted, "named_at", "original_device_id", nulls_last=True, maintain_order=True)


def _id(text: pl.Expr) -> pl.Expr:
    trimmed = text.str.strip_chars().str.to_lowercase()
    return pl.when(~trimmed.is_in(["", "-"])).then(trimmed)
