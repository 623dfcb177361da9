"""The byte balance: what the account holds of each blob is what raw keeps plus the pending tail."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import polars as pl

from defender_assets.core.export import Blob
from defender_assets.core.lake.lake import Lake
from defender_assets.core.quality.check_outcome import SAMPLES, CheckOutcome
from defender_assets.core.raw.cursors import read_ranges
from defender_assets.core.schemas import Table
from defender_assets.core.text import pluralize

OLD_TAIL = timedelta(days=1)


def byte_balance(
    lake: Lake, table: Table, day: date, listed: list[Blob], pending: Mapping[str, int], now: datetime
) -> CheckOutcome:
    """Return whether, for each listed blob, size = bytes kept + pending tail, and no byte is missing or there twice.

    Args:
        lake: the lake, after the run.
        table: whose raw table.
        day: which day.
        listed: the blobs of this run's last listing; raw may have gone further since, through another run.
        pending: length of the unterminated tail by blob path, as this run met it.
        now: to tell how old a tail is.
    """
    generation = ["blob", "blob_created_at"]
    ranges = read_ranges(lake.open(table.raw), [day]).sort(*generation, "byte_start")
    expected = pl.col("byte_end").shift(1).over(generation).fill_null(0)
    torn = ranges.filter(pl.col("byte_start") != expected)
    cursors: dict[str, list[int]] = {}
    for blob, cursor in (
        ranges.group_by(generation).agg(pl.col("byte_end").max()).select("blob", "byte_end").iter_rows()
    ):
        cursors.setdefault(blob, []).append(cursor)
    off = [
        blob.path
        for blob in listed
        if not any(cursor >= blob.size - pending.get(blob.path, 0) for cursor in cursors.get(blob.path, [0]))
    ]
    old_tails = [path for path in sorted(pending) if pending[path] and _age(listed, path, now) > OLD_TAIL]
    facts = {
        "blobs_listed": len(listed),
        "bytes_listed": sum(blob.size for blob in listed),
        "bytes_kept": int((ranges["byte_end"] - ranges["byte_start"]).sum()),
        "bytes_pending": sum(pending.values()),
        "blobs_off_balance": off[:SAMPLES],
        "blobs_with_holes": torn["blob"].unique().sort().head(SAMPLES).to_list(),
        "tails_older_than_a_day": old_tails[:SAMPLES],
    }
    if off or torn.height:
        return CheckOutcome(
            passed=False,
            summary=f"Blobs not kept to their last newline: {len(off)}; with holes or overlaps: {torn.height}. Run "
            "`refresh_day` for the day, and report it: a promise is broken.",
            facts=facts,
        )
    tails = ""
    if old_tails:
        have = "that has waited for its" if len(old_tails) == 1 else "that have waited for their"
        tails = f"; {pluralize(len(old_tails), 'tail')} {have} newline for over a day"
    return CheckOutcome(
        passed=True, summary=f"Every byte of {pluralize(len(listed), 'blob')} is kept or pending{tails}.", facts=facts
    )


def _age(listed: list[Blob], path: str, now: datetime) -> timedelta:
    return next((now - blob.changed_at for blob in listed if blob.path == path and blob.changed_at), timedelta(0))
