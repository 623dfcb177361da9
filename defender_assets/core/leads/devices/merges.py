"""Devices that Microsoft merged: which identifier supersedes which."""

from collections.abc import Mapping

import polars as pl

from defender_assets.core.leads.devices.texts import identifier

Device = tuple[str, str]
"""Tenant and identifier, in lower case."""

PATH = pl.Schema(dict.fromkeys(("tenant_id", "start_id", "device_id", "lookup_id"), pl.String))

PREDECESSORS = pl.Schema(dict.fromkeys(("tenant_id", "device_id", "old_id"), pl.String))

MOST_PREDECESSORS = 20
"""A device with more of them is a false merge (a template of machines): they do not link its leads."""

_NEWEST = ("Timestamp", "ReportId", "record_id")
_READ = ("tenant_id", "export_date", *_NEWEST, "DeviceId", "MergedToDeviceId", "MergedDeviceIds")


def merge_paths(successors: Mapping[Device, str], wanted: pl.DataFrame) -> pl.DataFrame:
    """Return for each wanted identifier those under which its device may be found: the path to its last successor.

    Merges are followed transitively; a cycle resolves to its smallest identifier. Other identifiers that were merged
    into the same device are not on the path.

    `successors` come from `merges`; `wanted` has `tenant_id` and `start_id` (lower case).

    Returns:
        PATH: `device_id` is the last successor (`start_id` itself without a merge), `lookup_id` one of the path.
    """
    rows = []
    for tenant_id, start in wanted.select("tenant_id", "start_id").unique().iter_rows():
        path, resolved = _resolve(successors, (tenant_id, start))
        rows += [(tenant_id, start, resolved, lookup) for lookup in path]
    return pl.DataFrame(rows, schema=PATH, orient="row")


def predecessors(successors: Mapping[Device, str]) -> pl.DataFrame:
    """Return PREDECESSORS: for each last successor the identifiers that were merged into it, transitively.

    `successors` come from `merges`.
    """
    ends = ((tenant_id, _resolve(successors, (tenant_id, old))[1], old) for tenant_id, old in successors)
    rows = pl.DataFrame([row for row in ends if row[1] != row[2]], schema=PREDECESSORS, orient="row")
    return rows.filter(pl.len().over("tenant_id", "device_id") <= MOST_PREDECESSORS)


def merging_rows(devices: pl.LazyFrame) -> pl.LazyFrame:
    """Return the rows of DeviceInfo that `merges` reads: those that say that a device was merged."""
    return devices.filter(pl.col("MergedToDeviceId").is_not_null() | (pl.col("MergedDeviceIds").list.len() > 0)).select(
        *_READ
    )


def merges(devices: pl.LazyFrame) -> dict[Device, str]:
    """Return the identifier that superseded each superseded one.

    It is the newest filled MergedToDeviceId of a device; without one, the device of the newest row whose
    MergedDeviceIds contains the identifier. A row whose Timestamp is no moment (null) is older than all others.
    Self-merges are ignored.

    `devices` are typed DeviceInfo rows: all of them, or the `merging_rows`.
    """
    found = (
        merge_pairs(devices)
        .collect()
        .sort("rank", *_NEWEST, "new", nulls_last=False)
        .unique(["tenant_id", "old"], keep="last", maintain_order=True)
    )
    return {(tenant_id, old): new for tenant_id, old, new in found.select("tenant_id", "old", "new").iter_rows()}


def merge_pairs(devices: pl.LazyFrame) -> pl.LazyFrame:
    """Return `tenant_id`, `old` and `new` of each merge that a row says, each once, with `rank` and _NEWEST of it."""
    successor = devices.filter(pl.col("MergedToDeviceId").is_not_null()).select(
        "tenant_id",
        *_NEWEST,
        old=identifier(pl.col("DeviceId")),
        new=identifier(pl.col("MergedToDeviceId")),
        rank=pl.lit(1),
    )
    named = (
        devices.filter(pl.col("MergedDeviceIds").list.len() > 0)
        .explode("MergedDeviceIds")
        .select(
            "tenant_id",
            *_NEWEST,
            old=identifier(pl.col("MergedDeviceIds")),
            new=identifier(pl.col("DeviceId")),
            rank=pl.lit(0),
        )
    )
    return (
        pl.concat([successor, named])
        .filter(pl.col("old") != pl.col("new"))
        .unique(["tenant_id", "old", "new", "rank", *_NEWEST])
    )


def _resolve(successors: Mapping[Device, str], start: Device) -> tuple[list[str], str]:
    """Return the identifiers from `start` on, and the one they resolve to."""
    tenant_id, current = start
    path: dict[str, None] = {}
    while current not in path:
        path[current] = None
        following = successors.get((tenant_id, current))
        if following is None:
            return list(path), current
        current = following
    walked = list(path)
    return walked, min(walked[walked.index(current) :])
