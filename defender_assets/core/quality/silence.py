"""Silence: tenants whose pulse stopped, and containers and tenants that the lake knows and the export does not show.

Judged on the hours in which records arrived: from raw's log, and from a listing of the newest blobs where there is one.
No data file is opened, and no run is needed.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from defender_assets.core.errors import ExportError
from defender_assets.core.export import Blob, Export, UnreadablePart
from defender_assets.core.lake.data_files import data_files
from defender_assets.core.lake.lake import Lake
from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.quality.pulse import GAP_DAYS, hour_of, silent_from, start_of
from defender_assets.core.schemas import DEVICE_INFO, TABLES, Table
from defender_assets.core.text import escape_control_chars, format_duration, pluralize

REMEMBERED = timedelta(days=30)
"""A tenant whose last record is older has left, unless every tenant is silent."""

RECENT_FOLDER = timedelta(days=7)
"""The folder of a tenant without newer records may have been emptied by a lifecycle rule."""

EXPORT = "export"
"""The subject of a result about the whole export. Others are `tenant …`, `container …` and `folder of tenant …`."""

_FOLDER = "folder of "

_HOUR = timedelta(hours=1)
_NEVER = datetime(1, 1, 1, tzinfo=UTC)
ADVICE = (
    "Check the Streaming API in the Defender portal, the firewall and keys of the account, and its newest blobs "
    "(`defender-assets check`)."
)


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

    Args:
        lake: missing tables count as empty.
        now: what arrives later, by a clock that is ahead, counts as now.
        listing: blobs by day; those without bytes are no sign. When a blob was last written counts within its hour
            only, because in a directory it may be the time of a copy.

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


def tenant_silences(known: KnownSigns, at: datetime) -> dict[str, CheckOutcome]:
    """Return for each tenant whether it was silent at a moment for longer than its pulse allows.

    Tenants that have left are not in the result.
    """
    then = {tenant: earlier for tenant, signs in known.items() if (earlier := signs.before(at))}
    alive = any(at - signs.newest < REMEMBERED for signs in then.values())
    return {
        tenant: _judged(tenant, signs, at)
        for tenant, signs in sorted(then.items())
        if not alive or at - signs.newest < REMEMBERED
    }


def _judged(tenant: str, signs: TenantSigns, at: datetime) -> CheckOutcome:
    pulse = signs.pulse
    due = silent_from(pulse.hours, pulse.newest, heartbeats=signs.has_heartbeats)
    what = "heartbeat" if signs.has_heartbeats else "record"
    silent = format_duration((at - pulse.newest).total_seconds())
    facts = {"newest": pulse.newest.isoformat(), "silent_from": due.isoformat()}
    if at < due:
        return CheckOutcome(passed=True, summary=f"{tenant}: the last {what} arrived {silent} before.", facts=facts)
    usual = format_duration((due - pulse.newest).total_seconds())
    summary = f"{tenant} sent no {what} for {silent}; after {usual} its silence is a fault. {ADVICE}"
    return CheckOutcome(passed=False, summary=summary, facts=facts)


def quiet_or_broken(known: KnownSigns, day: date) -> CheckOutcome:
    """Return whether no tenant was silent for too long at the end of a day that is over."""
    end = datetime.combine(day + timedelta(days=1), time.min, UTC)
    outcomes = tenant_silences(known, end)
    silent = {tenant: outcome for tenant, outcome in outcomes.items() if not outcome.passed}
    facts = {
        "tenants": len(outcomes),
        "silent_minutes": {
            tenant: _minutes(end - datetime.fromisoformat(outcome.facts["newest"]))
            for tenant, outcome in silent.items()
        },
    }
    summary = f"Heartbeats are current for {pluralize(len(outcomes), 'tenant')}."
    if silent:
        summary = (
            f"{pluralize(len(silent), 'tenant')} sent nothing at the end of the day for longer than usual: the export "
            f"was broken, not quiet. {ADVICE}"
        )
    return CheckOutcome(not silent, summary, facts, silence=True)


@dataclass(frozen=True)
class Shown:
    """What an export shows: its containers (None: the credentials do not say), and the tenants of each.

    What `unreadable` containers hold is unknown.
    """

    containers: frozenset[str] | None
    tenants: Mapping[str, frozenset[str]]
    unreadable: frozenset[str] = frozenset()


def look_at(export: Export) -> Shown:
    """Return what the export shows; a container that cannot be listed is unknown.

    Raises:
        ExportError: when no container can be listed.
    """
    tenants: dict[str, frozenset[str]] = {}
    failure: ExportError | None = None
    for table in TABLES:
        try:
            tenants[table.container] = frozenset(name.lower() for name in export.tenants(table.container))
        except ExportError as error:
            failure = error
    if failure is not None and not tenants:
        raise failure
    unreadable = frozenset(table.container for table in TABLES) - tenants.keys()
    try:
        containers = frozenset(export.containers())
    except ExportError:
        # listing the containers needs a permission that listing the blobs does not
        return Shown(None, tenants, unreadable)
    return Shown(containers, tenants, unreadable)


def missing_parts(known: KnownSigns, shown: Shown, at: datetime) -> dict[str, CheckOutcome]:
    """Return for each container, and each tenant's folder in it, that raw knows, whether the export shows it.

    A folder counts while raw's newest record of it is younger than RECENT_FOLDER; a container for as long as raw's
    newest record of it is younger than REMEMBERED, and always if that holds for no container.
    """
    newest: dict[str, dict[str, datetime]] = {}
    for table in TABLES:
        of_table = {
            tenant: signs.by_table[table.name].newest for tenant, signs in known.items() if table.name in signs.by_table
        }
        if of_table:
            newest[table.container] = of_table
    any_recent = any(at - moment < REMEMBERED for moments in newest.values() for moment in moments.values())
    outcomes = {}
    for container, moments in newest.items():
        last = max(moments.values())
        if container in shown.unreadable or (any_recent and at - last >= REMEMBERED):
            continue
        shown_tenants = shown.tenants.get(container, frozenset())
        exists = bool(shown_tenants) or (shown.containers is not None and container in shown.containers)
        # without a list of the containers, an empty one may have been emptied by a lifecycle rule
        gone = not exists and (shown.containers is not None or at - last < RECENT_FOLDER)
        outcomes[f"container {container}"] = _shown(f"container {container}", last, gone=gone)
        for tenant, moment in sorted(moments.items()):
            if exists and at - moment < RECENT_FOLDER:
                what = f"{_FOLDER}tenant {tenant} in {container}"
                outcomes[what] = _shown(what, moment, gone=tenant not in shown_tenants)
    return outcomes


def _shown(what: str, last: datetime, *, gone: bool) -> CheckOutcome:
    if not gone:
        return CheckOutcome(passed=True, summary=f"The export shows {what}.")
    summary = (
        f"The export no longer shows {what}, of which the lake has records up to {last:%Y-%m-%d %H:%M} UTC: the "
        "container was deleted, the export goes elsewhere, or a disk is not mounted. What the lake has stays there. "
        f"{ADVICE}"
    )
    return CheckOutcome(passed=False, summary=summary)


def silences(known: KnownSigns, shown: Shown, now: datetime) -> dict[str, CheckOutcome]:
    """Return by subject whether each tenant is silent for too long now, and whether each known part is shown.

    Where the containers of a tenant's pulse are gone, they are the fault: nothing is said of the tenant.
    """
    parts = missing_parts(known, shown, now)

    def is_shown(container: str) -> bool:
        part = parts.get(f"container {container}")
        return part is None or part.passed

    return {
        EXPORT: CheckOutcome(passed=True, summary="The export can be listed."),
        **{
            f"tenant {tenant}": outcome
            for tenant, outcome in tenant_silences(known, now).items()
            if any(map(is_shown, known[tenant].pulse_containers))
        },
        **parts,
    }


def outage_of(subject: str) -> str:
    """Return what a subject of a silence is a part of: a tenant, a container or the export. It has one notice.

    >>> outage_of("folder of tenant t in insights-logs-advancedhunting-alertinfo")
    'tenant t'
    >>> outage_of("container insights-logs-advancedhunting-alertinfo")
    'container insights-logs-advancedhunting-alertinfo'
    """
    if subject.startswith(_FOLDER):
        return subject.removeprefix(_FOLDER).partition(" in ")[0]
    return subject


def unlistable(error: ExportError) -> CheckOutcome:
    """Return the outcome for an export that cannot be listed; the text of the error holds no secret."""
    return CheckOutcome(passed=False, summary=f"The export cannot be listed: {escape_control_chars(str(error))}")


def _minutes(delay: timedelta) -> int:
    return round(delay.total_seconds() / 60)
