"""Which notifications are due at a destination: current leads, stories and incidents that were not sent to it yet.

Decided from the lake and the outbox alone; nothing is written or sent.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from defender_assets.core.enums import CLOSED
from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.lake.lake import Lake
from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.core.queue.order import PRIORITY_COLUMNS, with_priority
from defender_assets.core.queue.schema import QUEUE_TABLE
from defender_assets.core.stories.schema import STORIES_TABLE
from defender_assets.outputs.labels import Row
from defender_assets.outputs.notifications.incidents import INCIDENT_KINDS, Incidents
from defender_assets.outputs.notifications.notification import (
    LEAD,
    STORY,
    Notification,
    incident_notification,
    lead_notification,
    story_notification,
)
from defender_assets.outputs.notifications.outbox import (
    RECOVERED,
    SENT,
    WATCH,
    WATCH_PRIORITY,
    WATCHING,
    DeliveryState,
    Entry,
    NotificationKey,
    Outbox,
)
from defender_assets.outputs.notifications.webhooks import NotificationConfig
from defender_assets.outputs.queries.views import active_stories, collected, latest_leads, lead_states

LOOKBACK_DAYS = 30
"""Partitions older than this are not sent any more."""

FIRST_LOOKBACK_DAYS = 1
GROWTH_PAUSE = timedelta(hours=1)
MIN_STORY_LEADS = 2
# the entry that says since when a destination watches is renewed before retention could remove it
WATCH_RENEWAL = timedelta(days=7)

Due = tuple[Notification, DeliveryState]


@dataclass(frozen=True)
class Selector:
    """Selects for one destination at a moment (UTC)."""

    lake: Lake
    outbox: Outbox
    destination: str
    config: NotificationConfig
    now: datetime

    def select(self, incidents: Incidents) -> tuple[list[Due], list[Entry]]:
        """Return what is due, most urgent first, and entries to write even if nothing is sent.

        Raises:
            LakeError: when leads or stories cannot be read.
        """
        by_priority, by_risk = self._watches(WATCH_PRIORITY), self._watches(WATCH)
        # clamp to yesterday: an entry from a clock that was ahead must not suppress later notifications
        first_day = self.now.date() - timedelta(days=FIRST_LOOKBACK_DAYS)
        # A destination that watched at a lower threshold has seen what is above it, so a raised one forgets nothing. A
        # threshold lower than ever starts again: the leads below the previous one were never meant to be sent.
        priority_since = min([first_day, *(since for least, since in by_priority if least <= self.config.risk)])
        # Older versions compared the threshold with the risk alone. What they watched still counts for the risk; a lead
        # that only its story raises counts from the first round on.
        risk_since = min([priority_since, *(since for least, since in by_risk if least <= self.config.risk)])
        # stories are sent at any threshold
        stories_since = min([first_day, *(since for _, since in (*by_priority, *by_risk))])
        due = [*self._leads(priority_since, risk_since), *self._stories(stories_since), *self._incidents(incidents)]
        due.sort(key=lambda pair: (-pair[0].points, pair[0].kind, pair[0].subject_id))
        return due, [*self._watch_entries(priority_since), *self._recovered(incidents)]

    def _watches(self, kind: str) -> list[tuple[int, date]]:
        """Return the thresholds at which the destination was watched, each with its first day."""
        return [(int(key.subject_id), each.since) for key, each in self._of_kind(kind) if each.since]

    def _of_kind(self, kind: str) -> Iterator[tuple[NotificationKey, DeliveryState]]:
        return self.outbox.of_kind(self.destination, kind)

    def _delivery(self, kind: str, tenant_id: str | None, subject_id: str) -> DeliveryState:
        return self.outbox.get(NotificationKey(self.destination, kind, tenant_id, subject_id))

    def _watch_entries(self, since: date) -> Iterator[Entry]:
        key = NotificationKey(self.destination, WATCH_PRIORITY, None, str(self.config.risk))
        written_at = self.outbox.get(key).written_at
        if written_at is None or not timedelta(0) <= self.now - written_at < WATCH_RENEWAL:
            yield Entry(key, WATCHING, since=since)

    def _recent(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.filter(pl.col("export_date") >= self.now.date() - timedelta(days=LOOKBACK_DAYS))

    def _closed(self) -> pl.LazyFrame:
        """Return LEAD_KEY of the leads that are closed now."""
        states = lead_states(self.lake, self.now.date() - timedelta(days=LOOKBACK_DAYS))
        return states.filter(pl.col("state") == CLOSED).select(LEAD_KEY)

    def _leads(self, priority_since: date, risk_since: date) -> Iterator[Due]:
        """Yield the open leads whose current priority reaches the threshold for the first time.

        `priority_since` is the first partition of which leads are sent for their priority, `risk_since` the first of
        which they are sent for their risk.
        """
        leads, queue = self.lake.read(LEADS_TABLE), self.lake.read(QUEUE_TABLE)
        recent = self._recent(leads)
        slim = latest_leads(recent.select(*LEAD_KEY, "export_date", "risk_score", "muted_by"))
        current = with_priority(slim, latest_leads(self._recent(queue))).filter(pl.col("muted_by").is_null())
        current = current.join(self._closed(), on=LEAD_KEY, how="anti")
        by_risk, by_priority = pl.col("risk_score") >= self.config.risk, pl.col("priority") >= self.config.risk

        def first_since(since: date, reached: pl.Expr) -> pl.LazyFrame:
            seen = [
                leads.filter(_counts_as_seen(since), by_risk, pl.col("muted_by").is_null()).select(LEAD_KEY),
                queue.filter(_counts_as_seen(since), by_priority).select(LEAD_KEY),
            ]
            return current.filter(reached).join(pl.concat(seen), on=LEAD_KEY, how="anti")

        found = pl.concat([first_since(priority_since, by_priority), first_since(risk_since, by_risk)])
        candidates = collected(self.lake, found.select(*LEAD_KEY, "export_date", *PRIORITY_COLUMNS).unique(LEAD_KEY))
        due = {}
        for tenant_id, lead_id in candidates.select(LEAD_KEY).iter_rows():
            delivery = self._delivery(LEAD, tenant_id, lead_id)
            if not delivery.sent_count and not delivery.is_blocked(self.now):
                due[tenant_id, lead_id] = delivery
        if not due:
            return
        keys = pl.DataFrame(list(due), schema=candidates.select(LEAD_KEY).schema, orient="row")
        wanted = candidates.join(keys, on=LEAD_KEY, how="semi").lazy()
        rows = collected(self.lake, recent.join(wanted, on=[*LEAD_KEY, "export_date"]))
        for lead in rows.to_dicts():
            yield (
                lead_notification(lead, self.config.ui_url, self.config.portal_url),
                due[lead["tenant_id"], lead["lead_id"]],
            )

    def _stories(self, since: date) -> Iterator[Due]:
        stories = self.lake.read(STORIES_TABLE)
        columns = ("tenant_id", "story_id", "lead_ids")
        seen = collected(self.lake, stories.filter(_counts_as_seen(since)).select(columns))
        sent_leads = _SentLeads(seen.iter_rows(), self._of_kind(STORY))
        current = active_stories(self._recent(stories)).filter(pl.col("export_date") >= since)
        due = []
        for story in collected(self.lake, current).to_dicts():
            delivery = self._delivery(STORY, story["tenant_id"], story["story_id"])
            sent_lead_ids, sent_at = sent_leads.of(story, delivery)
            too_early = sent_at is not None and timedelta(0) <= self.now - sent_at < GROWTH_PAUSE
            grown = not sent_lead_ids.issuperset(story["lead_ids"])
            if grown and not too_early and not delivery.is_blocked(self.now):
                due.append((story, sent_lead_ids, delivery))
        if not due:
            return
        leads = self._leads_of([story for story, _, _ in due])
        closed = set(collected(self.lake, self._closed()).iter_rows())
        for story, sent_lead_ids, delivery in due:
            available = [lead for lead_id in story["lead_ids"] if (lead := leads.get((story["tenant_id"], lead_id)))]
            unmuted = [lead for lead in available if lead["muted_by"] is None]
            if len(story["lead_ids"]) - len(available) + len(unmuted) < MIN_STORY_LEADS:
                continue
            if all((story["tenant_id"], lead_id) in closed for lead_id in story["lead_ids"]):
                continue
            unmuted.sort(key=lambda lead: (lead["lead_id"] in sent_lead_ids, -lead["priority_points"]))
            links = self.config.ui_url, self.config.portal_url
            yield story_notification(story, unmuted, sent_lead_ids, *links), delivery

    def _leads_of(self, stories: list[dict[str, Any]]) -> dict[tuple[str, str], Row]:
        """Return the latest rows of the stories' leads by tenant and lead, with their priorities."""
        wanted = pl.DataFrame(stories).select("tenant_id", lead_id="lead_ids").explode("lead_id").unique()
        columns = (*LEAD_KEY, "export_date", "alert_id", "title", "risk_score", "muted_by")
        rows = self._recent(self.lake.read(LEADS_TABLE)).select(columns)
        latest = latest_leads(rows.join(wanted.lazy(), on=LEAD_KEY, how="semi"))
        entries = latest_leads(self._recent(self.lake.read(QUEUE_TABLE)))
        found = collected(self.lake, with_priority(latest, entries))
        return {(lead["tenant_id"], lead["lead_id"]): lead for lead in found.to_dicts()}

    def _incidents(self, incidents: Incidents) -> Iterator[Due]:
        for incident in incidents.failing:
            delivery = self._delivery(incident.kind, None, incident.subject_id)
            if delivery.known_as != SENT and not delivery.is_blocked(self.now):
                yield incident_notification(incident, self.config.ui_url), delivery
        for incident in incidents.ended:
            delivery = self._delivery(incident.kind, None, incident.subject_id)
            if delivery.known_as == SENT and not delivery.is_blocked(self.now):
                yield incident_notification(incident, self.config.ui_url, is_end=True), delivery

    def _recovered(self, incidents: Incidents) -> Iterator[Entry]:
        """Yield an entry for each incident that was sent and is over, so that the next one is sent again."""
        over = incidents.examined - {incident.key for incident in incidents.failing}
        for kind in INCIDENT_KINDS:
            for key, delivery in self._of_kind(kind):
                if delivery.known_as == SENT and (kind, key.subject_id) in over:
                    yield Entry(key, RECOVERED)


