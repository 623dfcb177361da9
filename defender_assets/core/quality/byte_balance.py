"""The byte balance: the size of each blob = the bytes kept in raw + the pending tail."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import polars as pl

from defender_assets.core.errors import ExportError
from defender_assets.core.export import Blob, BlobChangedError, Export, UnreadablePart
from defender_assets.core.export.blobs import generation
from defender_assets.core.lake.damage import damaged_files, describe_damage
from defender_assets.core.lake.lake import Lake
from defender_assets.core.quality.check_outcome import SAMPLES, CheckOutcome
from defender_assets.core.raw.cursors import read_cursors, read_ranges
from defender_assets.core.schemas import Table
from defender_assets.core.text import MEBIBYTE, first_few, pluralize

OLD_TAIL = timedelta(days=1)
NAMED = 3
"""Unreadable parts that the summary names."""

MOST_TAILS = 20
"""Blobs whose unread bytes are read to see whether they are a tail without a newline."""

TAIL_BYTES = MEBIBYTE


def byte_balance(
    lake: Lake,
    table: Table,
    day: date,
    listed: list[Blob],
    pending: Mapping[str, int],
    now: datetime,
    unreadable: Sequence[UnreadablePart] = (),
) -> CheckOutcome:
    """Return whether raw holds each listed blob up to its pending tail, without gaps or overlaps, in undamaged files.

    The files are not opened: their sizes are compared with the log.

    A part of the export that could not be read is a failure that blocks nothing: raw may hold less of it.

    `lake` is the lake after the run, `listed` the blobs of the run's last listing: another run may have read more
    since. `pending` has the length in bytes of the unterminated tail by blob path, `unreadable` the parts that the run
    could not read. The age of a tail is measured against `now`.
    """
    raw = lake.snapshot(table.raw, create=True)
    damaged = damaged_files(lake, raw, table.raw, day, opened=0)
    if damaged:
        named = [file.describe() for file in damaged[:SAMPLES]]
        return CheckOutcome(passed=False, summary=f"{describe_damage(damaged)}.", facts={"damaged_files": named})
    generation = ["blob", "blob_created_at"]
    ranges = read_ranges(raw, [day]).sort(*generation, "byte_start")
    expected = pl.col("byte_end").shift(1).over(generation).fill_null(0)
    broken = ranges.with_columns(expected=expected).filter(pl.col("byte_start") != pl.col("expected"))
    holes = [
        f"{blob}, bytes {end} to {start}"
        for blob, end, start in broken.select("blob", "expected", "byte_start").iter_rows()
        if start > end
    ]
    cursors: dict[str, list[int]] = {}
    for blob, _, cursor in ranges.group_by(generation).agg(pl.col("byte_end").max()).iter_rows():
        cursors.setdefault(blob, []).append(cursor)
    not_read = {part.path for part in unreadable}
    incomplete = [
        blob.path
        for blob in listed
        if blob.path not in not_read
        and not any(cursor >= blob.size - pending.get(blob.path, 0) for cursor in cursors.get(blob.path, [0]))
    ]
    old_tails = [path for path in sorted(pending) if pending[path] and _age(listed, path, now) > OLD_TAIL]
    facts = {
        "blobs_listed": len(listed),
        "bytes_listed": sum(blob.size for blob in listed),
        "bytes_kept": int((ranges["byte_end"] - ranges["byte_start"]).sum()),
        "bytes_pending": sum(pending.values()),
        "blobs_off_balance": incomplete[:SAMPLES],
        "blobs_with_holes": broken["blob"].unique().sort().head(SAMPLES).to_list(),
        "holes": holes[:SAMPLES],
        "tails_older_than_a_day": old_tails[:SAMPLES],
        "unreadable": [{"part": part.where, "reason": part.reason} for part in unreadable[:SAMPLES]],
    }
    if broken.height and not incomplete and set(broken["blob"]).isdisjoint(blob.path for blob in listed):
        lost = "; ".join(first_few(holes, SAMPLES))
        summary = f"Bytes of a damaged file are lost, because the account no longer has their blob: {lost}."
        return CheckOutcome(passed=False, summary=summary, facts=facts)
    if incomplete or broken.height:
        summary = (
            f"Blobs not kept up to their last newline: {len(incomplete)}; gaps or overlaps: {broken.height}. "
            "Run `refresh_day` for the day and report this as a bug."
        )
        return CheckOutcome(passed=False, summary=summary, facts=facts)
    if unreadable:
        return CheckOutcome(passed=False, summary=_not_read(unreadable), facts=facts, warning=True)
    summary = f"Every byte of {pluralize(len(listed), 'blob')} is kept or pending"
    if old_tails:
        waiting = "has waited for its" if len(old_tails) == 1 else "have waited for their"
        summary += f"; {pluralize(len(old_tails), 'tail')} {waiting} newline for over a day"
    return CheckOutcome(passed=True, summary=f"{summary}.", facts=facts)


def _not_read(unreadable: Sequence[UnreadablePart]) -> str:
    # the reasons come early, because notifications show only the beginning
    named = "; ".join(first_few([part.reason for part in unreadable], NAMED))
    count = pluralize(len(unreadable), "part")
    return (
        f"{count} of the export cannot be read; the rest of the day went on. {named}. Do what this says, or "
        "leave the part out (DEFENDER_LEAVE_OUT). The sensor tries again, at least once an hour."
    )


def byte_balance_without_run(
    lake: Lake, export: Export, table: Table, day: date, listed: Sequence[Blob | UnreadablePart], now: datetime
) -> CheckOutcome | None:
    """Return the balance of a day by the state of raw and the export alone.

    None while the export has whole lines that raw lacks, or blobs that cannot be read: the next run of the day says
    whether they are kept, and until then its last result counts. Gaps and overlaps in raw fail at any time.

    Unread bytes are read from the export, at most TAIL_BYTES of each blob. `listed` are the blobs of the day, and what
    cannot be listed of it, listed before the lake is opened. The age of a tail is measured against `now`.
    """
    cursors = read_cursors(lake.snapshot(table.raw, create=True), [day])[day]
    unread = []
    blobs = [entry for entry in listed if isinstance(entry, Blob)]
    unreadable = [entry for entry in listed if isinstance(entry, UnreadablePart)]
    for blob in blobs:
        _, cursor = generation(blob, cursors.get(blob.path, {}), fixed_creation=export.fixed_creation)
        if blob.size > cursor:
            unread.append((blob, cursor))
    pending = {blob.path: blob.size - cursor for blob, cursor in unread}
    outcome = byte_balance(lake, table, day, blobs, pending, now, unreadable)
    if not outcome.passed:
        return outcome
    if len(unread) > MOST_TAILS or not all(_is_tail(export, table, blob, cursor) for blob, cursor in unread):
        return None
    return outcome


def _is_tail(export: Export, table: Table, blob: Blob, cursor: int) -> bool:
    try:
        return b"\n" not in export.read(table.container, blob, cursor, min(blob.size, cursor + TAIL_BYTES))
    except (BlobChangedError, ExportError):
        return False


def _age(listed: list[Blob], path: str, now: datetime) -> timedelta:
    return next((now - blob.changed_at for blob in listed if blob.path == path and blob.changed_at), timedelta(0))
