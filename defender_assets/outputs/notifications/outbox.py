"""What has been told to whom, read out of `sent_notices` and written to it behind one fence. What is news: `news`.

All entries go through a single fence, whatever their day: two notifiers that read the same state cannot both write to
it, not even around midnight. The loser starts again from the opening and sees what the winner has claimed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import polars as pl

from defender_assets.core.lake.lake import Commit, FencedTable, Lake
from defender_assets.core.lake.snapshots import scan
from defender_assets.core.retries import retry_on_conflict
from defender_assets.outputs.notifications.schema import NOTICE_SCHEMA, SENT_NOTICES

FENCE = SENT_NOTICES
OUTBOX_DAYS = 60
"""How many days of entries are read: what was told longer ago than that may be told again when it changes."""

CLAIMED, SENT, RELEASED, REFUSED, RECOVERED = "claimed", "sent", "released", "refused", "recovered"
WATCH, WATCHING = "watch", "watching"
PAUSE, WAITING, READY = "pause", "waiting", "ready"

_SUBJECT = ("destination", "kind", "tenant_id", "subject_id")


@dataclass(frozen=True)
class NotificationKey:
    """What a notice is about, at one destination."""

    destination: str
    kind: str
    tenant_id: str | None
    subject_id: str


@dataclass(frozen=True)
class Entry:
    """A step of a notice."""

    subject: NotificationKey
    state: str
    notice_id: str | None = None
    lead_ids: tuple[str, ...] = ()
    until: datetime | None = None
    attempts: int = 0
    since: date | None = None
    sent_at: datetime | None = None


CLOCKS_APART = timedelta(minutes=10)
"""How far the clocks of two notifiers may differ."""


@dataclass(frozen=True)
class DeliveryState:
    """How a subject stands at a destination. `told` are the leads that were sent, `times` how many notices were."""

    state: str | None = None
    until: datetime | None = None
    attempts: int = 0
    since: date | None = None
    written_at: datetime | None = None
    told: frozenset[str] = frozenset()
    times: int = 0
    sent_at: datetime | None = None

    def held_back(self, now: datetime) -> bool:
        """Return whether another notifier has claimed it, or the pause after a failed attempt is not over.

        What was written by a clock far ahead of this one holds nothing back.
        """
        if self.state not in {CLAIMED, REFUSED, WAITING} or self.until is None:
            return False
        return now < self.until and (self.written_at is None or self.written_at - now < CLOCKS_APART)


@dataclass(frozen=True)
class Outbox:
    """How every subject stands, as of one opening of the table."""

    states: dict[NotificationKey, DeliveryState]

    def of(self, subject: NotificationKey) -> DeliveryState:
        """Return how a subject stands; one that was never heard of has neither state nor notices."""
        return self.states.get(subject, DeliveryState())

    def subjects(self, destination: str, kind: str) -> Iterator[tuple[NotificationKey, DeliveryState]]:
        """Yield the known subjects of a kind at a destination."""
        for subject, standing in self.states.items():
            if (subject.destination, subject.kind) == (destination, kind):
                yield subject, standing


def read_outbox(entries: pl.LazyFrame, today: date) -> Outbox:
    """Return how the subjects stand after the entries of the last OUTBOX_DAYS days."""
    sent = pl.col("state") == SENT
    subjects = (
        entries.filter(pl.col("export_date") >= today - timedelta(days=OUTBOX_DAYS))
        .sort("entry")
        .group_by(_SUBJECT)
        .agg(
            pl.col("state", "until", "attempts", "since", "written_at").last(),
            told=pl.col("lead_ids").filter(sent),
            times=sent.sum(),
            sent_at=pl.col("sent_at").max(),
        )
        .collect()
    )
    states = {}
    for row in subjects.iter_rows(named=True):
        subject = NotificationKey(*(row.pop(name) for name in _SUBJECT))
        told = frozenset(lead for leads in row.pop("told") for lead in leads or ())
        states[subject] = DeliveryState(**{**row, "told": told, "attempts": row["attempts"] or 0})
    return Outbox(states)


def open_outbox(lake: Lake, now: datetime) -> tuple[FencedTable, Outbox]:
    """Return the table opened behind its fence, and how the subjects stand in exactly this opening."""
    target = lake.fenced(SENT_NOTICES, now.date(), FENCE)
    return target, read_outbox(scan(target.table), now.date())


def look_at_outbox(lake: Lake, now: datetime) -> Outbox:
    """Return how the subjects stand, without a right to write."""
    return read_outbox(lake.read(SENT_NOTICES), now.date())


def append(lake: Lake, target: FencedTable, entries: Iterable[Entry], now: datetime) -> None:
    """Add entries on the opening that they were decided on.

    Raises:
        CommitFailedError: when another notifier wrote first; decide again on a fresh opening.
        LakeError: for everything else.
    """
    version = target.version + 1
    rows = [_row(entry, target.day, version, now) for entry in entries]
    lake.commit(target, Commit([pl.DataFrame(rows, schema=NOTICE_SCHEMA, orient="row")], version))


def record(lake: Lake, entries: Iterable[Entry], now: datetime) -> None:
    """Add entries that tell what has happened: they hold whatever was written meanwhile."""
    told = tuple(entries)
    retry_on_conflict(lambda: append(lake, lake.fenced(SENT_NOTICES, now.date(), FENCE), told, now))


def sent(entry: Entry, now: datetime) -> Entry:
    """Return the step after a claim that the receiver said yes to."""
    return replace(entry, state=SENT, until=None, attempts=0, sent_at=now)


def _row(entry: Entry, day: date, version: int, now: datetime) -> dict[str, object]:
    subject = entry.subject
    return {
        "tenant_id": subject.tenant_id,
        "export_date": day,
        "entry": version,
        "notice_id": entry.notice_id,
        "kind": subject.kind,
        "subject_id": subject.subject_id,
        "destination": subject.destination,
        "state": entry.state,
        "lead_ids": list(entry.lead_ids),
        "until": entry.until,
        "attempts": entry.attempts,
        "since": entry.since,
        "written_at": now.astimezone(UTC),
        "sent_at": entry.sent_at,
    }
