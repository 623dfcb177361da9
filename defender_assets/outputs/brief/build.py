"""Builds a day's brief from numbers, leads, stories, devices and the state of the data."""

from datetime import date, timedelta
from typing import Any

import polars as pl

from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.lake.snapshots import days_between
from defender_assets.core.leads.risk.muting import exclude_muted
from defender_assets.core.queue.build import queue_order
from defender_assets.core.queue.order import story_order, with_priority
from defender_assets.core.text import pluralize
from defender_assets.outputs.brief.charts import columns, stacked
from defender_assets.outputs.brief.data_quality import health
from defender_assets.outputs.brief.entries import ALIKE, LEADS_SHOWN, device_entry, lead_entry
from defender_assets.outputs.brief.figures import Figures, devices_hit, figures
from defender_assets.outputs.brief.format import KINDS, day_words
from defender_assets.outputs.brief.schema import BRIEF_LOOKBACK_DAYS, BRIEF_SCHEMA
from defender_assets.outputs.brief.timelines import STORIES_SHOWN, story_entry
from defender_assets.outputs.brief.triage import Triage, closed_leads, with_known_states
from defender_assets.outputs.labels import clipped, short_day

HEADLINE = 240
"""Longest title of a story in the headline, in characters."""


def build_briefs(
    day: date,
    leads: pl.LazyFrame,
    stories: pl.LazyFrame,
    queue: pl.LazyFrame,
    device_info: pl.LazyFrame,
    quarantined: pl.LazyFrame,
    *,
    triage: Triage | None = None,
) -> pl.DataFrame:
    """Return the brief of a day: BRIEF_SCHEMA, one row, or none if nothing has arrived for the day.

    `leads` and `device_info` have the partitions D-7 … D, the other tables partition D. Muted leads are counted and not
    shown. `triage` is what analysts have said, for a brief that is shown and not stored: closed leads and stories are
    left out of the lists, and counted.
    """
    all_of_day = days_between(leads, day, day).collect()
    of_day = exclude_muted(all_of_day)
    stories_of_day = days_between(stories, day, day).collect()
    state = health(day, all_of_day, device_info, quarantined)
    numbers = figures(day, of_day)
    closed = closed_leads(triage)
    open_stories = _open_stories(stories_of_day, closed)
    best = story_order(open_stories).head(STORIES_SHOWN)
    shown = best.to_dicts()
    story_of = {
        (story["tenant_id"], lead): f"story-{story['story_id']}" for story in shown for lead in story["lead_ids"]
    }
    entries = days_between(queue, day, day).collect().join(closed, on=LEAD_KEY, how="anti")
    open_of_day = of_day.join(closed, on=LEAD_KEY, how="anti")
    # leads of earlier days whose story changed today
    earlier = queue_order(entries.join(of_day, on=LEAD_KEY, how="anti"))
    first_of_earlier = earlier.select(LEAD_KEY).head(LEADS_SHOWN)
    in_stories = best.select("tenant_id", lead_id="lead_ids").explode("lead_id")
    latest = _latest_rows(day, leads, pl.concat([in_stories, first_of_earlier]).unique())
    candidates = pl.concat([open_of_day, latest.join(first_of_earlier, on=LEAD_KEY, how="semi")])
    ordered = queue_order(with_priority(candidates, entries, more=("priority_reasons",)))
    ranked = _first_of_alike(ordered).head(LEADS_SHOWN)
    ranked, latest = with_known_states(ranked, triage), with_known_states(latest, triage)
    members = {(lead["tenant_id"], lead["lead_id"]): lead for lead in latest.iter_rows(named=True)}
    tenants = sorted({*state.tenants, *all_of_day["tenant_id"], *stories_of_day["tenant_id"]})
    if not tenants and not state.quarantined:
        return BRIEF_SCHEMA.to_frame()
    headline = _headline(numbers, shown, open_stories.height)
    content: dict[str, Any] = {
        "day": day,
        "day_words": day_words(day),
        "headline": headline,
        "tenants": tenants,
        "kinds": KINDS,
        "figures": numbers,
        "columns": columns(numbers) if numbers.leads > numbers.earlier else [],
        "severity_bars": stacked(numbers.severities, numbers.leads) if numbers.leads else [],
        "products": [
            (name, sum(counts.values()), stacked(counts, sum(numbers.products[0][1].values())))
            for name, counts in numbers.products
        ],
        "stories": [
            story_entry(story, members, day, triage.story_changes.get((story["tenant_id"], story["story_id"])))
            if triage
            else story_entry(story, members, day)
            for story in shown
        ],
        "story_count": open_stories.height,
        "leads": [
            lead_entry(lead, day, story_of, triage.precision(lead) if triage else None) for lead in ranked.to_dicts()
        ],
        "shown": int(ranked[ALIKE].sum()),
        "queued": open_of_day.height + earlier.height,
        "triage": triage and triage.words(day),
        "day_before": triage and triage.day_before,
        "closed_since": triage.closed_stories if triage else (),
        "closed": of_day.height - open_of_day.height,
        "closed_stories": stories_of_day.height - open_stories.height,
        "muted": all_of_day.height - of_day.height,
        "devices": [device_entry(device) for device in devices_hit(of_day)],
        "health": state,
        "silent": [short_day(silent) for silent in state.silent],
    }
    # the template engine is loaded for a brief that is built
    from defender_assets.outputs.brief.page import page, picture  # noqa: PLC0415

    row = {
        "tenant_id": tenants[0] if len(tenants) == 1 else None,
        "export_date": day,
        "tenants": tenants,
        "lead_count": numbers.leads,
        "story_count": stories_of_day.height,
        "quarantined_lines": state.quarantined_lines,
        "headline": headline,
        "picture": picture(content),
        "html": page(content),
    }
    return pl.DataFrame([row], schema=BRIEF_SCHEMA)


