"""Delivery of notifications: claim what is due, post it, record what the receiver answered.

Exactly once as far as a webhook allows. One notifier claims a notification before it posts it, and records it as sent
after the receiver accepted it. If it dies in between, its claim expires after LEASE and the notification is sent again:
at least once in this case, exactly once in every other.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from defender_assets.core.errors import LakeError
from defender_assets.core.identifiers import stable_id
from defender_assets.core.lake.lake import Lake
from defender_assets.core.retries import exponential_backoff, retry_on_conflict
from defender_assets.core.text import pluralize
from defender_assets.outputs.notifications import slack, teams
from defender_assets.outputs.notifications.incidents import Incidents
from defender_assets.outputs.notifications.notification import Notification
from defender_assets.outputs.notifications.outbox import (
    CLAIMED,
    PAUSE,
    READY,
    RECOVERED,
    REFUSED,
    RELEASED,
    SENT,
    WAITING,
    DeliveryState,
    Entry,
    NotificationKey,
    append,
    open_outbox,
    read_outbox,
    record,
)
from defender_assets.outputs.notifications.selection import Due, Selector
from defender_assets.outputs.notifications.webhook_client import Answer, post
from defender_assets.outputs.notifications.webhooks import SLACK, TEAMS, NotificationConfig, Webhook

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=10)
"""How long a claim keeps other notifiers away; far longer than a round may take."""

# for each destination; Dagster stops a tick after 60 seconds
ROUND_LIMIT = timedelta(seconds=15)
DIGEST_ABOVE = 10
# Slack accepts one message per second
PACE_SECONDS = 1.0
_END = "\0end"
PAYLOADS: dict[str, Callable[[Sequence[Notification]], dict[str, Any]]] = {SLACK: slack.message, TEAMS: teams.message}


@dataclass(frozen=True)
class Claim:
    """A notification that only this notifier may send until the claim expires."""

    notification: Notification
    entry: Entry


@dataclass
class Report:
    """Result of a round at one destination, without secrets."""

    destination: str
    sent: list[Notification] = field(default_factory=list)
    messages: int = 0
    problem: str | None = None

    def describe(self) -> str:
        """Return a line for a log."""
        sent, messages = pluralize(len(self.sent), "notification"), pluralize(self.messages, "message")
        return f"{self.destination}: {sent} in {messages}" + (f"; {self.problem}" if self.problem else "")


@dataclass(frozen=True)
class Notifier:
    """Sends what is due in a lake. `clock` returns the time in UTC, `pace` waits between two messages."""

    lake: Lake
    config: NotificationConfig
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    pace: Callable[[float], None] = time.sleep

    def preview(self, incidents: Incidents) -> Iterator[tuple[str, list[Notification], dict[str, Any]]]:
        """Yield destination, notifications and payload of each message that is due; writes and sends nothing."""
        now = self.clock()
        outbox = read_outbox(self.lake, now)
        for webhook in self.config.webhooks:
            destination = webhook.destination
            due, _ = Selector(self.lake, outbox, destination, self.config, now).select(incidents)
            for group in _messages(_claims(due, destination, now)):
                notifications = [claim.notification for claim in group]
                yield destination, notifications, PAYLOADS[destination](notifications)

    def deliver(self, incidents: Incidents) -> list[Report]:
        """Do one round: send what is due to every destination.

        Raises:
            LakeError: when the lake cannot be read or written; claims then expire after LEASE.
        """
        return [self._deliver_to(webhook, incidents) for webhook in self.config.webhooks]

    def _deliver_to(self, webhook: Webhook, incidents: Incidents) -> Report:
        report = Report(webhook.destination)
        started = self.clock()
        claims, pause = retry_on_conflict(self._claim, webhook, incidents)
        if pause.is_blocked(started) and not claims:
            report.problem = f"waits until {pause.until:%Y-%m-%d %H:%M} UTC after {pause.attempts} failed attempts"
            return report
        groups = _messages(claims)
        for number, group in enumerate(groups):
            if number:
                self.pace(PACE_SECONDS)
            # the first message is sent even if reading a slow lake took all the time
            if number and self.clock() - started > ROUND_LIMIT:
                report.problem = "out of time; the next round sends the rest"
                self._record(_released(groups[number:]))
                break
            notifications = [claim.notification for claim in group]
            answer = post(webhook, PAYLOADS[webhook.destination](notifications), self.clock())
            now = self.clock()
            if answer.delivered:
                entries = [_delivered(claim, now) for claim in group]
                if pause.state == WAITING and not report.messages:
                    entries.append(Entry(_pause_key(webhook), READY))
                self._record(entries)
                report.sent += notifications
                report.messages += 1
            elif answer.refused:
                report.problem = answer.description
                self._record([_refused(claim.entry, now) for claim in group])
            else:
                waiting = _waiting(webhook, 0 if report.messages else pause.attempts, answer, now)
                report.problem = f"{answer.description}; next try after {waiting.until:%H:%M:%S} UTC"
                self._record([waiting, *_released(groups[number:])])
                break
        return report

    def _claim(self, webhook: Webhook, incidents: Incidents) -> tuple[list[Claim], DeliveryState]:
        """Return what is claimed, and the pause of the destination: selected and committed on one snapshot."""
        now = self.clock()
        target, outbox = open_outbox(self.lake, now)
        due, entries = Selector(self.lake, outbox, webhook.destination, self.config, now).select(incidents)
        pause = outbox.get(_pause_key(webhook))
        claims = _claims(() if pause.is_blocked(now) else due, webhook.destination, now)
        entries += [claim.entry for claim in claims]
        if entries:
            append(self.lake, target, entries, now)
        return claims, pause

    def _record(self, entries: Sequence[Entry]) -> None:
        try:
            record(self.lake, entries, self.clock())
        except LakeError as error:
            logger.warning("cannot record what was sent, so it may be sent again: %s", error)
            raise


def _claims(due: Iterable[Due], destination: str, now: datetime) -> list[Claim]:
    claims = []
    for notification, delivery in due:
        tenant_id, kind, subject_id = notification.tenant_id, notification.kind, notification.subject_id
        entry = Entry(
            NotificationKey(destination, kind, tenant_id, subject_id),
            CLAIMED,
            stable_id(
                tenant_id or "", f"{kind}\0{subject_id}\0{delivery.sent_count}{_END if notification.is_end else ''}"
            ),
            notification.lead_ids,
            until=now + LEASE,
            attempts=delivery.attempts,
        )
        claims.append(Claim(notification, entry))
    return claims


def _delivered(claim: Claim, now: datetime) -> Entry:
    state = RECOVERED if claim.notification.is_end else SENT
    return replace(claim.entry, state=state, until=None, attempts=0, sent_at=now)


def _messages(claims: Sequence[Claim]) -> list[list[Claim]]:
    """Return the claims of each message: one each, or a digest if there are many.

    What was refused before goes alone: a notification that the receiver cannot take must not block every digest.
    """
    refused = [claim for claim in claims if claim.entry.attempts]
    others = [claim for claim in claims if not claim.entry.attempts]
    if len(others) > DIGEST_ABOVE:
        return [others, *([claim] for claim in refused)]
    return [[claim] for claim in claims]


def _pause_key(webhook: Webhook) -> NotificationKey:
    return NotificationKey(webhook.destination, PAUSE, None, webhook.destination)


def _waiting(webhook: Webhook, failed_attempts: int, answer: Answer, now: datetime) -> Entry:
    """Return the pause of a destination: exponential back-off, or what it asked for if that is longer."""
    attempts = failed_attempts + 1
    wait = max(exponential_backoff(attempts), answer.retry_after or timedelta(0))
    return Entry(_pause_key(webhook), WAITING, until=now + wait, attempts=attempts)


def _released(groups: Sequence[Sequence[Claim]]) -> list[Entry]:
    return [replace(claim.entry, state=RELEASED, until=None) for group in groups for claim in group]


def _refused(entry: Entry, now: datetime) -> Entry:
    attempts = entry.attempts + 1
    return replace(entry, state=REFUSED, attempts=attempts, until=now + exponential_backoff(attempts))
