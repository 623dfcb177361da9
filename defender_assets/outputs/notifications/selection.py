"""What is news for a destination: leads and stories that it was not told of, failures that it does not know of.

Decided from the lake alone: the leads and stories as they stand now, against what `sent_notices` says was sent. Nothing
is written here, nothing is sent.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from defender_assets.core.identifiers import LEAD_KEY, stable_id
from defender_assets.core.lake.lake import Lake
from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.core.stories.schema import STORIES_TABLE
from defender_assets.outputs.brief.entries import Row
from defender_assets.outputs.notifications.incidents import CONDITIONS, Incidents
from defender_assets.outputs.notifications.notification import (
    LEAD,
    STORY,
    Notification,
    of_condition,
    of_lead,
    of_story,
)
from defender_assets.outputs.notifications.outbox import (
    RECOVERED,
    SENT,
    WATCH,
    WATCHING,
    DeliveryState,
    Entry,
    NotificationKey,
    Outbox,
)
from defender_assets.outputs.notifications.webhooks import NotificationConfig
from defender_assets.outputs.queries.views import active_stories, collected, latest_leads

NEWS_DAYS = 30
"""Partitions older than this are no news any more, whatever was not sent of them."""

FIRST_NEWS_DAYS = 1
GROWTH_PAUSE = timedelta(hours=1)
FEWEST_LEADS = 2
# the entry that says since when a destination watches is written anew before it could leave with the old days
RENEW_AFTER = timedelta(days=7)


@dataclass(frozen=True)
class News:
    """The notices that are due, the most urgent first, and entries that are owed whether or not anything is sent."""

    notifications: tuple[tuple[Notification, DeliveryState], ...]
    owed: tuple[Entry, ...]


def news_for(
    lake: Lake, outbox: Outbox, destination: str, who: NotificationConfig, incidents: Incidents, now: datetime
) -> News:
    """Return what a destination is to be told now.

    Raises:
        LakeError: when leads or stories cannot be read.
    """
    watching = [standing.since for _, standing in outbox.subjects(destination, WATCH) if standing.since]
    since, watch = _watch(outbox, destination, who.risk, now)
    found = [
        *_leads(lake, outbox, destination, who, since, now),
        # stories are told of at any risk, so since the first of all
        *_stories(lake, outbox, destination, who, min([since, *watching]), now),
        *_failures(outbox, destination, who, incidents, now),
    ]
    found.sort(key=lambda pair: (-pair[0].weight, pair[0].kind, pair[0].subject_id))
    return News(tuple(found), (*watch, *_recovered(outbox, destination, incidents)))


def notice_id(notification: Notification, standing: DeliveryState) -> str:
    """Return the id of a notice: tenant, kind, subject, and how often the subject was told before."""
    return stable_id(notification.tenant_id or "", f"{notification.kind}\0{notification.subject_id}\0{standing.times}")


def subject_of(notification: Notification, destination: str) -> NotificationKey:
    """Return what `sent_notices` knows the notice by."""
    return NotificationKey(destination, notification.kind, notification.tenant_id, notification.subject_id)


def _watch(outbox: Outbox, destination: str, risk: int, now: datetime) -> tuple[date, tuple[Entry, ...]]:
    """Return the first partition that is news at this risk, and the entry that is owed to say so.

    A destination that watches at a lower risk already has seen what is above: raising the risk forgets nothing. A lower
    risk than ever begins anew, for the leads below were never meant.
    """
    own = NotificationKey(destination, WATCH, None, str(risk))
    known = [
        standing.since
        for subject, standing in outbox.subjects(destination, WATCH)
        if standing.since is not None and int(subject.subject_id) <= risk
    ]
    # no later than now: a clock that was ahead once would keep all that comes from being news
    since = min([*known, now.date() - timedelta(days=FIRST_NEWS_DAYS)])
    written = outbox.of(own).written_at
    if written is not None and timedelta(0) <= now - written < RENEW_AFTER:
        return since, ()
    return since, (Entry(own, WATCHING, since=since),)


def _leads(
    lake: Lake, outbox: Outbox, destination: str, who: NotificationConfig, since: date, now: datetime
) -> Iterator[tuple[Notification, DeliveryState]]:
    held = lake.read(LEADS_TABLE)
    rows = held.filter(pl.col("export_date") >= now.date() - timedelta(days=NEWS_DAYS))
    loud = (pl.col("risk_score") >= who.risk) & pl.col("muted_by").is_null()
    slim = rows.select(*LEAD_KEY, "export_date", loud=loud.fill_null(value=False))
    seen = held.filter(_before(since), loud).select(LEAD_KEY)
    candidates = collected(lake, latest_leads(slim).filter("loud").join(seen, on=LEAD_KEY, how="anti").drop("loud"))
    due = {}
    for tenant_id, lead_id, _ in candidates.iter_rows():
        standing = outbox.of(NotificationKey(destination, LEAD, tenant_id, lead_id))
        if not standing.times and not standing.held_back(now):
            due[tenant_id, lead_id] = standing
    if not due:
        return
    keys = pl.DataFrame(list(due), schema=candidates.select(LEAD_KEY).schema, orient="row")
    wanted = candidates.join(keys, on=LEAD_KEY, how="semi")
    for lead in collected(lake, rows.join(wanted.lazy(), on=[*LEAD_KEY, "export_date"], how="semi")).to_dicts():
        yield of_lead(lead, who.ui_url), due[lead["tenant_id"], lead["lead_id"]]


def _stories(
    lake: Lake, outbox: Outbox, destination: str, who: NotificationConfig, since: date, now: datetime
) -> Iterator[tuple[Notification, DeliveryState]]:
    first = now.date() - timedelta(days=NEWS_DAYS)
    held = lake.read(STORIES_TABLE)
    seen = collected(lake, held.filter(_before(since)).select("tenant_id", "story_id", "lead_ids"))
    known = _Known(outbox, destination, seen.iter_rows())
    rows = held.filter(pl.col("export_date") >= first)
    due = []
    for story in collected(lake, active_stories(rows).filter(pl.col("export_date") >= since)).to_dicts():
        standing = outbox.of(NotificationKey(destination, STORY, story["tenant_id"], story["story_id"]))
        told, sent_at = known.of(story, standing)
        too_early = sent_at is not None and timedelta(0) <= now - sent_at < GROWTH_PAUSE
        if not told.issuperset(story["lead_ids"]) and not too_early and not standing.held_back(now):
            due.append((story, told, standing))
    if not due:
        return
    leads = _leads_of(lake, [story for story, _, _ in due], first)
    for story, told, standing in due:
        held_leads = [lead for lead_id in story["lead_ids"] if (lead := leads.get((story["tenant_id"], lead_id)))]
        named = [lead for lead in held_leads if lead["muted_by"] is None]
        if len(story["lead_ids"]) - len(held_leads) + len(named) < FEWEST_LEADS:
            continue
        named.sort(key=lambda lead: (lead["lead_id"] in told, -(lead["risk_score"] or 0)))
        yield of_story(story, named, frozenset(told), who.ui_url), standing


def _before(since: date) -> pl.Expr:
    """Return whether a row lies in a partition that a destination counts as seen; those long before are not read."""
    return pl.col("export_date").is_between(since - timedelta(days=NEWS_DAYS), since, closed="left")


class _Known:
    """Which leads of stories a destination was told of, or counts as seen.

    A story takes another id when its first lead leaves the look-back, or an earlier one comes in on the day that runs:
    one that was never told under its id goes on from those that held its leads.
    """

    def __init__(self, outbox: Outbox, destination: str, seen: Iterable[tuple[str, str, list[str]]]) -> None:
        self._own: dict[tuple[str | None, str], set[str]] = {}
        self._by_lead: dict[tuple[str | None, str], list[tuple[frozenset[str], datetime | None]]] = {}
        for tenant_id, story_id, lead_ids in seen:
            self._own.setdefault((tenant_id, story_id), set()).update(lead_ids)
            self._hold(tenant_id, frozenset(lead_ids), None)
        for subject, standing in outbox.subjects(destination, STORY):
            self._hold(subject.tenant_id, standing.told, standing.sent_at)

    def _hold(self, tenant_id: str | None, lead_ids: frozenset[str], sent_at: datetime | None) -> None:
        for lead_id in lead_ids:
            self._by_lead.setdefault((tenant_id, lead_id), []).append((lead_ids, sent_at))

    def of(self, story: Row, standing: DeliveryState) -> tuple[frozenset[str], datetime | None]:
        """Return the leads of a story that are known, and when it was last told."""
        if standing.times:
            return standing.told | self._own.get((story["tenant_id"], story["story_id"]), set()), standing.sent_at
        found = [one for lead_id in story["lead_ids"] for one in self._by_lead.get((story["tenant_id"], lead_id), ())]
        known = frozenset().union(*(lead_ids for lead_ids, _ in found))
        return known, max((sent_at for _, sent_at in found if sent_at), default=None)


def _leads_of(lake: Lake, stories: list[dict[str, Any]], first: date) -> dict[tuple[str, str], Row]:
    """Return the latest rows of the stories' leads by tenant and lead."""
    wanted = pl.DataFrame(stories).select("tenant_id", lead_id="lead_ids").explode("lead_id").unique()
    columns = (*LEAD_KEY, "export_date", "alert_id", "title", "risk_score", "muted_by")
    rows = lake.read(LEADS_TABLE).filter(pl.col("export_date") >= first).select(columns)
    found = collected(lake, latest_leads(rows.join(wanted.lazy(), on=LEAD_KEY, how="semi")))
    return {(lead["tenant_id"], lead["lead_id"]): lead for lead in found.to_dicts()}


def _failures(
    outbox: Outbox, destination: str, who: NotificationConfig, incidents: Incidents, now: datetime
) -> Iterator[tuple[Notification, DeliveryState]]:
    for condition in incidents.failing:
        standing = outbox.of(NotificationKey(destination, condition.kind, None, condition.subject_id))
        if standing.state != SENT and not standing.held_back(now):
            yield of_condition(condition, who.ui_url), standing


def _recovered(outbox: Outbox, destination: str, incidents: Incidents) -> Iterator[Entry]:
    """Yield an entry for each failure that was told and is over: the next one is told again."""
    failing = {condition.key for condition in incidents.failing}
    for kind in CONDITIONS:
        for subject, standing in outbox.subjects(destination, kind):
            key = (kind, subject.subject_id)
            if standing.state == SENT and key in incidents.looked_at and key not in failing:
                yield Entry(subject, RECOVERED)
