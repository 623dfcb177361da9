"""What an analyst asks of the lake: the current state of leads and stories, a day's rows, the quarantined lines.

How rows come about is the business of the rooms above, how they are shown that of the commands. Reads only; a table
that was never written is empty.
"""

from datetime import date

import polars as pl
from deltalake.exceptions import DeltaError
from polars.exceptions import PolarsError

from defender_assets.core.errors import LakeError, redact
from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.lake.lake import Lake
from defender_assets.core.leads.risk.muting import exclude_muted
from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.core.schemas import QUARANTINE
from defender_assets.core.stories.schema import STORIES_TABLE
from defender_assets.outputs.brief.schema import BRIEFS_TABLE
from defender_assets.outputs.ocsf.schema import FINDINGS_TABLE

_STORY = ("tenant_id", "story_id")


def current_leads(lake: Lake, until: date | None = None, *, muted: bool = False) -> pl.LazyFrame:
    """Return each lead as it stands (at the end of `until`): its row in the latest partition; highest risk first.

    With `muted`, those too that the team has muted.
    """
    latest = latest_leads(lead_versions(lake, until=until, muted=True))
    return _by_risk(_heard(latest, muted=muted))


def latest_leads(versions: pl.LazyFrame) -> pl.LazyFrame:
    """Return of rows of `device_enriched_leads` the latest of each lead."""
    return _latest(versions, LEAD_KEY)


def current_stories(lake: Lake, until: date | None = None) -> pl.LazyFrame:
    """Return each story as it stands (at the end of `until`): its row in the latest partition; highest score first.

    A story that another one has taken in is left out: each of its leads is in a newer row of that other story.
    """
    return _by_score(active_stories(story_versions(lake, until=until)))


def active_stories(versions: pl.LazyFrame) -> pl.LazyFrame:
    """Return of rows of `lead_stories` the latest of each story that no other one has taken in."""
    lead = ["tenant_id", "lead_ids"]
    newest = versions.explode("lead_ids").group_by(lead).agg(newest=pl.col("export_date").max())
    latest = _latest(versions, _STORY)
    standing = latest.explode("lead_ids").join(newest, on=lead).filter(pl.col("export_date") == pl.col("newest"))
    return latest.join(standing, on=_STORY, how="semi")


def lead_versions(
    lake: Lake, *, day: date | None = None, until: date | None = None, muted: bool = False
) -> pl.LazyFrame:
    """Return all rows of the leads, or those of a day, or those of the days up to `until`; highest risk first.

    With `muted`, those too that the team has muted.
    """
    return _by_risk(_heard(_of_days(lake.read(LEADS_TABLE), day, until), muted=muted))


def story_versions(lake: Lake, *, day: date | None = None, until: date | None = None) -> pl.LazyFrame:
    """Return all rows of the stories, or those of a day, or those of the days up to `until`; highest score first."""
    return _by_score(_of_days(lake.read(STORIES_TABLE), day, until))


def findings(lake: Lake, *, day: date | None = None) -> pl.LazyFrame:
    """Return the OCSF events of all days or one, in order of day, tenant and finding."""
    return _of_days(lake.read(FINDINGS_TABLE), day, None).sort("export_date", "tenant_id", "finding_uid")


def briefs(lake: Lake, *, day: date | None = None) -> pl.LazyFrame:
    """Return the briefs of all days or one, the newest day first."""
    return _of_days(lake.read(BRIEFS_TABLE), day, None).sort("export_date", descending=True)


def quarantined_lines(
    lake: Lake, *, day: date | None = None, table: str | None = None, reason: str | None = None
) -> pl.LazyFrame:
    """Return the lines that are no record, of all days or one, of all tables or one; newest day first."""
    lines = _of_days(lake.read(QUARANTINE), day, None)
    for column, wanted in (("table_name", table), ("reason", reason)):
        if wanted is not None:
            lines = lines.filter(pl.col(column) == wanted)
    order = ["export_date", "table_name", "tenant_id", "blob", "byte_offset"]
    return lines.sort(order, descending=[True, False, False, False, False])


def collected(lake: Lake, rows: pl.LazyFrame) -> pl.DataFrame:
    """Return the rows of a view.

    Raises:
        LakeError: when the lake's files cannot be read; one line without a secret.
    """
    try:
        return rows.collect()
    except (DeltaError, PolarsError, OSError) as error:
        secrets = lake.account.secrets if lake.account else ()
        reason = redact(str(error), secrets)[:400]
        raise LakeError(f"cannot read {lake.describe()}: {reason}; check that nobody removed files below it") from None


def _heard(leads: pl.LazyFrame, *, muted: bool) -> pl.LazyFrame:
    return leads if muted else exclude_muted(leads)


def _of_days(rows: pl.LazyFrame, day: date | None, until: date | None) -> pl.LazyFrame:
    if day is not None:
        rows = rows.filter(pl.col("export_date") == day)
    if until is not None:
        rows = rows.filter(pl.col("export_date") <= until)
    return rows


def _latest(rows: pl.LazyFrame, key: tuple[str, str]) -> pl.LazyFrame:
    # the keys alone are compared, so that the wide rows of earlier partitions are never held
    latest = rows.group_by(key).agg(pl.col("export_date").max())
    return rows.join(latest, on=[*key, "export_date"], how="semi")


def _by_risk(leads: pl.LazyFrame) -> pl.LazyFrame:
    order = ["risk_score", "alert_time", "tenant_id", "lead_id", "export_date"]
    return leads.sort(order, descending=[True, True, False, False, True], nulls_last=True)


def _by_score(stories: pl.LazyFrame) -> pl.LazyFrame:
    order = ["score", "last_alert_time", "tenant_id", "story_id", "export_date"]
    return stories.sort(order, descending=[True, True, False, False, True], nulls_last=True)
