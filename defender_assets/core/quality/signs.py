"""Signs of life: the hours in which records of each tenant arrived, from raw's log and from a listing of blobs.

No data file is opened, and no run is needed.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from defender_assets.core.export import Blob, UnreadablePart
from defender_assets.core.lake.data_files import data_files
from defender_assets.core.lake.lake import Lake
from defender_assets.core.quality.pulse import GAP_DAYS, hour_of, start_of
from defender_assets.core.schemas import DEVICE_INFO, TABLES, Table

REMEMBERED = timedelta(days=30)
"""A tenant whose last record is older has left, unless every tenant is silent."""

_HOUR = timedelta(hours=1)
_NEVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass
class Signs:
    """The hours in which records of one kind arrived, and until when."""

    hours: set[int] = field(default_factory=set)
    newest: datetime = _NEVER

    def add(self, hour: int, until: datetime) -> None:
        """Add an hour with records, of which the newest arrived at the latest at `until`."""
        self.hours.add(hour)
        self.newest = max(self.newest, until)

    def before(self, moment: datetime) -> "Signs | None":
        """Return what was known at a moment, or None if that is nothing."""
        hours = {hour for hour in self.hours if start_of(hour) < moment}
        if not hours:
            return None
        return Signs(hours, min(self.newest, moment, start_of(max(hours)) + _HOUR))


@dataclass(frozen=True)
class TenantSigns:
    """Signs of life of a tenant by table."""

    by_table: Mapping[str, Signs]

    def before(self, moment: datetime) -> "TenantSigns | None":
        """Return what was known at a moment, or None if that is nothing."""
        known = {name: earlier for name, signs in self.by_table.items() if (earlier := signs.before(moment))}
        return TenantSigns(known) if known else None

    @property
    def newest(self) -> datetime:
        return max(signs.newest for signs in self.by_table.values())

    @property
    def has_heartbeats(self) -> bool:
        """Return whether heartbeats tell of the tenant: it sent one within REMEMBERED of its newest record."""
        heartbeats = self.by_table.get(DEVICE_INFO.name)
        return heartbeats is not None and self.newest - heartbeats.newest < REMEMBERED

    @property
    def pulse(self) -> Signs:
        """Return the heartbeats, or all records of a tenant that sends none, such as one with mail only."""
        if self.has_heartbeats:
            return self.by_table[DEVICE_INFO.name]
        hours = set().union(*(signs.hours for signs in self.by_table.values()))
        return Signs(hours, self.newest)

    @property
    def pulse_containers(self) -> list[str]:
        """Return the containers in which the records of the pulse arrive."""
        names = {DEVICE_INFO.name} if self.has_heartbeats else self.by_table.keys()
        return [table.container for table in TABLES if table.name in names]


KnownSigns = Mapping[str, TenantSigns]
"""Signs of life by tenant."""


def read_signs(
    lake: Lake, now: datetime, listing: Mapping[date, list[tuple[Table, Blob | UnreadablePart]]] | None = None
) -> KnownSigns:
    """Return the signs of life in raw's logs, and in a listing of blobs, up to now.

    Missing tables count as empty. What arrives after `now`, by a clock that is ahead, counts as now. Blobs without
    bytes are no sign; when a blob was last written counts within its hour only, because in a directory it may be the
    time of a copy.

    Raises:
        LakeError: when a table cannot be read.
    """
    found: dict[str, dict[str, Signs]] = defaultdict(lambda: defaultdict(Signs))
    first = (now - REMEMBERED - timedelta(days=GAP_DAYS)).date()
    for table in TABLES:
        if not lake.exists(table.raw):
            continue
        files = data_files(lake.snapshot(table.raw)).filter(pl.col("export_date") >= first, pl.col("num_records") > 0)
        slots = files.select("tenant_id", "export_date", "hour").unique().drop_nulls()
        for tenant, day, hour in slots.iter_rows():
            start = datetime.combine(day, time(hour), UTC)
            if start <= now:
                found[tenant][table.name].add(hour_of(start), min(start + _HOUR, now))
    if listing is not None:
        entries = (entry for of_day in listing.values() for entry in of_day)
        _add_blobs(found, ((table, blob) for table, blob in entries if isinstance(blob, Blob)), now)
    return {tenant: TenantSigns(dict(by_table)) for tenant, by_table in found.items()}


def _add_blobs(found: dict[str, dict[str, Signs]], listed: Iterable[tuple[Table, Blob]], now: datetime) -> None:
    """Add listed blobs. The last write of the newest says when its last record arrived; raw only knows the hour."""
    newest: dict[tuple[str, str], tuple[datetime, datetime]] = {}
    for table, blob in listed:
        start = datetime.combine(blob.day, time(blob.hour), UTC)
        if not blob.size or start > now:
            continue
        end = min(start + _HOUR, now)
        written = min(max(blob.changed_at or end, start), end)
        found[blob.tenant_id][table.name].hours.add(hour_of(start))
        key = blob.tenant_id, table.name
        newest[key] = max(newest.get(key, (start, written)), (start, written))
    for (tenant, name), (start, written) in newest.items():
        signs = found[tenant][name]
        if hour_of(start) == max(signs.hours):
            signs.newest = written
