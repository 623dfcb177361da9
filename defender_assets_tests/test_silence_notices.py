"""A silent export causes a notice, although no run takes place and every check passed."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from defender_assets import hourly_checks
from defender_assets.checks import QUIET_OR_BROKEN
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO, TABLES, Table
from defender_assets.outputs.notifications import NotificationConfig, Webhook
from defender_assets.outputs.notifications.delivery import Notifier
from defender_assets.sensors.notifications import find_incidents
from defender_assets_tests.support.dagster_project import DagsterProject
from defender_assets_tests.support.days import day_before
from defender_assets_tests.support.exports import OTHER_TENANT, TENANT, blob_path, records
from defender_assets_tests.support.refusing_export import RefusingExport, no_answer
from defender_assets_tests.support.webhook_receiver import Receiver, receiving

HOUR = timedelta(hours=1)


@dataclass
class Watch:
    """A project that notifies, its receiver, and the clock of the hourly check."""

    project: DagsterProject
    receiver: Receiver
    monkeypatch: pytest.MonkeyPatch

    def put(self, table: Table, moment: datetime, tenant: str = TENANT) -> None:
        path = blob_path(moment.date(), moment.hour, tenant)
        self.project.folder.append(table, path, records(table, moment.hour, 1, tenant=tenant))

    def fill(self, *days: int) -> None:
        for back in days:
            for table in TABLES:
                ingest(self.project.lake, self.project.export, table, day_before(back))

    def hourly(self, now: datetime) -> list[str]:
        """The headings of the messages after the hourly check and a round of the notifications."""
        self.monkeypatch.setattr(hourly_checks, "utc_now", lambda: now)
        before, project = len(self.receiver.accepted), self.project
        assert project.check((DEVICE_INFO.name, QUIET_OR_BROKEN.name)).success
        incidents = find_incidents(project.instance, now, project.settings.lookback_days)
        Notifier(project.lake, project.settings.notifications, lambda: now, lambda _: None).deliver(incidents)
        texts = [message["blocks"][0]["text"]["text"] for message in self.receiver.accepted[before:]]
        return [text for text in texts if "quiet_or_broken" in text]


@pytest.fixture
def watch(project: DagsterProject, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    with receiving() as receiver:
        config = NotificationConfig((Webhook("slack", receiver.url),), risk=100)
        settings = replace(project.settings, notifications=config, start_date=day_before(30))
        yield Watch(replace(project, settings=settings), receiver, monkeypatch)


def notice(subject: str) -> str:
    return f"Data health: Check quiet_or_broken of {DEVICE_INFO.name} failed ({subject})"


def test_a_notice_is_out_two_hours_after_the_last_heartbeat_and_the_next_one_after_it_recovered(watch: Watch) -> None:
    now = datetime.now(UTC)
    for tenant in (TENANT, OTHER_TENANT):
        for back in range(9 * 24):
            watch.put(DEVICE_INFO, now - back * HOUR, tenant)
    watch.fill(*range(10))
    assert watch.hourly(now) == []
    assert watch.hourly(now + HOUR) == []
    silent = watch.hourly(now + 2 * HOUR + timedelta(minutes=1))
    assert sorted(silent) == sorted([notice(f"tenant {TENANT}"), notice(f"tenant {OTHER_TENANT}")])
    assert watch.hourly(now + 3 * HOUR + timedelta(minutes=1)) == []

    watch.put(DEVICE_INFO, now + 3 * HOUR)
    assert watch.hourly(now + 4 * HOUR + timedelta(minutes=1)) == []
    assert watch.hourly(now + 7 * HOUR) == [notice(f"tenant {TENANT}")]


def test_a_tenant_of_mail_only_is_quiet_over_a_weekend_and_told_of_after_it(watch: Watch) -> None:
    """The weekend is one of this tenant: two days and a half without mail, a week after the last one."""
    last = datetime.now(UTC)
    for back in (0, 3, 24, 27, 48, 72, 96, 96 + 64, 96 + 72, 96 + 96):
        watch.put(ALERT_INFO, last - back * HOUR)
    watch.fill(*range(10))
    for later in (1, 6, 12, 24, 40, 64):
        assert watch.hourly(last + later * HOUR) == [], later
    # each day that ended meanwhile has a notice too
    assert notice(f"tenant {TENANT}") in watch.hourly(last + timedelta(days=11))


def test_an_export_that_is_gone_is_told_at_the_next_hourly_look(watch: Watch) -> None:
    now = datetime.now(UTC)
    for table in TABLES:
        watch.put(table, now)
    watch.fill(0, 1)
    assert watch.hourly(now) == []
    shutil.rmtree(watch.project.settings.export_dir)
    assert sorted(watch.hourly(now + HOUR)) == sorted(notice(f"container {table.container}") for table in TABLES)


def test_an_export_that_cannot_be_listed_is_told_once_until_it_recovers(watch: Watch) -> None:
    now = datetime.now(UTC)
    healthy = watch.project
    silent = RefusingExport(healthy.export, of_container=no_answer)
    broken = healthy.with_resources(export=silent)
    for number, (project, expected) in enumerate(
        [(broken, [notice("export")]), (broken, []), (healthy, []), (broken, [notice("export")])]
    ):
        watch.project = project
        assert watch.hourly(now + number * HOUR) == expected
