"""Observations of the containers: what a tick of the sensor has listed of their recent days.

The last observation in Dagster's event log is the only state. If it is lost, the container is observed once more.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from defender_assets.core.export.blobs import Blob, UnreadablePart
from defender_assets.core.export.timed_listing import TimedListing
from defender_assets.core.schemas import TABLES

OBSERVED_EVERY = timedelta(minutes=10)
OBSERVED_DAYS = 8
"""The most recent days at most: an event has a few kilobytes."""

_DAYS = "days"
_COLUMNS = ("day", "blobs", "bytes", "newest_blob", "written_at")
NO_BLOBS = "no blobs on these days"


@dataclass(frozen=True)
class ContainerDay:
    """What a container holds of a day: the number of blobs, their bytes, and the newest of them."""

    blobs: int
    size: int
    newest: str
    written_at: str


Contents = Mapping[date, ContainerDay]


def observe(
    instance: dg.DagsterInstance, listing: TimedListing, days: Sequence[date], now: datetime
) -> list[dg.AssetObservation]:
    """Return an observation of each container whose size or number of blobs changed since its last observation.

    A day that this tick has not listed completely counts as it was last observed.

    Args:
        instance: whose event log has the last observations.
        listing: of this tick.
        days: the days of the look-back, oldest first; the last OBSERVED_DAYS of them are observed.
        now: the time of the tick (UTC).
    """
    observations = []
    for table in TABLES:
        # from a string, Dagster makes a key of several parts: it splits at each hyphen
        container = dg.AssetKey(table.container)
        last = _last_observation(instance, container)
        if last is not None and timedelta(0) <= now - last[0] < OBSERVED_EVERY:
            continue
        known = last[1] if last is not None else {}
        current: dict[date, ContainerDay] = {}
        for day in days[-OBSERVED_DAYS:]:
            of_day = [entry for of, entry in listing.days.get(day, []) if of is table]
            contents = _contents(of_day) if day in listing.days and day not in listing.incomplete else None
            if contents := contents or known.get(day):
                current[day] = contents
        if current and _totals(current) != (_totals(known) if last is not None else None):
            observations.append(dg.AssetObservation(container, metadata=_metadata(current)))
    return observations


def _contents(entries: Iterable[Blob | UnreadablePart]) -> ContainerDay | None:
    """Return what is listed of a day; None if nothing but parts that cannot be listed."""
    listed = list(entries)
    blobs = [entry for entry in listed if isinstance(entry, Blob)]
    if not blobs:
        return None if listed else ContainerDay(0, 0, "", "")
    newest = max(blobs, key=lambda blob: (blob.hour, blob.changed_at or blob.created_at, blob.path))
    written_at = f"{newest.changed_at or newest.created_at:%Y-%m-%d %H:%M:%S}"
    return ContainerDay(len(blobs), sum(blob.size for blob in blobs), newest.path, written_at)


def _totals(contents: Contents) -> list[tuple[date, int, int]]:
    return [(day, each.blobs, each.size) for day, each in sorted(contents.items())]


def _metadata(contents: Contents) -> dict[str, dg.MetadataValue | str | int]:
    newest_first = sorted(contents.items(), reverse=True)
    newest = next((each for _, each in newest_first if each.blobs), None)
    records = [
        dg.TableRecord(
            {
                "day": day.isoformat(),
                "blobs": each.blobs,
                "bytes": each.size,
                "newest_blob": each.newest,
                "written_at": each.written_at,
            }
        )
        for day, each in newest_first
    ]
    schema = dg.TableSchema([dg.TableColumn(name, "string") for name in _COLUMNS])
    return {
        "newest_blob": newest.newest if newest else NO_BLOBS,
        **({"newest_blob_written_at": f"{newest.written_at} UTC"} if newest else {}),
        "bytes": sum(each.size for each in contents.values()),
        "blobs": sum(each.blobs for each in contents.values()),
        _DAYS: dg.MetadataValue.table(records, schema),
    }


def _last_observation(instance: dg.DagsterInstance, container: dg.AssetKey) -> tuple[datetime, Contents] | None:
    """Return when a container was last observed, and what was seen; nothing of an observation that others reported."""
    for record in instance.fetch_observations(container, limit=1).records:
        observation = record.asset_observation
        table = observation.metadata.get(_DAYS) if observation else None
        rows = [dict(row.data) for row in table.records] if isinstance(table, dg.TableMetadataValue) else []
        try:
            contents = {
                date.fromisoformat(str(row["day"])): ContainerDay(
                    int(str(row["blobs"])), int(str(row["bytes"])), str(row["newest_blob"]), str(row["written_at"])
                )
                for row in rows
            }
        except (KeyError, ValueError):
            contents = {}
        return datetime.fromtimestamp(record.timestamp, UTC), contents
    return None