def _counts_as_seen(since: date) -> pl.Expr:
    """Return whether a row is in a partition before `since`; older ones than LOOKBACK_DAYS before it are not read."""
    return pl.col("export_date").is_between(since - timedelta(days=LOOKBACK_DAYS), since, closed="left")


class _SentLeads:
    """Which leads of stories were sent to a destination, or count as seen.

    A story gets another id when its first lead leaves the look-back, or when an earlier lead arrives on the running
    day. A story that was never sent under its id continues the stories that had its leads before.
    """

    def __init__(
        self, seen: Iterable[tuple[str, str, list[str]]], deliveries: Iterable[tuple[NotificationKey, DeliveryState]]
    ) -> None:
        self._seen: dict[tuple[str | None, str], set[str]] = {}
        self._by_lead: dict[tuple[str | None, str], list[tuple[frozenset[str], datetime | None]]] = {}
        for tenant_id, story_id, lead_ids in seen:
            self._seen.setdefault((tenant_id, story_id), set()).update(lead_ids)
            self._add(tenant_id, frozenset(lead_ids), None)
        for key, delivery in deliveries:
            self._add(key.tenant_id, delivery.sent_lead_ids, delivery.sent_at)

    def _add(self, tenant_id: str | None, lead_ids: frozenset[str], sent_at: datetime | None) -> None:
        for lead_id in lead_ids:
            self._by_lead.setdefault((tenant_id, lead_id), []).append((lead_ids, sent_at))

    def of(self, story: Row, delivery: DeliveryState) -> tuple[frozenset[str], datetime | None]:
        """Return the leads that were sent for a story or count as seen, and when it was last sent."""
        tenant_id = story["tenant_id"]
        if delivery.sent_count:
            return delivery.sent_lead_ids | self._seen.get((tenant_id, story["story_id"]), set()), delivery.sent_at
        earlier = [each for lead_id in story["lead_ids"] for each in self._by_lead.get((tenant_id, lead_id), ())]
        lead_ids = frozenset().union(*(lead_ids for lead_ids, _ in earlier))
        return lead_ids, max((sent_at for _, sent_at in earlier if sent_at), default=None)
