"""The tables derived from the typed ones, as partitions: built from what, how far back, and the one way to write them.

How a lead, a story, an OCSF event or a brief comes about stands in `leads`, `stories`, `ocsf` and `brief`.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial

import polars as pl

from defender_assets.core.brief import BRIEF_COLUMNS, BRIEF_SCHEMA, build_briefs
from defender_assets.core.brief.schema import BRIEF_LOOKBACK_DAYS
from defender_assets.core.counting import counted
from defender_assets.core.delta.conflicts import in_rounds
from defender_assets.core.delta.layouts import Layout
from defender_assets.core.delta.openings import scan_days
from defender_assets.core.lake import Commit, Lake
from defender_assets.core.leads import ALERT_LOOKBACK_DAYS, DEVICE_LOOKBACK_DAYS, LEAD_COLUMNS, LEAD_SCHEMA, build_leads
from defender_assets.core.ocsf import FINDING_COLUMNS, FINDING_SCHEMA, build_findings
from defender_assets.core.phases import Phases
from defender_assets.core.risk import Judgement
from defender_assets.core.stories import STORY_COLUMNS, STORY_LOOKBACK_DAYS, STORY_SCHEMA, build_stories
from defender_assets.core.tables import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, Column
from defender_assets.core.typed import QUARANTINE

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Upstream:
    """A table that a derived one reads: the partitions D-`days`…D."""

    name: str
    days: int


@dataclass(frozen=True)
class Derived:
    """A table whose partition D is a function of upstream partitions ≤ D and is replaced as a whole.

    Upstreams are opened in their order. `chunks` as in `Layout`.
    """

    name: str
    columns: tuple[Column, ...]
    schema: pl.Schema
    upstreams: tuple[Upstream, ...]
    build: Callable[..., pl.DataFrame]
    chunks: str | None = None

    @property
    def layout(self) -> Layout:
        """Return how the table is laid out."""
        return Layout(self.name, self.schema, chunks=self.chunks)

    def target_version(self, day: date, held: Callable[[str, date], int]) -> int:
        """Return the sum of the upstream versions, look-back included, that partition D would be built from."""
        return sum(
            held(upstream.name, day - timedelta(days=back))
            for upstream in self.upstreams
            for back in range(upstream.days + 1)
        )


LEADS = Derived(
    "device_enriched_leads",
    LEAD_COLUMNS,
    LEAD_SCHEMA,
    (
        Upstream(ALERT_INFO.name, ALERT_LOOKBACK_DAYS),
        Upstream(ALERT_EVIDENCE.name, ALERT_LOOKBACK_DAYS),
        Upstream(DEVICE_INFO.name, DEVICE_LOOKBACK_DAYS),
    ),
    build_leads,
)
STORIES = Derived(
    "lead_stories", STORY_COLUMNS, STORY_SCHEMA, (Upstream(LEADS.name, STORY_LOOKBACK_DAYS),), build_stories
)
FINDINGS = Derived(
    "ocsf_detection_findings", FINDING_COLUMNS, FINDING_SCHEMA, (Upstream(LEADS.name, 0),), build_findings
)
BRIEFS = Derived(
    "daily_briefs",
    BRIEF_COLUMNS,
    BRIEF_SCHEMA,
    (
        Upstream(LEADS.name, BRIEF_LOOKBACK_DAYS),
        Upstream(STORIES.name, 0),
        Upstream(DEVICE_INFO.name, BRIEF_LOOKBACK_DAYS),
        # Its fences are those of the typed tables, and its lines are committed before their rows: opened after the
        # leads, it holds all lines of the versions that the leads' own version counts.
        Upstream(QUARANTINE, 0),
    ),
    build_briefs,
    chunks="html",
)
DERIVED = (LEADS, STORIES, FINDINGS, BRIEFS)
"""In the order of the data's way: each after those that it reads."""


def judged_by(judgement: Judgement) -> tuple[Derived, ...]:
    """Return DERIVED with the leads as a team judges them."""
    return tuple(
        replace(derived, build=partial(derived.build, judgement=judgement)) if derived is LEADS else derived
        for derived in DERIVED
    )


@dataclass(frozen=True)
class DerivedReport:
    """The partition as it stands: its rows, its version, and whether this run wrote it. Phases: look, build, commit."""

    rows: pl.DataFrame
    version: int
    written: bool
    phases: Phases = field(default_factory=Phases)


def rebuild_day(lake: Lake, derived: Derived, day: date, *, force: bool = False) -> DerivedReport:
    """Bring partition D up to its upstreams: built from one opening of each, replaced as a whole.

    Where nothing upstream has changed since, nothing is written, unless `force`.
    """
    if not lake.keeps(day):
        return DerivedReport(pl.DataFrame(schema=derived.schema), 0, written=False)

    phases = Phases()

    def one_round() -> DerivedReport:
        with phases.phase("look"):
            target = lake.fenced(derived.name, day)
            opened = {upstream.name: lake.open(upstream.name) for upstream in derived.upstreams}
            held = {name: lake.versions(table) for name, table in opened.items()}
            version = derived.target_version(day, lambda name, of: held[name](name, of))
            if version <= target.version and not force:
                rows = scan_days(target.table, day, day).collect()
                return DerivedReport(rows, target.version, written=False, phases=phases)
        with phases.phase("build"):
            spans = [
                scan_days(opened[upstream.name], day - timedelta(days=upstream.days), day)
                for upstream in derived.upstreams
            ]
            rows = derived.build(day, *spans)
        version = max(version, target.version)
        with phases.phase("commit"):
            lake.commit(target, Commit([rows], version, replaces=""))
        logger.info(
            "%s %s: %s at version %d, %.1f s", derived.name, day, counted(rows.height, "row"), version, phases.total
        )
        return DerivedReport(rows, version, written=True, phases=phases)

    return in_rounds(one_round)