def _latest_rows(day: date, leads: pl.LazyFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """Return the latest rows of the wanted leads in the look-back."""
    rows = days_between(leads, day - timedelta(days=BRIEF_LOOKBACK_DAYS), day)
    found = rows.join(wanted.lazy(), on=LEAD_KEY, how="semi").collect().sort(*LEAD_KEY, "export_date")
    return found.unique(LEAD_KEY, keep="last", maintain_order=True)


def _first_of_alike(leads: pl.DataFrame) -> pl.DataFrame:
    """Return the first lead of each detection in each story, or in none, and their number as ALIKE.

    One detection on 120 devices would otherwise fill the list. A lead without a title is like no other.
    """
    alike = pl.struct("tenant_id", "story_id", "product", title=pl.coalesce("title", "lead_id"))
    counted = leads.with_columns(pl.len().cast(pl.Int64).over(alike).alias(ALIKE))
    return counted.filter(alike.is_first_distinct())


def _open_stories(stories: pl.DataFrame, closed: pl.DataFrame) -> pl.DataFrame:
    """Return the stories of which not all leads are closed."""
    row = ("tenant_id", "story_id")
    leads = stories.select(*row, lead_id="lead_ids").explode("lead_id")
    return stories.join(leads.join(closed, on=LEAD_KEY, how="anti"), on=row, how="semi", maintain_order="left")


def _headline(numbers: Figures, stories: list[dict[str, Any]], story_count: int) -> str:
    if not numbers.leads:
        return "A quiet day: no lead was new or changed."
    high = numbers.severities.get("high", 0)
    leads = f"{pluralize(numbers.leads, 'lead')}, {f'{high:,}' if high else 'none'} of high severity"
    if not stories:
        return f"{leads}; no story links any of them."
    strongest = clipped(stories[0]["title"] or "untitled", HEADLINE)
    return f"{leads}; {pluralize(story_count, 'story', 'stories')}. The strongest: {strongest}"
