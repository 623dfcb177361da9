"""Facts about the export: containers, tenants, freshness, and whether the newest lines can be parsed."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from defender_assets.core.errors import ExportError
from defender_assets.core.export import AzureExport, Blob, BlobChangedError, Export
from defender_assets.core.quality.silence import Shown
from defender_assets.core.raw.batches import Source
from defender_assets.core.schemas import TABLES, Table
from defender_assets.core.tables.parsing.typed_rows import parse_chunk

if TYPE_CHECKING:
    from defender_assets.core.pipeline.staleness import Listing

# bytes read from the end of the newest blob; more if they contain no complete line
_SAMPLES = (64 * 1024, 1024 * 1024, 16 * 1024 * 1024)


@dataclass(frozen=True)
class Sample:
    """Counts of the last lines of the newest blob, `reasons` of the quarantined ones, and the newest record's time."""

    bytes: int
    good: int
    quarantined: int
    reasons: tuple[str, ...]
    newest_record_at: datetime | None


@dataclass
class ContainerFacts:
    """One container. `exists` is None if the credentials do not show whether it is missing or empty."""

    container: str
    table: str
    exists: bool | None = None
    tenants: list[str] = field(default_factory=list)
    blobs: int = 0
    bytes: int = 0
    days: int = 0
    days_before_start: int = 0
    first_day: date | None = None
    newest_blob: str | None = None
    age_seconds: int | None = None
    sample: Sample | None = None


@dataclass
class ExportFacts:
    """The export. `error` says why it cannot be read; the other fields are then incomplete.

    `clock_ahead_seconds`: by how much this machine's clock is ahead of the account's.
    """

    where: str
    error: str | None = None
    clock_ahead_seconds: int | None = None
    containers: list[ContainerFacts] = field(default_factory=list)

    @property
    def tenants(self) -> list[str]:
        """Return the tenants of all containers, lower case."""
        return sorted({tenant.lower() for container in self.containers for tenant in container.tenants})

    @property
    def shown(self) -> Shown:
        """Return the containers, unless the credentials do not show which exist, and the tenants of each."""
        names = frozenset(container.container for container in self.containers if container.exists)
        known = all(container.exists is not None for container in self.containers)
        tenants = {
            container.container: frozenset(tenant.lower() for tenant in container.tenants)
            for container in self.containers
        }
        return Shown(names if known else None, tenants)


def inspect_export(export: Export, start: date, now: datetime) -> tuple[ExportFacts, "Listing"]:
    """Return the facts, and every blob by day."""
    facts = ExportFacts(export.describe())
    listing: defaultdict[date, list[tuple[Table, Blob]]] = defaultdict(list)
    try:
        for table in TABLES:
            container = ContainerFacts(table.container, table.name, tenants=export.tenants(table.container))
            blobs = list(export.all_blobs(table.container)) if container.tenants else []
            for blob in blobs:
                listing[blob.day].append((table, blob))
            _count(container, blobs, start)
            _freshness(container, export, table, blobs, now)
            facts.containers.append(container)
        _which_exist(facts.containers, export)
        if isinstance(export, AzureExport) and (service_time := export.service_time(TABLES[0].container)):
            facts.clock_ahead_seconds = round((datetime.now(UTC) - service_time).total_seconds())
    except ExportError as error:
        facts.error = str(error)
    return facts, listing


def _count(container: ContainerFacts, blobs: Sequence[Blob], start: date) -> None:
    days = {blob.day for blob in blobs}
    container.blobs, container.bytes = len(blobs), sum(blob.size for blob in blobs)
    container.days, container.first_day = len(days), min(days, default=None)
    container.days_before_start = sum(day < start for day in days)


def _freshness(container: ContainerFacts, export: Export, table: Table, blobs: Sequence[Blob], now: datetime) -> None:
    newest = max((blob for blob in blobs if blob.size), key=lambda blob: (blob.day, blob.hour, blob.path), default=None)
    if newest is None:
        return
    container.newest_blob = newest.path
    container.sample = _sample(export, table, newest)
    at = container.sample.newest_record_at if container.sample else None
    at = at or datetime.combine(newest.day, time(newest.hour), UTC)
    container.age_seconds = max(0, int((now - at).total_seconds()))


def _sample(export: Export, table: Table, blob: Blob) -> Sample | None:
    """Return a sample of the blob's last complete lines; None if there are none or the blob changed meanwhile."""
    for size in _SAMPLES:
        start = max(0, blob.size - size)
        try:
            content = export.read(table.container, blob, start, blob.size)
        except BlobChangedError:
            return None
        complete = content[: content.rfind(b"\n") + 1]
        first = 0 if start == 0 else complete.find(b"\n") + 1
        if complete[first:].strip():
            source = Source(blob.tenant_id, blob.day, blob.path, blob.created_at, start + first, 0)
            parsed = parse_chunk(table, source, complete[first:])
            reasons = parsed.quarantined["reason"].unique().sort().to_list()
            newest = parsed.rows["exported_at"].max()
            return Sample(
                len(complete) - first,
                parsed.tally.good,
                parsed.tally.quarantined,
                tuple(reasons),
                newest if isinstance(newest, datetime) else None,
            )
        if start == 0:
            break
    return None


def _which_exist(containers: Sequence[ContainerFacts], export: Export) -> None:
    for container in containers:
        container.exists = True if container.tenants else None
    if all(container.exists for container in containers):
        return
    try:
        names = export.containers()
    except ExportError:
        # listing containers needs a permission that reading them does not
        return
    for container in containers:
        container.exists = container.exists or container.container in names
