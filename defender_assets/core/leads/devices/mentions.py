"""The devices that an alert's evidence names, and their order. Their state is in `as_of`."""

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.devices.filled import filled
from defender_assets.core.leads.devices.names import is_fqdn, name_key, same_name

IMPACTED = "impacted"

_MACHINE = (pl.col("EntityType").str.strip_chars().str.to_lowercase() == "machine").fill_null(value=False)


def names_a_device() -> pl.Expr:
    """Return whether an evidence row is a Machine row with a DeviceId."""
    return _MACHINE & _id(pl.col("DeviceId")).is_not_null()


def fields_name_a_device() -> pl.Expr:
    """Return whether AdditionalFields of an evidence row can name a device of its alert."""
    return ~names_a_device().any().over(ALERT_KEY) | (_MACHINE & ~names_a_device())


def named_devices(evidence: pl.DataFrame) -> pl.DataFrame:
    """Return the devices of each alert, one row per identifier, or per name where the evidence gives only that.

    They are the DeviceIds of Machine rows; if an alert has none, the DeviceIds of other rows and the MachineIds of the
    hosts in AdditionalFields; and the names of Machine rows without an identifier (source facts, section 4).

    Args:
        evidence: AlertEvidence rows, each record once, with `fields` (`additional_fields.FIELDS`, null if not read).

    Returns:
        ALERT_KEY, `mention` (equal for the same identifier or name), `original_device_id` (lower case; null for a
        name), `name` (`name_key` of `evidence_name`; null for an identifier), `role` (Impacted if it is in any row,
        else the newest), `named_at` (its earliest Timestamp in the alert), and `evidence_name`, `evidence_os` (newest).
    """
    field = pl.col("fields").struct.field
    rows = evidence.select(
        *ALERT_KEY,
        "Timestamp",
        "record_id",
        machine=_MACHINE,
        with_id=names_a_device(),
        original_device_id=pl.coalesce(_id(pl.col("DeviceId")), _id(field("machine_id"))),
        role="EvidenceRole",
        evidence_name=_name(),
        evidence_os=filled(field("os_family")),
    )
    identified, name = pl.col("original_device_id").is_not_null(), name_key(pl.col("evidence_name"))
    rows = rows.with_columns(name=pl.when(~identified & pl.col("machine")).then(name))
    impacted = pl.col("role").str.to_lowercase() == IMPACTED
    return (
        rows.filter(
            pl.col("name").is_not_null() | (identified & (pl.col("machine") | ~pl.col("with_id").any().over(ALERT_KEY)))
        )
        .with_columns(mention=pl.coalesce("original_device_id", pl.concat_str(pl.lit("name:"), "name")))
        .sort("Timestamp", "record_id")
        .group_by(*ALERT_KEY, "mention", maintain_order=True)
        .agg(
            pl.col("original_device_id").first(),
            pl.col("name").first(),
            role=pl.coalesce(pl.col("role").filter(impacted).last(), pl.col("role").last(ignore_nulls=True)),
            named_at=pl.col("Timestamp").min(),
            evidence_name=pl.col("evidence_name").last(ignore_nulls=True),
            evidence_os=pl.col("evidence_os").last(ignore_nulls=True),
        )
    )


def rank_devices(devices: pl.DataFrame) -> pl.DataFrame:
    """Return the devices, each alert's primary one first: Impacted ones, then the earliest named, then by id."""
    impacted = (pl.col("role").str.to_lowercase() == IMPACTED).fill_null(value=False)
    return devices.sort(*ALERT_KEY, ~impacted, "named_at", "mention", nulls_last=True, maintain_order=True)


def _name() -> pl.Expr:
    """Return DeviceName, or the host's name in AdditionalFields; with its domain where only the fields give one."""
    host, domain, fqdn = (filled(pl.col("fields").struct.field(name)) for name in ("host_name", "dns_domain", "fqdn"))
    composed = pl.when(~is_fqdn(host)).then(pl.concat_str(host, pl.lit("."), domain))
    in_fields = pl.coalesce(composed, fqdn, host)
    column = filled(pl.col("DeviceName"))
    longer = is_fqdn(in_fields) & ~is_fqdn(column) & same_name(name_key(column), name_key(in_fields))
    return pl.when(column.is_null() | longer).then(in_fields).otherwise(column)


def _id(text: pl.Expr) -> pl.Expr:
    return filled(text).str.to_lowercase()
