"""`repair`: leaves damaged files out of a table that no job builds again, and refuses every other table."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from defender_assets.cli.errors import CliError
from defender_assets.core.schemas import ALERT_INFO
from defender_assets.outputs.notifications.outbox import CLAIMED, Entry, NotificationKey, append, open_outbox
from defender_assets.outputs.notifications.schema import SENT_NOTICES
from defender_assets_tests.cli.conftest import Run
from defender_assets_tests.faults.damage import all_damage, spoil_data
from defender_assets_tests.support.exports import local_lake

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)


def test_damaged_notices_are_left_out(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = local_lake(tmp_path / "lake")
    monkeypatch.setenv("DEFENDER_LAKE_URI", lake.uri)
    for number in range(2):
        target, _ = open_outbox(lake, NOW)
        append(lake, target, [Entry(NotificationKey("team", "lead", "tenant", str(number)), CLAIMED)], NOW)
    path = spoil_data(lake, SENT_NOTICES, NOW.date(), "cut")
    assert f"would leave out {SENT_NOTICES}/{path} has " in run("repair", SENT_NOTICES, "--dry-run").output
    assert len(all_damage(lake)) == 1
    assert f"left out {SENT_NOTICES}/{path} has " in run("repair", SENT_NOTICES).output
    assert all_damage(lake) == []
    assert lake.read(SENT_NOTICES).collect().height == 1
    assert f"No damaged file in {SENT_NOTICES}." in run("repair", SENT_NOTICES).output


def test_tables_that_a_job_builds_are_refused(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = local_lake(tmp_path / "lake")
    monkeypatch.setenv("DEFENDER_LAKE_URI", lake.uri)
    lake.open(ALERT_INFO.name)
    refused = run("repair", ALERT_INFO.name)
    assert refused.exit_code == CliError.exit_code
    assert "run the job rebuild_day" in refused.stderr
    unknown = run("repair", "alerts")
    assert unknown.exit_code == CliError.exit_code
    assert f"no table of that name: the lake has {ALERT_INFO.raw}" in unknown.stderr
