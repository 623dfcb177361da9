"""Devices that Microsoft merged: which identifier supersedes which."""

import polars as pl

_Device = tuple[str, str]  # tenant and identifier

CHAIN = pl.Schema(
    dict.fromkeys(("tenant_id", "original_device_id", "device_id", "lookup_id"), pl.String) | {"rank": pl.Int64}
)


def merge_chains(devices: pl.LazyFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """Return for each wanted identifier those under which its device may be found.

    The newest filled MergedToDeviceId of a device is followed transitively; without one, the newest row whose
    MergedDeviceIds contains the identifier. Self-merges are ignored; a cycle resolves to its smallest identifier.

    Args:
        devices: typed DeviceInfo rows.
        wanted: `tenant_id`, `original_device_id` (lower case).

    Returns:
        CHAIN: `device_id` is the resolved identifier (the original without a merge), `lookup_id` one to look up:
        rank 0 is the resolved one, then come the original and its successors in order.
    """
    successors = _successors(devices)
    rows = []
    for tenant_id, original in wanted.select("tenant_id", "original_device_id").unique().iter_rows():
        path, resolved = _resolve(successors, (tenant_id, original))
        lookups = [resolved, *(identifier for identifier in path if identifier != resolved)]
        rows += [(tenant_id, original, resolved, lookup, rank) for rank, lookup in enumerate(lookups)]
    return pl.DataFrame(rows, schema=CHAIN, orient="row")


def _successors(devices: pl.LazyFrame) -> dict[_Device, str]:
    """Return the identifier that superseded each superseded one."""
    newest = ["Timestamp", "ReportId", "record_id"]
    successor = devices.filter(pl.col("MergedToDeviceId").is_not_null()).select(
        "tenant_id", *newest, old=_lowered("DeviceId"), new=_lowered("MergedToDeviceId"), rank=pl.lit(1)
    )
    predecessors = (
        devices.filter(pl.col("MergedDeviceIds").list.len() > 0)
        .explode("MergedDeviceIds")
        .select("tenant_id", *newest, old=_lowered("MergedDeviceIds"), new=_lowered("DeviceId"), rank=pl.lit(0))
    )
    merges = (
        pl.concat([successor, predecessors])
        .filter((pl.col("old") != "") & (pl.col("new") != "") & (pl.col("old") != pl.col("new")))
        .unique(["tenant_id", "old", "new", "rank", *newest])
        .collect()
        .sort("rank", *newest, "new", nulls_last=False)
        .unique(["tenant_id", "old"], keep="last", maintain_order=True)
    )
    return {(tenant_id, old): new for tenant_id, old, new in merges.select("tenant_id", "old", "new").iter_rows()}


def _resolve(successors: dict[_Device, str], start: _Device) -> tuple[list[str], str]:
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


def _lowered(column: str) -> pl.Expr:
    return pl.col(column).str.strip_chars().str.to_lowercase()
