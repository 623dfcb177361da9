"""The devices that an alert's evidence names, by id or by name, and their order. Their state is in `as_of`."""

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.devices.texts import filled, has_domain, host_name, identifier, label

IMPACTED = "impacted"

BY_ID, BY_NAME = "id:", "name:"
"""Prefixes of a `mention`: evidence may write an identifier that looks like a name's mention."""


def needs_fields() -> pl.Expr:
    """Return whether AdditionalFields of an evidence row's alert are needed to know its devices.

    They are, unless all of its Machine rows, at least one, have a DeviceId.
    """
    by_id = _is_machine() & identifier(pl.col("DeviceId")).is_not_null()
    return (~by_id.any() | (_is_machine() & ~by_id).any()).over(ALERT_KEY)


def named_devices(evidence: pl.DataFrame) -> pl.DataFrame:
    """Return the devices of each alert, one row per identifier, and per name that has none.

    Machine rows name devices, by DeviceId or else by name: DeviceName, or FQDN, HostName, DnsDomain and NetBiosName of
    AdditionalFields (source facts, section 4). If no Machine row of an alert has a DeviceId, the DeviceIds of other
    rows and the MachineIds of the hosts in AdditionalFields name devices too; if there is none of all these, the names
    of those hosts do. A name that another row of the alert has together with an identifier is that identifier's.

    Args:
        evidence: AlertEvidence rows, each record once, with `fields` (`fields.FIELDS`, null if not read).

    Returns:
        ALERT_KEY, `mention` (identifies the device in the alert), `original_device_id` (lower case; null if there is
        only a name), `name` (normal form; null for an identifier), `role` (Impacted if it is in any row, else the
        newest), `named_at` (its earliest Timestamp in the alert), `evidence_name`, `evidence_os` (newest).
    """
    field = pl.col("fields").struct.field
    rows = evidence.select(
        *ALERT_KEY,
        "Timestamp",
        "record_id",
        machine=_is_machine(),
        original_device_id=pl.coalesce(identifier(pl.col("DeviceId")), identifier(field("machine_id"))),
        role=filled(pl.col("EvidenceRole")),
        device_name=filled(pl.col("DeviceName")),
        field_name=_name_in_fields(),
        evidence_os=filled(field("os_family")),
    ).filter(pl.any_horizontal(pl.col("original_device_id", "device_name", "field_name").is_not_null()))
    rows = rows.with_columns(
        evidence_name=pl.coalesce("device_name", "field_name"),
        name=_fullest(host_name(pl.col("device_name")), host_name(pl.col("field_name"))),
    ).drop("device_name", "field_name")
    rows = _with_identifiers(_of_best_source(rows))
    impacted = pl.col("role").str.to_lowercase() == IMPACTED
    return (
        rows.with_columns(
            name=pl.when(pl.col("original_device_id").is_null()).then("name"),
            mention=pl.coalesce(pl.lit(BY_ID) + pl.col("original_device_id"), pl.lit(BY_NAME) + pl.col("name")),
        )
        .sort("Timestamp", "record_id")
        .group_by(*ALERT_KEY, "mention", "original_device_id", "name", maintain_order=True)
        .agg(
            role=pl.coalesce(pl.col("role").filter(impacted).last(), pl.col("role").last(ignore_nulls=True)),
            named_at=pl.col("Timestamp").min(),
            evidence_name=pl.col("evidence_name").last(ignore_nulls=True),
            evidence_os=pl.col("evidence_os").last(ignore_nulls=True),
        )
    )


def rank_devices(devices: pl.DataFrame) -> pl.DataFrame:
    """Return the devices, each alert's primary one first: Impacted ones, then the earliest named, then by `mention`."""
    impacted = (pl.col("role").str.to_lowercase() == IMPACTED).fill_null(value=False)
    return devices.sort(*ALERT_KEY, ~impacted, "named_at", "mention", nulls_last=True, maintain_order=True)


def same_host(rows: pl.DataFrame, names: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return the rows with a column of the one entry of `names` in the same alert that can be the same host.

    Equal names count first, then equal labels if one side has no domain; null if several values remain.

    `rows` have ALERT_KEY and `name`, in normal form; `names` the same and the column.
    """
    names = names.drop_nulls(["name", column]).select(*ALERT_KEY, "name", column).unique()
    joined = (
        rows.select(*ALERT_KEY, "name")
        .unique()
        .drop_nulls("name")
        .with_columns(_label=label(pl.col("name")))
        .join(names.with_columns(_label=label(pl.col("name"))), on=[*ALERT_KEY, "_label"], suffix="_other")
        .with_columns(_equal=pl.col("name") == pl.col("name_other"))
        .filter(pl.col("_equal") | ~(has_domain(pl.col("name")) & has_domain(pl.col("name_other"))))
        .filter(pl.col("_equal") | ~pl.col("_equal").any().over(*ALERT_KEY, "name"))
        .filter(pl.col(column).n_unique().over(*ALERT_KEY, "name") == 1)
        .select(*ALERT_KEY, "name", column)
        .unique()
    )
    return rows.join(joined, on=[*ALERT_KEY, "name"], how="left", maintain_order="left")


def _of_best_source(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that name devices, of the best source that the alert has."""
    by_id, by_name = pl.col("original_device_id").is_not_null(), pl.col("name").is_not_null()
    rows = rows.filter(by_id | by_name).with_columns(_machine_id=(pl.col("machine") & by_id).any().over(ALERT_KEY))
    better = rows.filter(pl.col("machine") | (by_id & ~pl.col("_machine_id")))
    return pl.concat([better, rows.join(better, on=ALERT_KEY, how="anti")]).drop("_machine_id")


def _with_identifiers(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with names of identifiers replaced by these, and short names by the full ones of the alert."""
    by_id, by_name = rows.drop_nulls("original_device_id"), rows.filter(pl.col("original_device_id").is_null())
    known = by_id.join(by_name, on=ALERT_KEY, how="semi").select(*ALERT_KEY, "name", _known="original_device_id")
    full = by_name.filter(has_domain(pl.col("name"))).with_columns(_full="name")
    by_name = same_host(same_host(by_name, known, "_known"), full, "_full")
    resolved = by_name.with_columns(original_device_id="_known", name=pl.coalesce("_full", "name"))
    return pl.concat([by_id, resolved.select(by_id.columns)])


def _is_machine() -> pl.Expr:
    return (pl.col("EntityType").str.strip_chars().str.to_lowercase() == "machine").fill_null(value=False)


def _name_in_fields() -> pl.Expr:
    host, domain, fqdn = (filled(pl.col("fields").struct.field(name)) for name in ("host_name", "dns_domain", "fqdn"))
    short = host.str.strip_chars_end(".")
    composed = pl.when(~short.str.contains(".", literal=True)).then(
        pl.concat_str(short, domain.str.strip_chars("."), separator=".")
    )
    return pl.coalesce(pl.when(fqdn.str.contains(".", literal=True)).then(fqdn), composed, host, fqdn)


def _fullest(name: pl.Expr, other: pl.Expr) -> pl.Expr:
    """Return `name`, or `other` if it is the same host with its domain, or the only one."""
    completes = ~has_domain(name) & has_domain(other) & (label(name) == label(other))
    return pl.when(completes).then(other).otherwise(pl.coalesce(name, other))
