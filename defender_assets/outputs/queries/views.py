"""Views of the lake: the current leads, stories and queue, the rows of a day, states, quarantined lines.

A table that was never written is empty. Functions with `muted` include the leads that the team has muted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import polars as pl
from deltalake.exceptions import DeltaError
from polars.exceptions import PolarsError

from defender_assets.core.errors import GRANT_LAKE, LakeError, is_panic, redact
from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.table_spec import BUILT_VERSION
from defender_assets.core.leads.risk.muting import exclude_muted
from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.core.queue.build import queue_order
from defender_assets.core.queue.order import story_order, with_priority
from defender_assets.core.queue.schema import QUEUE_TABLE
from defender_assets.core.schemas import QUARANTINE
from defender_assets.core.stories.schema import STORIES_TABLE
from defender_assets.core.triage.precision import ALL_BANDS, DETECTION, verdict_counts
from defender_assets.core.triage.schema import VERDICTS_TABLE
from defender_assets.core.triage.states import current_states
from defender_assets.outputs.brief.schema import BRIEFS_TABLE
from defender_assets.outputs.ocsf.schema import FINDINGS_TABLE

_STORY = ("tenant_id", "story_id")


def current_leads(lake: Lake, until: date | None = None, *, muted: bool = False) -> pl.LazyFrame:
    """Return the latest row of each lead (up to the day `until`) with its priority, in the order of the queue."""
    latest = latest_leads(_of_days(lake.read(LEADS_TABLE), None, until))
    rows = latest if muted else exclude_muted(latest)
    return queue_order(with_priority(rows, latest_leads(_of_days(lake.read(QUEUE_TABLE), None, until))))


def current_queue(lake: Lake, until: date | None = None) -> pl.LazyFrame:
    """Return the latest entry of each lead in the queue (up to the day `until`), in its order.

    Leads that are muted since then are left out.
    """
    leads = _of_days(lake.read(LEADS_TABLE), None, until).select(*LEAD_KEY, "export_date", "muted_by")
    muted = latest_leads(leads).filter(pl.col("muted_by").is_not_null())
    entries = latest_leads(_of_days(lake.read(QUEUE_TABLE), None, until))
    return queue_order(entries.join(muted, on=LEAD_KEY, how="anti"))


def latest_leads(versions: pl.LazyFrame) -> pl.LazyFrame:
    """Return the latest row of each lead, from rows of `device_enriched_leads` or `lead_queue`."""
    return _latest(versions, LEAD_KEY)


def current_stories(lake: Lake, until: date | None = None) -> pl.LazyFrame:
    """Return the latest row of each story (up to the day `until`), without merged ones; most points first."""
    return story_order(active_stories(story_versions(lake, until=until)))


def active_stories(versions: pl.LazyFrame) -> pl.LazyFrame:
    """Return the latest row of each story, from rows of `lead_stories`, without merged ones.

    A story was merged if each of its leads is in a newer row of another story.
    """
    lead = ["tenant_id", "lead_ids"]
    newest = versions.explode("lead_ids").group_by(lead).agg(newest=pl.col("export_date").max())
    latest = _latest(versions, _STORY)
    unmerged = latest.explode("lead_ids").join(newest, on=lead).filter(pl.col("export_date") == pl.col("newest"))
    return latest.join(unmerged, on=_STORY, how="semi")


def lead_versions(
    lake: Lake, *, day: date | None = None, until: date | None = None, muted: bool = False
) -> pl.LazyFrame:
    """Return all rows of the leads, or those of a day, or those up to the day `until`, in the order of the queue.

    The priority of each row is that of its own day.
    """
    rows = _of_days(lake.read(LEADS_TABLE), day, until)
    entries = _of_days(lake.read(QUEUE_TABLE), day, until)
    return queue_order(with_priority(rows if muted else exclude_muted(rows), entries, on=(*LEAD_KEY, "export_date")))


def story_versions(lake: Lake, *, day: date | None = None, until: date | None = None) -> pl.LazyFrame:
    """Return all rows of the stories, or those of a day, or those up to the day `until`; most points first."""
    return story_order(_of_days(lake.read(STORIES_TABLE), day, until))


def lead_states(lake: Lake, since: date | None = None) -> pl.LazyFrame:
    """Return the current state of each lead of which somebody has said something: `triage.current_states`.

    With `since`, only changes of leads in partitions from that day on reopen a lead.
    """
    leads = lake.read(LEADS_TABLE)
    if since is not None:
        leads = leads.filter(pl.col("export_date") >= since)
    return current_states(lake.read(VERDICTS_TABLE), leads)


def statements(lake: Lake, tenant_id: str, lead_id: str) -> pl.LazyFrame:
    """Return all statements about a lead, oldest first: rows of `lead_verdicts`."""
    key = pl.col("tenant_id") == tenant_id, pl.col("lead_id") == lead_id
    return lake.read(VERDICTS_TABLE).filter(*key).sort("sequence")


def has_leads(lake: Lake) -> bool:
    """Return whether leads were ever built, or somebody has said something of one."""
    return lake.exists(LEADS_TABLE) or lake.exists(VERDICTS_TABLE)


def precisions(lake: Lake) -> dict[tuple[str | None, ...], dict[str, Any]]:
    """Return the counts of verdicts of each detection that has any, by `precision.DETECTION`."""
    found = collected(lake, verdict_counts(lake.read(VERDICTS_TABLE)).filter(pl.col("band") == ALL_BANDS))
    return {tuple(row[name] for name in DETECTION): row for row in found.to_dicts()}


def with_updates(lake: Lake, rows: pl.LazyFrame) -> pl.LazyFrame:
    """Add `updated_at` to leads or stories: when Microsoft wrote the newest record of the lead, or of its leads."""
    if "lead_ids" not in rows.collect_schema():
        return rows.with_columns(updated_at=pl.col("last_updated_at"))
    leads = latest_leads(lake.read(LEADS_TABLE).select(*LEAD_KEY, "export_date", updated_at="last_updated_at"))
    newest = (
        rows.select(*_STORY, lead_id="lead_ids")
        .explode("lead_id")
        .join(leads, on=LEAD_KEY)
        .group_by(_STORY)
        .agg(pl.col("updated_at").max())
    )
    return rows.join(newest, on=_STORY, how="left", maintain_order="left")


def findings(lake: Lake, *, day: date | None = None) -> pl.LazyFrame:
    """Return the OCSF events of all days or one, in order of day, tenant and finding."""
    return _of_days(lake.read(FINDINGS_TABLE), day, None).sort("export_date", "tenant_id", "finding_uid")


def briefs(lake: Lake, *, day: date | None = None) -> pl.LazyFrame:
    """Return the briefs of all days or one, the newest day first."""
    return _of_days(lake.read(BRIEFS_TABLE), day, None).sort("export_date", descending=True)


def quarantined_lines(
    lake: Lake, *, day: date | None = None, table: str | None = None, reason: str | None = None
) -> pl.LazyFrame:
    """Return quarantined lines, of all days, tables and reasons or of the given ones; newest day first."""
    lines = _of_days(lake.read(QUARANTINE), day, None)
    for column, wanted in (("table_name", table), ("reason", reason)):
        if wanted is not None:
            lines = lines.filter(pl.col(column) == wanted)
    order = ["export_date", "table_name", "tenant_id", "blob", "byte_offset"]
    return lines.sort(order, descending=[True, False, False, False, False])


def collected(lake: Lake, rows: pl.LazyFrame) -> pl.DataFrame:
    """Return the rows of a view.

    Raises:
        LakeError: the lake's files cannot be read; one line without secrets.
    """
    with reading(lake):
        return rows.collect()


@contextmanager
def reading(lake: Lake) -> Iterator[None]:
    """Turn an error in reading the lake's files into one line.

    Raises:
        LakeError: the lake's files cannot be read; one line without secrets.
    """
    try:
        yield
    except BaseException as error:
        if not (isinstance(error, DeltaError | PolarsError | OSError) or is_panic(error)):
            raise
        secrets = lake.secrets
        reason = redact(str(error), secrets)[:400]
        advice = (
            GRANT_LAKE
            if lake.refusal(reason)
            else "run the job maintain_lake, which names damaged files and what to do"
        )
        raise LakeError(f"cannot read {lake.describe()}: {reason}; {advice}") from None


def _of_days(rows: pl.LazyFrame, day: date | None, until: date | None) -> pl.LazyFrame:
    # tells of the writing, not of the lead
    rows = rows.drop(BUILT_VERSION.name, strict=False)
    if day is not None:
        rows = rows.filter(pl.col("export_date") == day)
    if until is not None:
        rows = rows.filter(pl.col("export_date") <= until)
    return rows


def _latest(rows: pl.LazyFrame, key: tuple[str, str]) -> pl.LazyFrame:
    # Group the keys only, so that wide rows of earlier partitions stay out of memory.
    latest = rows.group_by(key).agg(pl.col("export_date").max())
    return rows.join(latest, on=[*key, "export_date"], how="semi")
