"""A team with webhooks, a lake and a clock, for tests of notifications."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from defender_assets.catalog import LEADS, QUEUE, STORIES
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.outputs.notifications.delivery import Notifier, Report
from defender_assets.outputs.notifications.incidents import Incidents
from defender_assets.outputs.notifications.schema import SENT_NOTICES
from defender_assets.outputs.notifications.webhooks import NotificationConfig, Webhook
from defender_assets_tests.support.exports import TENANT, local_lake
from defender_assets_tests.support.webhook_receiver import Receiver, receiving

TODAY = date(2026, 11, 3)
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


@dataclass
class Team:
    """Each `notify` uses a new notifier on a new lake object, as after a restart that lost everything else."""

    folder: Path
    slack: Receiver
    now: datetime = NOON
    teams: Receiver | None = None
    risk: int = 80
    ui_url: str | None = None
    paced: list[float] = field(default_factory=list)

    @property
    def lake(self) -> Lake:
        return local_lake(self.folder)

    @property
    def config(self) -> NotificationConfig:
        receivers = {"slack": self.slack, "teams": self.teams}
        webhooks = [Webhook(name, receiver.url) for name, receiver in receivers.items() if receiver]
        return NotificationConfig(tuple(webhooks), self.risk, self.ui_url)

    @property
    def notifier(self) -> Notifier:
        return Notifier(self.lake, self.config, lambda: self.now, self.paced.append)

    def notify(self, incidents: Incidents | None = None) -> list[Report]:
        return self.notifier.deliver(incidents or Incidents())

    def later(self, **passed: float) -> "Team":
        self.now += timedelta(**passed)
        return self

    def lead(self, lead_id: str, risk: int = 90, day: date = TODAY, **more: Any) -> None:
        self.put(LEADS.name, [{**_lead(lead_id, risk), **more}], day)

    def leads(self, *lead_ids: str) -> None:
        """Add leads of today in one commit, most urgent first."""
        self.put(LEADS.name, [_lead(lead_id, 99 - number % 19) for number, lead_id in enumerate(lead_ids)], TODAY)

    def story(self, story_id: str, *lead_ids: str, day: date = TODAY, **more: Any) -> None:
        row = {"story_id": story_id, "title": f"Story {story_id}", "lead_ids": list(lead_ids), "score": 70}
        self.put(STORIES.name, [{**row, "severity": "High", **more}], day, replaces=f"story_id = '{story_id}'")

    def queue(self, lead_id: str, priority: int, day: date = TODAY, **more: Any) -> None:
        """Add an entry of the queue: what the story of a lead made of its risk."""
        points = {"priority": min(priority, 100), "priority_points": priority}
        row = {"lead_id": lead_id, "story_id": "s", "story_title": "Story s", "story_score": 70, **points, **more}
        self.put(QUEUE.name, [row], day)

    def put(self, name: str, rows: list[dict[str, Any]], day: date, replaces: str | None = None) -> None:
        target = self.lake.fenced(name, day)
        frame = pl.DataFrame(
            [{"tenant_id": TENANT, "export_date": day, **row} for row in rows], schema=target.spec.schema
        )
        self.lake.commit(target, Commit([frame], target.version + 1, replaces))

    def entries(self) -> pl.DataFrame:
        return self.lake.read(SENT_NOTICES).sort("entry").collect()

    def titles(self) -> list[str]:
        """Headers of the messages that the Slack receiver accepted."""
        return [message["blocks"][0]["text"]["text"] for message in self.slack.accepted]


def _lead(lead_id: str, risk: int) -> dict[str, Any]:
    row = {"lead_id": lead_id, "alert_id": f"da{lead_id}", "title": f"Lead {lead_id}", "risk_score": risk}
    return {**row, "severity": "High", "product": "endpoint"}


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with receiving() as receiver:
        yield Team(tmp_path / "lake", receiver)
