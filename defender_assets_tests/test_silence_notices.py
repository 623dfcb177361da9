"""An outage of the export has one notice when it begins and one when it ends, although no run takes place."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from defender_assets import hourly_checks
from defender_assets.checks import FRESHNESS, QUIET_OR_BROKEN
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO, TABLES, Table
from defender_assets.core.tables.build import build_table_day
from defender_assets.outputs.notifications.delivery import Notifier
from defender_assets.outputs.notifications.webhooks import NotificationConfig, Webhook
from defender_assets.sensors.notifications import find_incidents
from defender_assets_tests.support.dagster_project import DagsterProject
from defender_assets_tests.support.days import day_before
from defender_assets_tests.support.exports import OTHER_TENANT, TENANT, blob_path, line, properties
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
        record = properties(table, **{table.key: f"{table.key}-{moment.hour}"})
        written = line(table, record, tenant=tenant, time=f"{moment:%Y-%m-%dT%H:%M:%S.0000000Z}")
        self.project.folder.append(table, path, written)
        # of the newest blob, the time of the last write says when its last record arrived
        os.utime(self.project.folder.root / table.container / path, (moment.timestamp(), moment.timestamp()))

    def fill(self, *days: int) -> None:
        for back in days:
            for table in TABLES:
                ingest(self.project.lake, self.project.export, table, day_before(back))

    def parse(self, *days: int) -> None:
        self.fill(*days)
        for back in days:
            build_table_day(self.project.lake, DEVICE_INFO, day_before(back))

    def hourly(self, now: datetime) -> list[str]:
        """The headings of the messages after the hourly checks and two rounds of the notifications."""
        self.monkeypatch.setattr(hourly_checks, "utc_now", lambda: now)
        before, project = len(self.receiver.accepted), self.project
        assert project.check(*((DEVICE_INFO.name, check.name) for check in (FRESHNESS, QUIET_OR_BROKEN))).success
        for _ in range(2):
            self.round(now)
        return [message["blocks"][0]["text"]["text"] for message in self.receiver.accepted[before:]]

    def round(self, now: datetime) -> None:
        project = self.project
        incidents = find_incidents(project.instance, now, project.settings.lookback_days)
        Notifier(project.lake, project.settings.notifications, lambda: now, lambda _: None).deliver(incidents)


@pytest.fixture
def watch(project: DagsterProject, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    with receiving() as receiver:
        config = NotificationConfig((Webhook("slack", receiver.url),), risk=100)
        settings = replace(project.settings, notifications=config, start_date=day_before(30))
        yield Watch(replace(project, settings=settings), receiver, monkeypatch)


def begins(*subjects: str) -> list[str]:
    return sorted(f"Data health: Silence: {subject}" for subject in subjects)


def ends(*subjects: str) -> list[str]:
    return sorted(f"Data health: Silence is over: {subject}" for subject in subjects)


def test_an_outage_has_a_notice_two_hours_after_the_last_heartbeat_and_one_when_it_ends(watch: Watch) -> None:
    now = datetime.now(UTC)
    for tenant in (TENANT, OTHER_TENANT):
        for back in range(9 * 24):
            watch.put(DEVICE_INFO, now - back * HOUR, tenant)
    watch.fill(*range(10))
    watch.parse(0, 1)
    both = (f"tenant {TENANT}", f"tenant {OTHER_TENANT}")
    assert watch.hourly(now) == []
    assert watch.hourly(now + HOUR) == []
    # freshness fails as well, and so does each day that ends meanwhile
    assert sorted(watch.hourly(now + 2 * HOUR + timedelta(minutes=1))) == begins(*both)
    assert watch.hourly(now + 3 * HOUR + timedelta(minutes=1)) == []

    # nothing has read the new records yet, so freshness fails for another reason than the silence
    again = now + 3 * HOUR + timedelta(minutes=2)
    watch.put(DEVICE_INFO, again)
    assert watch.hourly(again + timedelta(minutes=10)) == ends(f"tenant {TENANT}")
    assert watch.hourly(again + timedelta(minutes=80)) == []
    watch.parse(0, 1)
    assert watch.hourly(now + 8 * HOUR) == begins(f"tenant {TENANT}")
    for later in (26, 50):
        assert watch.hourly(now + later * HOUR) == [], later
    for tenant in (TENANT, OTHER_TENANT):
        watch.put(DEVICE_INFO, now + 51 * HOUR, tenant)
    assert sorted(watch.hourly(now + 51 * HOUR + timedelta(minutes=10))) == ends(*both)


def test_a_tenant_of_mail_only_is_quiet_over_a_weekend_and_reported_after_it(watch: Watch) -> None:
    """The weekend is one of this tenant: two days and a half without mail, a week after the last one."""
    last = datetime.now(UTC)
    for back in (0, 3, 24, 27, 48, 72, 96, 96 + 64, 96 + 72, 96 + 96):
        watch.put(ALERT_INFO, last - back * HOUR)
    watch.fill(*range(10))
    for later in (1, 6, 12, 24, 40, 64):
        assert watch.hourly(last + later * HOUR) == [], later
    for days, expected in ((11, begins(f"tenant {TENANT}")), (12, []), (13, [])):
        assert watch.hourly(last + timedelta(days=days)) == expected


def test_an_export_that_is_gone_is_reported_at_the_next_hourly_look(watch: Watch) -> None:
    now = datetime.now(UTC)
    for back in range(5):
        watch.put(DEVICE_INFO, now - back * HOUR)
    watch.put(ALERT_INFO, now)
    watch.put(ALERT_INFO, now, OTHER_TENANT)
    watch.parse(0, 1)
    export = watch.project.settings.export_dir
    assert watch.hourly(now) == []
    export.rename(export.with_name("elsewhere"))
    containers = [f"container {table.container}" for table in (ALERT_INFO, DEVICE_INFO)]
    assert sorted(watch.hourly(now + HOUR)) == begins(*containers)
    # the silence of the tenant follows from it
    for later in (2, 30, 100):
        assert watch.hourly(now + later * HOUR) == [], later
    export.with_name("elsewhere").rename(export)
    watch.put(DEVICE_INFO, now + 101 * HOUR)
    assert sorted(watch.hourly(now + 101 * HOUR)) == ends(*containers)
    # one notice for a tenant: its folder, later its heartbeats
    shutil.rmtree(export / ALERT_INFO.container / f"tenantId={TENANT}")
    assert watch.hourly(now + 102 * HOUR) == begins(f"tenant {TENANT}")
    assert watch.hourly(now + 150 * HOUR) == []


def test_an_export_that_cannot_be_listed_is_reported_once_until_it_recovers(watch: Watch) -> None:
    now = datetime.now(UTC)
    healthy = watch.project
    silent = RefusingExport(healthy.export, of_container=no_answer)
    broken = healthy.with_resources(export=silent)
    begun, ended = (f"Data health: The export {what}" for what in ("cannot be examined", "can be examined again"))
    for number, (project, expected) in enumerate(
        [(broken, [begun]), (broken, []), (healthy, [ended]), (healthy, []), (broken, [begun])]
    ):
        watch.project = project
        assert watch.hourly(now + number * HOUR) == expected
    # the hourly check stops for longer than its results count
    watch.round(now + timedelta(days=20))
    assert watch.hourly(now + timedelta(days=20)) == []
