"""The sensor for notifications: when it exists, which failures it finds, and that it survives a lost instance."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg
import polars as pl
import pytest

from defender_assets.assets import runs
from defender_assets.catalog import LEADS
from defender_assets.core.lake.lake import Commit
from defender_assets.core.schemas import ALERT_INFO, TABLES
from defender_assets.outputs.notifications.incidents import CHECK_FAILED, RUN_FAILED
from defender_assets.outputs.notifications.webhooks import NotificationConfig, Webhook
from defender_assets.sensors.notifications import find_incidents
from defender_assets_tests.support.dagster_project import LOOKBACK_DAYS, DagsterProject
from defender_assets_tests.support.days import yesterday
from defender_assets_tests.support.failing_export import FailingExport
from defender_assets_tests.support.webhook_receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def notifying(project: DagsterProject, receiver: Receiver) -> DagsterProject:
    """A project that notifies Slack of every lead, whatever its risk."""
    config = NotificationConfig((Webhook("slack", receiver.url),), risk=0)
    return replace(project, settings=replace(project.settings, notifications=config))


def notify(project: DagsterProject, instance: dg.DagsterInstance | None = None) -> str:
    definitions = project.definitions()
    sensor = definitions.resolve_sensor_def("notify_sensor")
    with dg.build_sensor_context(
        instance=instance or project.instance,
        definitions=definitions,
        resources={"lake": project.lake},
        sensor_name=sensor.name,
    ) as context:
        result = sensor.evaluate_tick(context)
    assert not result.run_requests
    return str(result.skip_message)


def test_the_sensor_exists_and_is_on_if_a_webhook_is_set(project: DagsterProject, notifying: DagsterProject) -> None:
    assert [sensor.name for sensor in project.definitions().sensors or ()] == ["new_blobs_sensor"]
    definitions = notifying.definitions()
    dg.Definitions.validate_loadable(definitions)
    sensor = definitions.resolve_sensor_def("notify_sensor")
    assert (sensor.default_status, sensor.minimum_interval_seconds) == (dg.DefaultSensorStatus.RUNNING, 60)


def test_a_lead_is_sent_once_even_if_the_instance_is_lost(notifying: DagsterProject, receiver: Receiver) -> None:
    target = notifying.lake.fenced(LEADS.name, yesterday())
    row = {"tenant_id": "t", "export_date": yesterday(), "lead_id": "l", "alert_id": "a", "title": "T", "risk_score": 9}
    notifying.lake.commit(target, Commit([pl.DataFrame([row], schema=target.spec.schema)], 1))
    assert notify(notifying) == "slack: 1 notification in 1 message"
    assert notify(notifying) == "slack: 0 notifications in 0 messages"
    with dg.DagsterInstance.ephemeral() as other:
        assert notify(notifying, other) == "slack: 0 notifications in 0 messages"
    assert len(receiver.asked) == 1


def test_failed_runs_and_checks_are_incidents_until_they_recover(
    notifying: DagsterProject, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "RETRIES", None)
    notifying.put(yesterday())
    broken = notifying.with_resources(export=FailingExport(notifying.settings.export_dir))
    assert not broken.run(yesterday()).success
    incidents = find_incidents(notifying.instance, datetime.now(UTC), LOOKBACK_DAYS)
    (failed,) = incidents.failing
    assert failed.key == (RUN_FAILED, yesterday().isoformat())
    assert "out of order" in failed.summary
    notify(notifying)
    notify(notifying)
    (message,) = receiver.accepted
    assert message["blocks"][0]["text"]["text"] == f"Data health: The run of {yesterday()} failed"
    assert "out of order" in str(message["blocks"])
    assert any(table.raw in str(message["blocks"]) for table in TABLES)
    assert notifying.check().success
    _, stale = find_incidents(notifying.instance, datetime.now(UTC), LOOKBACK_DAYS).failing
    assert stale.kind == CHECK_FAILED
    assert stale.title == f"Check stale_days of {LEADS.name} failed ({yesterday()})"
    assert "new bytes in 3 blobs; last run failure" in stale.summary
    assert notifying.run(yesterday()).success
    assert notifying.check().success
    incidents = find_incidents(notifying.instance, datetime.now(UTC), LOOKBACK_DAYS)
    assert {failed.key, stale.key} <= incidents.examined
    assert not {failed.key, stale.key} & {incident.key for incident in incidents.failing}
    # the day's own checks are examined as well
    assert (CHECK_FAILED, f"{yesterday()} line_balance of {ALERT_INFO.name}") in incidents.examined
