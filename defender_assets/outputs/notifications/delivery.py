"""A round: claim what is due, post it, write down what the receiver said. The one way to notify.

Exactly once as far as a webhook allows: a notice is claimed before it is sent, by one notifier; it is written down as
sent after the receiver said yes. A notifier that dies between the answer and the writing leaves a claim, which ends
after LEASE, and the notice is sent again: at least once in that case, once in every other.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from defender_assets.core.errors import LakeError
from defender_assets.core.lake.lake import Lake
from defender_assets.core.retries import exponential_backoff, retry_on_conflict
from defender_assets.core.text import pluralize
from defender_assets.outputs.notifications import slack, teams
from defender_assets.outputs.notifications.formatting import headline
from defender_assets.outputs.notifications.incidents import Incidents
from defender_assets.outputs.notifications.notification import Notification
from defender_assets.outputs.notifications.outbox import (
    CLAIMED,
    PAUSE,
    READY,
    REFUSED,
    RELEASED,
    WAITING,
    DeliveryState,
    Entry,
    NotificationKey,
    Outbox,
    append,
    look_at_outbox,
    open_outbox,
    record,
    sent,
)
from defender_assets.outputs.notifications.selection import news_for, notice_id, subject_of
from defender_assets.outputs.notifications.webhook_client import Answer, post
from defender_assets.outputs.notifications.webhooks import SLACK, TEAMS, NotificationConfig, Webhook

logger = logging.getLogger(__name__)
Due = TypeVar("Due")

LEASE = timedelta(minutes=10)
"""How long a claim keeps others away; far longer than a round may take."""

# each destination; Dagster ends a tick after 60 seconds
ROUND_SECONDS = 15.0
DIGEST_ABOVE = 10
# Slack takes a message a second
PACE_SECONDS = 1.0
MESSAGES: dict[str, Callable[[Sequence[Notification]], dict[str, Any]]] = {SLACK: slack.message, TEAMS: teams.message}


@dataclass(frozen=True)
class Claim:
    """A notice that this notifier alone may send until the claim ends."""

    notification: Notification
    entry: Entry


@dataclass
class Report:
    """What a round did at one destination; texts hold no secret."""

    destination: str
    sent: list[Notification] = field(default_factory=list)
    messages: int = 0
    problem: str | None = None

    def describe(self) -> str:
        """Return a line for a log."""
        done = f"{self.destination}: {pluralize(len(self.sent), 'notice')} in {pluralize(self.messages, 'message')}"
        return f"{done}; {self.problem}" if self.problem else done


@dataclass(frozen=True)
class Notifier:
    """Who is told of what is new in a lake. `clock` gives the moment in UTC, `pace` waits between two messages."""

    lake: Lake
    who: NotificationConfig
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    pace: Callable[[float], None] = time.sleep

    def preview(self, incidents: Incidents) -> Iterator[tuple[str, list[Notification], dict[str, Any]]]:
        """Yield each message that a round would send now: destination, notices, payload. Nothing is written or sent."""
        now = self.clock()
        outbox = look_at_outbox(self.lake, now)
        for webhook in self.who.webhooks:
            news = news_for(self.lake, outbox, webhook.destination, self.who, incidents, now)
            for group in _messages(news.notifications, lambda due: due[1].attempts):
                notifications = [notification for notification, _ in group]
                yield webhook.destination, notifications, MESSAGES[webhook.destination](notifications)

    def round(self, incidents: Incidents) -> list[Report]:
        """Tell every destination what it is to be told now.

        Raises:
            LakeError: when the lake cannot be read or written; what was claimed is then free again after LEASE.
        """
        return [self._at(webhook, incidents) for webhook in self.who.webhooks]

    def _at(self, webhook: Webhook, incidents: Incidents) -> Report:
        report = Report(webhook.destination)
        begun = self.clock()
        claims, pause = retry_on_conflict(lambda: self._claim(webhook, incidents))
        if pause.held_back(begun) and not claims:
            report.problem = f"waits until {pause.until:%Y-%m-%d %H:%M} UTC after {pause.attempts} failed attempts"
            return report
        groups = _messages(claims, lambda claim: claim.entry.attempts)
        for number, group in enumerate(groups):
            if number:
                self.pace(PACE_SECONDS)
            # where the lake is slow there may be no time left at all: one message goes out in each round
            if number and self.clock() - begun > timedelta(seconds=ROUND_SECONDS):
                report.problem = "out of time, the others come next"
                self._record(_released(groups[number:]))
                break
            answer = post(webhook, MESSAGES[webhook.destination]([claim.notification for claim in group]), self.clock())
            if answer.delivered:
                self._record(
                    [
                        *(sent(claim.entry, self.clock()) for claim in group),
                        *_ready(webhook, pause, first=not report.messages),
                    ]
                )
                report.sent += [claim.notification for claim in group]
                report.messages += 1
            elif answer.refused:
                report.problem = answer.words
                self._record(_refused(group, self.clock()))
            else:
                waiting = _waiting(webhook, pause if not report.messages else DeliveryState(), answer, self.clock())
                report.problem = f"{answer.words}; next try after {waiting.until:%H:%M:%S} UTC"
                self._record([waiting, *_released(groups[number:])])
                break
        return report

    def _claim(self, webhook: Webhook, incidents: Incidents) -> tuple[list[Claim], DeliveryState]:
        """Return what this notifier may send now: decided on and claimed in one opening of the table."""
        now = self.clock()
        target, outbox = open_outbox(self.lake, now)
        news = news_for(self.lake, outbox, webhook.destination, self.who, incidents, now)
        pause = _pause_of(outbox, webhook)
        due = [] if pause.held_back(now) else news.notifications
        claims = [
            Claim(notification, _claimed(notification, standing, webhook.destination, now + LEASE))
            for notification, standing in due
        ]
        entries = [*news.owed, *(claim.entry for claim in claims)]
        if entries:
            append(self.lake, target, entries, now)
        return claims, pause

    def _record(self, entries: Sequence[Entry]) -> None:
        try:
            record(self.lake, entries, self.clock())
        except LakeError as error:
            logger.warning("what was sent could not be written down and may be sent again: %s", error)
            raise


def lines(notifications: Sequence[Notification]) -> list[str]:
    """Return the notices of a message on a line each, their text as it came: hostile."""
    return [headline(notification) for notification in notifications]


def _messages(due: Sequence[Due], refused: Callable[[Due], int]) -> list[list[Due]]:
    """Return what goes into each message: a notice each, or all in one where they are many.

    What was refused before goes by itself: one notice that a receiver cannot take must not hold up a digest for ever.
    """
    alone, others = [one for one in due if refused(one)], [one for one in due if not refused(one)]
    if len(others) > DIGEST_ABOVE:
        return [others, *([one] for one in alone)]
    return [[one] for one in due]


def _claimed(notification: Notification, standing: DeliveryState, destination: str, until: datetime) -> Entry:
    return Entry(
        subject_of(notification, destination),
        CLAIMED,
        notice_id(notification, standing),
        notification.lead_ids,
        until=until,
        attempts=standing.attempts,
    )


def _pause_of(outbox: Outbox, webhook: Webhook) -> DeliveryState:
    return outbox.of(NotificationKey(webhook.destination, PAUSE, None, webhook.destination))


def _waiting(webhook: Webhook, before: DeliveryState, answer: Answer, now: datetime) -> Entry:
    """Return the pause of a destination: as long as it asks for, and never shorter than one that grows."""
    attempts = before.attempts + 1
    wait = max(exponential_backoff(attempts), answer.wait or timedelta(0))
    return Entry(
        NotificationKey(webhook.destination, PAUSE, None, webhook.destination),
        WAITING,
        until=now + wait,
        attempts=attempts,
    )


def _ready(webhook: Webhook, pause: DeliveryState, *, first: bool) -> Iterator[Entry]:
    if first and pause.state == WAITING:
        yield Entry(NotificationKey(webhook.destination, PAUSE, None, webhook.destination), READY)


def _released(groups: Sequence[Sequence[Claim]]) -> list[Entry]:
    return [_step(claim.entry, RELEASED, claim.entry.attempts, None) for group in groups for claim in group]


def _refused(group: Sequence[Claim], now: datetime) -> list[Entry]:
    attempts = [claim.entry.attempts + 1 for claim in group]
    return [
        _step(claim.entry, REFUSED, tried, now + exponential_backoff(tried))
        for claim, tried in zip(group, attempts, strict=True)
    ]


def _step(claimed: Entry, state: str, attempts: int, until: datetime | None) -> Entry:
    return Entry(claimed.subject, state, claimed.notice_id, claimed.lead_ids, until=until, attempts=attempts)
