"""Whether what is derived of a day agrees with what it is made of: stories, the queue, OCSF events and the brief.

Each function takes the day, the table's rows of the day, and one LazyFrame per upstream, as `build` of the table does.
"""

from collections.abc import Mapping
from datetime import date

import polars as pl

from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.leads.risk.muting import exclude_muted
from defender_assets.core.quality.check_outcome import SAMPLES, CheckOutcome

_ADVICE = "Run the job `rebuild_day` for the day. If this fails again, report it as a bug."
_KEY = list(LEAD_KEY)


def story_balance(day: date, stories: pl.LazyFrame, leads: pl.LazyFrame) -> CheckOutcome:
    """Return whether each story consists of leads that exist, at least one of them of the day."""
    rows = stories.select("tenant_id", "story_id", "lead_ids", "lead_count").collect()
    members = rows.explode("lead_ids").rename({"lead_ids": "lead_id"})
    known = leads.select(*_KEY, "export_date").collect()
    of_day = known.filter(pl.col("export_date") == day)
    wrong = rows.filter(pl.col("lead_count") != pl.col("lead_ids").list.len())["story_id"]
    return _outcome(
        {"stories": rows.height, "leads_in_stories": members.height},
        {
            "leads of stories do not exist": members.join(known, on=_KEY, how="anti")["lead_id"],
            "leads are in a story more than once": members.filter(members.select(_KEY).is_duplicated())["lead_id"],
            "stories have another number of leads than they say": wrong,
            "stories have no lead of the day": rows.join(
                members.join(of_day, on=_KEY, how="semi"), on=["tenant_id", "story_id"], how="anti"
            )["story_id"],
        },
    )


def queue_balance(day: date, queue: pl.LazyFrame, leads: pl.LazyFrame, stories: pl.LazyFrame) -> CheckOutcome:
    """Return whether the queue has each unmuted lead of the day and of its stories once, and no other."""
    queued = queue.select(_KEY).collect()
    known = leads.select(*_KEY, "export_date", "muted_by").sort("export_date").collect()
    latest = exclude_muted(known.unique(_KEY, keep="last", maintain_order=True))
    members = stories.select("tenant_id", lead_id="lead_ids").explode("lead_id").collect()
    in_stories = latest.join(members, on=_KEY, how="semi")
    expected = pl.concat([latest.filter(pl.col("export_date") == day), in_stories]).unique(_KEY)
    return _outcome(
        {"queued": queued.height, "expected": expected.height, "leads_in_stories": in_stories.height},
        {
            "leads are missing": expected.join(queued, on=_KEY, how="anti")["lead_id"],
            "leads do not belong to the day": queued.join(expected, on=_KEY, how="anti")["lead_id"],
            "leads are there more than once": queued.filter(queued.is_duplicated())["lead_id"],
        },
    )


def finding_balance(day: date, findings: pl.LazyFrame, leads: pl.LazyFrame) -> CheckOutcome:
    """Return whether there is one finding for each lead of the day, muted ones included."""
    found = findings.select("tenant_id", lead_id="finding_uid").collect()
    expected = leads.filter(pl.col("export_date") == day).select(_KEY).collect()
    return _outcome(
        {"findings": found.height, "leads": expected.height},
        {
            "leads have no finding": expected.join(found, on=_KEY, how="anti")["lead_id"],
            "findings have no lead": found.join(expected, on=_KEY, how="anti")["lead_id"],
            "findings are there more than once": found.filter(found.is_duplicated())["lead_id"],
        },
    )


def brief_balance(
    day: date,
    briefs: pl.LazyFrame,
    leads: pl.LazyFrame,
    stories: pl.LazyFrame,
    queue: pl.LazyFrame,
    _device_info: pl.LazyFrame,
    quarantined: pl.LazyFrame,
) -> CheckOutcome:
    """Return whether the brief counts what the queue, the stories and the quarantine hold."""
    of_day = pl.col("export_date") == day
    todays = leads.filter(of_day).select(_KEY)
    queued = queue.filter(of_day).select(_KEY).join(todays, on=_KEY, how="semi")
    names = ("lead_count", "story_count", "quarantined_lines")
    counts = [frame.select(pl.len()) for frame in (queued, stories.filter(of_day), quarantined.filter(of_day))]
    expected = dict(zip(names, (each.item() for each in pl.collect_all(counts)), strict=True))
    rows = briefs.select(names).collect()
    shown = rows.row(0, named=True) if rows.height else dict.fromkeys(names, 0)
    wrong = [f"{name} is {shown[name]} instead of {count}" for name, count in expected.items() if shown[name] != count]
    if rows.height > 1:
        wrong.append(f"there are {rows.height} briefs of the day")
    summary = f"{'; '.join(wrong)}. {_ADVICE}" if wrong else "The counts agree."
    return CheckOutcome(passed=not wrong, summary=summary, facts=expected)


def _outcome(facts: Mapping[str, int], wrong: Mapping[str, pl.Series]) -> CheckOutcome:
    """Return the outcome: `wrong` has the identifiers of what must not be there, by what it is."""
    found = {what: identifiers for what, identifiers in wrong.items() if len(identifiers)}
    if not found:
        return CheckOutcome(passed=True, summary="The counts agree.", facts=facts)
    samples = {what: identifiers.unique().sort().head(SAMPLES).to_list() for what, identifiers in found.items()}
    what = "; ".join(f"{len(identifiers)} {name}" for name, identifiers in found.items())
    return CheckOutcome(passed=False, summary=f"{what}. {_ADVICE}", facts={**facts, "samples": samples})
