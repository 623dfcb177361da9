"""Devices that Microsoft merged: which identifier supersedes which."""

from collections.abc import Mapping

import polars as pl

from defender_assets.core.moments import FIRST_DAY, moment

Device = tuple[str, str]  # tenant and identifier
Merges = Mapping[Device, str]
"""The identifier that superseded each superseded one."""

PATH = pl.Schema(dict.fromkeys(("tenant_id", "start_id", "device_id", "lookup_id"), pl.String))


def read_merges(devices: pl.LazyFrame) -> Merges:
    """Return the identifier that superseded each superseded one, from typed DeviceInfo rows.

    It is the newest filled MergedToDeviceId of a device; without one, the device of the newest row whose
    MergedDeviceIds contains the identifier. Rows whose Timestamp is no moment are the oldest.
    """
    newest = ["seen_at", "ReportId", "record_id"]
    dated = ["tenant_id", "Timestamp", "export_date", "ReportId", "record_id"]
    successor = devices.filter(pl.col("MergedToDeviceId").is_not_null()).select(
        *dated, old=lowered("DeviceId"), new=lowered("MergedToDeviceId"), rank=pl.lit(1)
    )
    predecessors = (
        devices.filter(pl.col("MergedDeviceIds").list.len() > 0)
        .explode("MergedDeviceIds")
        .select(*dated, old=lowered("MergedDeviceIds"), new=lowered("DeviceId"), rank=pl.lit(0))
    )
    merges = (
        pl.concat([successor, predecessors])
        .filter(~pl.col("old").is_in(["", "-"]) & ~pl.col("new").is_in(["", "-"]) & (pl.col("old") != pl.col("new")))
        .with_columns(seen_at=moment(FIRST_DAY))
        .unique(["tenant_id", "old", "new", "rank", *newest])
        .collect()
        .sort("rank", *newest, "new", nulls_last=False)
        .unique(["tenant_id", "old"], keep="last", maintain_order=True)
    )
    return {(tenant_id, old): new for tenant_id, old, new in merges.select("tenant_id", "old", "new").iter_rows()}


def merge_paths(merges: Merges, starts: pl.DataFrame) -> pl.DataFrame:
    """Return the path of each identifier to its last successor, which merges are followed to transitively.

    A cycle resolves to its smallest identifier.

    Args:
        merges: result of `read_merges`.
        starts: `tenant_id`, `start_id` (lower case).

    Returns:
        PATH, one row per identifier on the path: `device_id` is the last successor (`start_id` without a merge),
        `lookup_id` the identifier on the path.
    """
    rows = []
    for tenant_id, start in starts.select("tenant_id", "start_id").unique(maintain_order=True).iter_rows():
        path, last = _follow(merges, (tenant_id, start))
        rows += [(tenant_id, start, last, identifier) for identifier in path]
    return pl.DataFrame(rows, schema=PATH, orient="row")


def _follow(merges: Merges, start: Device) -> tuple[list[str], str]:
    """Return the identifiers from `start` on, and the last successor."""
    tenant_id, current = start
    path: dict[str, None] = {}
    while current not in path:
        path[current] = None
        following = merges.get((tenant_id, current))
        if following is None:
            return list(path), current
        current = following
    walked = list(path)
    return walked, min(walked[walked.index(current) :])


def lowered(column: str) -> pl.Expr:
    """Return the identifiers of a column in the form in which they are compared."""
    return pl.col(column).str.strip_chars().str.to_lowercase()
