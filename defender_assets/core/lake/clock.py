"""The time by which old days and dead files may be deleted, and why it may be wrong.

A clock that is ahead makes every day old. If the storage gives its time, that time counts. A disk gives none, so the
lake's own newest times have to agree with the machine's clock.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from defender_assets.core.azure.container import service_time
from defender_assets.core.errors import LakeError
from defender_assets.core.lake.data_files import data_files
from defender_assets.core.lake.lake import Lake
from defender_assets.core.schemas import TABLES
from defender_assets.core.text import format_duration, pluralize
from defender_assets.core.whole_files import open_whole

MAX_SKEW = timedelta(hours=1)
"""By how much the machine's clock may differ from the storage's: delta-rs counts the age of files by the machine's."""
LONGEST_SILENCE = timedelta(days=14)
"""A lake on disk whose newest commit and newest day are older than this does not show that the clock is right."""
MOST_DAYS_AT_ONCE = 2
"""Usually one day leaves a lake each day. If more than two leave at once, the clock may be wrong."""
CONFIRMATION = "_clock_is_right"
"""The file in a lake on disk with the time at which somebody confirmed the clock (ISO 8601, UTC)."""
COMMAND = "defender-assets check --clock-is-right"


@dataclass(frozen=True)
class Clock:
    """The time that counts, in UTC. `doubt` says why nothing may be deleted by it, and what to do; None if it may."""

    now: datetime
    doubt: str | None = None


def read_clock(lake: Lake, answered: datetime | None = None, machine: datetime | None = None) -> Clock:
    """Return the clock by which old days and dead files of a lake may be deleted.

    The time of the lake's account counts if it is in Azure; for a lake on disk, `answered` is the time of another
    storage, such as the export's account. `machine` is by default this machine's time.

    Raises:
        LakeError: when the lake's account cannot be reached.
    """
    if lake.account:
        with lake.translate_errors("read the clock"):
            answered = service_time(lake.account, lake.uri)
    machine = machine or datetime.now(UTC)
    return _clock_of_disk(lake, machine) if answered is None else _clock_of_storage(answered, machine)


def confirm_clock(lake: Lake, now: datetime) -> None:
    """Record in a lake on disk that the machine's clock is right now.

    Raises:
        LakeError: when the lake is in an account, whose time counts, or cannot be written.
    """
    if lake.account:
        raise LakeError("the lake's account gives the time, so there is nothing to confirm: set this machine's by NTP")
    file = Path(lake.uri, CONFIRMATION)
    with lake.translate_errors("confirm the clock"):
        file.parent.mkdir(parents=True, exist_ok=True)
        with open_whole(file) as whole:
            whole.write(now.astimezone(UTC).isoformat())


def _clock_of_storage(answered: datetime, machine: datetime) -> Clock:
    off = machine - answered
    if abs(off) <= MAX_SKEW:
        return Clock(answered)
    direction = "ahead of" if off > timedelta(0) else "behind"
    return Clock(
        answered,
        f"this machine's clock is {format_duration(abs(off).total_seconds())} {direction} the account's: nothing is "
        "deleted by age until it is set right (NTP)",
    )


def _clock_of_disk(lake: Lake, machine: datetime) -> Clock:
    """Return the machine's time, and a doubt unless the lake's newest times agree with it."""
    days, commits = _times_of(lake)
    today, confirmed = machine.date(), _confirmed(lake, machine)
    newest_day = max((min(day, today) for name, day in days if name in {table.raw for table in TABLES}), default=None)
    newest_commit = max((min(commit, machine) for commit in commits), default=None)
    end_of_day = datetime.combine(newest_day, time.max, UTC) if newest_day else None
    known = [moment for moment in (newest_commit, end_of_day, confirmed) if moment]
    if known and all(machine - moment > LONGEST_SILENCE for moment in known):
        return Clock(
            machine,
            f"by this machine's clock it is {today}, but the lake's newest commit is of "
            f"{newest_commit.date() if newest_commit else 'no day'} and its newest day is {newest_day or 'none'}: "
            f"nothing is deleted by age until the clock is set right, or `{COMMAND}` confirms it",
        )
    # what leaves by the time that was confirmed is meant to leave
    since = lake.first_day(confirmed.date()) if confirmed else date.min
    leaving = {day for _, day in days if since <= day < lake.first_day(today)}
    if len(leaving) > MOST_DAYS_AT_ONCE:
        return Clock(
            machine,
            f"{pluralize(len(leaving), 'day')} of the lake ({min(leaving)} to {max(leaving)}) would be deleted at "
            f"once, because by this machine's clock it is {today}; usually one day leaves each day: nothing is "
            f"deleted by age until the clock is set right, or `{COMMAND}` confirms it",
        )
    return Clock(machine)


def _times_of(lake: Lake) -> tuple[set[tuple[str, date]], list[datetime]]:
    """Return the tables' days, and the time of each table's newest commit. A table that cannot be read is left out."""
    days: set[tuple[str, date]] = set()
    commits = []
    for spec in lake.tables:
        # maintenance of the table itself names the error
        with suppress(LakeError), lake.translate_errors(f"read the log of {spec.name}"):
            if not lake.exists(spec.name):
                continue
            table = lake.snapshot(spec.name)
            commits += [
                datetime.fromtimestamp(entry["timestamp"] / 1000, UTC)
                for entry in table.history(1)
                if isinstance(entry.get("timestamp"), int)
            ]
            if spec.daily:
                days |= {(spec.name, day) for day in data_files(table)["export_date"].drop_nulls().unique()}
    return days, commits


def _confirmed(lake: Lake, machine: datetime) -> datetime | None:
    """Return when the clock was confirmed; None if never, or in the future: then it was not right."""
    with suppress(OSError, ValueError):
        at = datetime.fromisoformat(Path(lake.uri, CONFIRMATION).read_text(encoding="ascii").strip())
        return at if at.tzinfo and at <= machine else None
    return None
