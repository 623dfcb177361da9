"""What was sent to each destination: `sent_notices` is read into delivery states and appended to behind one fence.

All entries share this fence, whatever their day: of two notifiers that read the same state only one can commit, also
around midnight. The other starts again with a new read and sees what the first one has claimed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from defender_assets.core.lake.damage import naming_damage
from defender_assets.core.lake.lake import Commit, FencedTable, Lake
from defender_assets.core.lake.snapshots import scan
from defender_assets.core.retries import MAX_CLOCK_SKEW, retry_on_conflict
from defender_assets.outputs.notifications.schema import NOTICE_SCHEMA, SENT_NOTICES

FENCE = SENT_NOTICES
OUTBOX_DAYS = 60
"""Days of entries that are read. What was sent earlier may be sent again when it changes."""

CLAIMED, SENT, RELEASED, REFUSED, RECOVERED = "claimed", "sent", "released", "refused", "recovered"
WATCH, WATCH_PRIORITY, WATCHING = "watch", "watch_priority", "watching"
PAUSE, WAITING, READY = "pause", "waiting", "ready"

_ALL_DAYS = {SENT_NOTICES: (date.min, date.max)}
_KEY = ("destination", "kind", "tenant_id", "subject_id")


@dataclass(frozen=True)
class NotificationKey:
    """Identifies what a notification is about, at one destination."""

    destination: str
    kind: str
    tenant_id: str | None
    subject_id: str


@dataclass(frozen=True)
class Entry:
    """One step of a notification."""

    key: NotificationKey
    state: str
    notice_id: str | None = None
    lead_ids: tuple[str, ...] = ()
    until: datetime | None = None
    attempts: int = 0
    since: date | None = None
    sent_at: datetime | None = None


@dataclass(frozen=True)
class DeliveryState:
    """The newest step for a key, the leads that were sent for it, and in how many notifications.

    `known_as` is the newest of the steps SENT and RECOVERED: what the receiver knows, whatever is on its way.
    """

    state: str | None = None
    known_as: str | None = None
    until: datetime | None = None
    attempts: int = 0
    since: date | None = None
    written_at: datetime | None = None
    sent_lead_ids: frozenset[str] = frozenset()
    sent_count: int = 0
    sent_at: datetime | None = None

    def is_blocked(self, now: datetime) -> bool:
        """Return whether another notifier has claimed it, or the pause after a failed attempt is not over.

        Entries from a clock that was more than MAX_CLOCK_SKEW ahead block nothing.
        """
        if self.state not in {CLAIMED, REFUSED, WAITING} or self.until is None:
            return False
        return now < self.until and (self.written_at is None or self.written_at - now < MAX_CLOCK_SKEW)


@dataclass(frozen=True)
class Outbox:
    """The delivery state of every key, from one snapshot of the table."""

    states: dict[NotificationKey, DeliveryState]

    def get(self, key: NotificationKey) -> DeliveryState:
        """Return the state of a key; an empty one if it has no entries."""
        return self.states.get(key, DeliveryState())

    def of_kind(self, destination: str, kind: str) -> Iterator[tuple[NotificationKey, DeliveryState]]:
        """Yield the keys of a kind at a destination with their states."""
        for key, delivery in self.states.items():
            if (key.destination, key.kind) == (destination, kind):
                yield key, delivery


def open_outbox(lake: Lake, now: datetime) -> tuple[FencedTable, Outbox]:
    """Return the table opened behind its fence, and the outbox of exactly this snapshot."""
    target = lake.fenced(SENT_NOTICES, now.date(), FENCE)
    with naming_damage(lake, _ALL_DAYS):
        return target, _outbox(scan(target.table), now.date())


def read_outbox(lake: Lake, now: datetime) -> Outbox:
    """Return the outbox; needs no write access."""
    with naming_damage(lake, _ALL_DAYS):
        return _outbox(lake.read(SENT_NOTICES), now.date())


def append(lake: Lake, target: FencedTable, entries: Sequence[Entry], now: datetime) -> None:
    """Append entries that were decided on the snapshot of `target`.

    Raises:
        CommitFailedError: when another notifier wrote first; decide again on a fresh snapshot.
        LakeError: for every other failure.
    """
    version = target.version + 1
    written = {"export_date": target.day, "entry": version, "written_at": now.astimezone(UTC)}
    # the fields of an entry and of its key are named like the columns
    rows = [{**vars(entry.key), **vars(entry), **written} for entry in entries]
    lake.commit(target, Commit([pl.DataFrame(rows, schema=NOTICE_SCHEMA)], version))


def record(lake: Lake, entries: Sequence[Entry], now: datetime) -> None:
    """Append entries about what has happened; they are valid whatever other notifiers wrote in the meantime."""
    retry_on_conflict(lambda: append(lake, lake.fenced(SENT_NOTICES, now.date(), FENCE), entries, now))


def _outbox(entries: pl.LazyFrame, today: date) -> Outbox:
    sent = pl.col("state") == SENT
    rows = (
        entries.filter(pl.col("export_date") >= today - timedelta(days=OUTBOX_DAYS))
        .sort("entry")
        .group_by(_KEY)
        .agg(
            pl.col("state", "until", "since", "written_at").last(),
            pl.col("attempts").last().fill_null(0),
            known_as=pl.col("state").filter(pl.col("state").is_in([SENT, RECOVERED])).last(),
            sent_lead_ids=pl.col("lead_ids").filter(sent),
            sent_count=sent.sum(),
            sent_at=pl.col("sent_at").max(),
        )
        .collect()
    )
    states = {}
    for row in rows.iter_rows(named=True):
        key = NotificationKey(*(row.pop(name) for name in _KEY))
        sent_lead_ids = frozenset(lead for leads in row.pop("sent_lead_ids") for lead in leads or ())
        states[key] = DeliveryState(**row, sent_lead_ids=sent_lead_ids)
    return Outbox(states)
