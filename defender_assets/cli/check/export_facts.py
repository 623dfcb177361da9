"""Facts about the export: containers, tenants, freshness, what is not read, and whether the newest lines are parsed."""

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from defender_assets.core.errors import ExportError, UnreadableError
from defender_assets.core.export import Blob, BlobChangedError, DirectoryExport, Export, IgnoredFile, UnreadablePart
from defender_assets.core.export.leave_out import LeaveOutRule, rule_for
from defender_assets.core.quality.shown_parts import Shown
from defender_assets.core.raw.batches import Source
from defender_assets.core.schemas import TABLES, Table
from defender_assets.core.tables.parsing.typed_rows import parse_chunk
from defender_assets.core.text import escape_control_chars

if TYPE_CHECKING:
    from defender_assets.core.pipeline.staleness import Listing

# newest blobs of a container that are tried, one after the other, until one can be read
_TRIED = 3
_LONGEST_PATH = 120
_CLOCK_TOLERANCE = timedelta(hours=1)
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
    """One container. `exists` is None if the credentials do not show whether it is missing or empty.

    `future_blobs` counts the blobs of hours that have not begun, and `future_sample` is the path of one. `unreadable`
    are the parts that cannot be read, `left_out` the blobs that each rule leaves out, `ignored` the files of each kind
    that are not read, and `ignored_sample` one path of each kind.
    """

    container: str
    table: str
    exists: bool | None = None
    tenants: list[str] = field(default_factory=list)
    blobs: int = 0
    bytes: int = 0
    days: int = 0
    days_before_start: int = 0
    first_day: date | None = None
    future_blobs: int = 0
    future_sample: str | None = None
    newest_blob: str | None = None
    age_seconds: int | None = None
    sample: Sample | None = None
    unreadable: list[UnreadablePart] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    ignored: dict[str, int] = field(default_factory=dict)
    ignored_sample: dict[str, str] = field(default_factory=dict)


@dataclass
class ExportFacts:
    """The export. `error` says why it cannot be read; the other fields are then incomplete.

    `exists` is false for a directory that is not there (yet).
    `clock_ahead_seconds`: by how much this machine's clock is ahead of the account's.
    """

    where: str
    error: str | None = None
    exists: bool = True
    clock_ahead_seconds: int | None = None
    containers: list[ContainerFacts] = field(default_factory=list)

    @property
    def tenants(self) -> list[str]:
        """Return the tenants of all containers, lower case."""
        return sorted({tenant.lower() for container in self.containers for tenant in container.tenants})

    @property
    def shown(self) -> Shown:
        """Return the containers, unless the credentials do not show them, and the tenants of each."""
        names = frozenset(container.container for container in self.containers if container.exists)
        known = all(container.exists is not None for container in self.containers)
        tenants = {
            container.container: frozenset(tenant.lower() for tenant in container.tenants)
            for container in self.containers
        }
        unreadable = (part.container for container in self.containers for part in container.unreadable if not part.path)
        return Shown(names if known else None, tenants, frozenset(unreadable))


def inspect_export(
    export: Export, rules: tuple[LeaveOutRule, ...], start: date, now: datetime
) -> tuple[ExportFacts, "Listing"]:
    """Return the facts, and every blob by day, without those that the rules leave out."""
    facts = ExportFacts(
        export.describe(), exists=not isinstance(export, DirectoryExport) or os.path.lexists(export.root)
    )
    listing: defaultdict[date, list[tuple[Table, Blob | UnreadablePart]]] = defaultdict(list)
    try:
        for table in TABLES:
            container = ContainerFacts(table.container, table.name)
            facts.containers.append(container)
            try:
                container.tenants = export.tenants(table.container)
                entries = _entries(container, export, rules, now.date())
            except UnreadableError as error:
                part = UnreadablePart(table.container, "", str(error))
                if rule_for(rules, table.container, part, now.date()) is None:
                    container.unreadable.append(part)
                continue
            blobs = [entry for entry in entries if isinstance(entry, Blob)]
            for entry in entries:
                if entry.day:
                    listing[entry.day].append((table, entry))
            _count(container, blobs, start)
            _note_future(container, blobs, now)
            _freshness(container, export, table, blobs, now)
        facts.error = _nothing_readable(facts.containers)
        if facts.error is None:
            _which_exist(facts.containers, export)
            if service_time := export.service_time():
                facts.clock_ahead_seconds = round((datetime.now(UTC) - service_time).total_seconds())
    except ExportError as error:
        facts.error = str(error)
    return facts, listing


def _entries(
    container: ContainerFacts, export: Export, rules: tuple[LeaveOutRule, ...], today: date
) -> list[Blob | UnreadablePart]:
    """Return what is to be read; note what is left out, and what is not read because of its name."""
    left_out: Counter[str] = Counter()
    ignored: Counter[str] = Counter()
    entries: list[Blob | UnreadablePart] = []
    for entry in export.all_entries(container.container) if container.tenants else ():
        rule = rule_for(rules, container.container, entry, today)
        if isinstance(entry, IgnoredFile):
            _note_ignored(container, ignored, entry)
        elif rule is not None:
            left_out[rule.path] += 1
        else:
            entries.append(entry)
    for entry in export.outside(container.container):
        _note_ignored(container, ignored, entry)
    container.left_out, container.ignored = dict(left_out), dict(ignored)
    container.unreadable += [entry for entry in entries if isinstance(entry, UnreadablePart)]
    return entries


def _note_ignored(container: ContainerFacts, counts: Counter[str], file: IgnoredFile) -> None:
    counts[file.kind.value] += 1
    container.ignored_sample.setdefault(file.kind.value, escape_control_chars(file.path)[:_LONGEST_PATH])


def _nothing_readable(containers: Sequence[ContainerFacts]) -> str | None:
    """Return the error of an export of which something should be readable, but no sample could be read; else None."""
    reasons = [part.reason for container in containers for part in container.unreadable]
    return reasons[0] if reasons and not any(container.sample for container in containers) else None


def _count(container: ContainerFacts, blobs: Sequence[Blob], start: date) -> None:
    days = {blob.day for blob in blobs}
    container.blobs, container.bytes = len(blobs), sum(blob.size for blob in blobs)
    container.days, container.first_day = len(days), min(days, default=None)
    container.days_before_start = sum(day < start for day in days)


def _note_future(container: ContainerFacts, blobs: Sequence[Blob], now: datetime) -> None:
    future = [blob for blob in blobs if datetime.combine(blob.day, time(blob.hour), UTC) > now + _CLOCK_TOLERANCE]
    container.future_blobs = len(future)
    if future:
        container.future_sample = escape_control_chars(max(future, key=lambda blob: (blob.day, blob.hour)).path)


def _freshness(container: ContainerFacts, export: Export, table: Table, blobs: Sequence[Blob], now: datetime) -> None:
    by_age = sorted((blob for blob in blobs if blob.size), key=lambda blob: (blob.day, blob.hour, blob.path))
    # blobs of a later day are not read before that day, and say nothing of how old the newest record is
    by_age = [blob for blob in by_age if blob.day <= now.date()] or by_age
    if not by_age:
        return
    for newest in by_age[: -_TRIED - 1 : -1]:
        container.newest_blob = newest.path
        try:
            container.sample = _sample(export, table, newest)
            break
        except UnreadableError as error:
            container.unreadable.append(UnreadablePart(table.container, newest.path, str(error)))
    newest = by_age[-1]
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
