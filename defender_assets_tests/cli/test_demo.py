import json
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
import yaml  # type: ignore[import-untyped]  # Dagster brings it, without its types

import defender_assets
from defender_assets.catalog import LEADS
from defender_assets.check_results import current_failures
from defender_assets.checks import AUDIT, DRIFT
from defender_assets.cli.dagster_home import WORKSPACE
from defender_assets.cli.demo import scenario
from defender_assets.cli.demo.command import _HEADING, _line, _next, campaigns_found
from defender_assets.cli.demo.run import DayRun, audit_days, demo_instance, materialize_days
from defender_assets.cli.demo.scenario import faulty_day, old_demo, prepare_export, readable_line
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.schemas import ALERT_INFO
from defender_assets.settings import DEMO, DEMO_DAGSTER_HOME, DEMO_EXPORT_DIR, READING_DEMO, load_settings
from defender_assets_tests.cli.conftest import Run

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
TOTAL = re.compile(r"^([\d,]+) new bytes were read this time", re.MULTILINE)


def demo(folder: Path, home: Path) -> str:
    """Run the demo in a directory, in a process of its own, and return its output."""
    done = subprocess.run(
        [Path(sys.executable).parent / "defender-assets", "demo"],
        cwd=folder,
        env={"DAGSTER_HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def new_bytes(output: str) -> int:
    found = TOTAL.search(output)
    assert found is not None
    return int(found[1].replace(",", ""))


@pytest.mark.live
def test_the_demo_shows_leads_and_stories_and_what_is_to_be_fixed(tmp_path: Path, run: Run) -> None:
    home = tmp_path / "home"
    home.mkdir()

    output = demo(tmp_path, home)

    assert "telemetry" not in output
    assert new_bytes(output) > 1_000_000
    staged, found = re.findall(r"staged (\d+) attacks across products; (\d+) were found whole", output)[0]
    assert int(staged) == int(found) > 0
    assert "\n  defender-assets ui\n" in output
    assert output.startswith("Simulating the export of two small tenants ...\n")
    assert list(home.iterdir()) == []
    assert (tmp_path / DEMO / "dagster" / "dagster.yaml").exists()
    assert (tmp_path / DEMO / "dagster" / "history").is_dir()
    day = faulty_day(prepare_export(tmp_path)[0])
    assert f"makes the check drift fail on {day}" in output
    with dg.DagsterInstance.from_config(str(tmp_path / DEMO / "dagster")) as instance:
        # Dagster's timeline shows only runs of a code location
        origins = [run.remote_job_origin for run in instance.get_runs()]
        _, red = current_failures(instance, ALERT_INFO.name, DRIFT, datetime.now(UTC))
        _, audited = current_failures(instance, LEADS.name, AUDIT, datetime.now(UTC))
    assert {(origin.location_name, origin.job_name) for origin in origins if origin} == {
        ("defender_assets", "ingest_day"),
        ("defender_assets", "audit_lake"),
    }
    assert None not in origins
    (failed,) = red.items()
    assert failed[0] == day.isoformat()
    assert "rebuild_day" in failed[1].summary
    assert audited.keys() == {day.isoformat()}
    assert f"run `defender-assets replay --day {day}`" in audited[day.isoformat()].summary

    # the walk of docs/audit.md: replay, the runs that the sensor then asks for, and the audit
    assert "1 of 3 quarantined lines moved into the table" in run("replay", "--day", day.isoformat()).stdout
    settings = load_settings()
    days = [settings.start_date + timedelta(days=number) for number in range(scenario.DAYS)]
    behind = [stale.day for stale in find_stale_days(settings.lake(), settings.export(), days)]
    assert day in behind
    with demo_instance(tmp_path) as instance:
        assert [each.problems for each in materialize_days(settings, behind, instance)] == [()] * len(behind)
        audit_days(settings, instance)
        assert current_failures(instance, LEADS.name, AUDIT, datetime.now(UTC))[1] == {}
    # the file is not added again
    assert readable_line(prepare_export(tmp_path)[0], tmp_path / DEMO_EXPORT_DIR) is None


def test_the_demo_writes_to_its_own_directory_only_and_reads_no_byte_twice(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenario, "DAYS", 1)
    (tmp_path / ".env").write_text("AZURE_STORAGE_ACCOUNT_URL=https://acme.blob.core.windows.net\n")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    old = tmp_path / ".defender" / "demo.json"
    old.parent.mkdir()
    old.write_text("{}")

    result = run("demo")

    assert result.exit_code == 0
    assert "do not show this demo" in result.stdout
    assert result.stdout.endswith("remove it: rm -r .defender/demo.json\n")
    assert new_bytes(result.stdout) > 0
    assert {path.name for path in old.parent.iterdir()} == {"demo", "demo.json"}
    assert {path.name for path in (tmp_path / DEMO).iterdir()} == {
        "demo.json",
        "export",
        "lake",
        "dagster",
    }
    assert list(home.iterdir()) == []

    written = {path: path.read_bytes() for path in (tmp_path / DEMO_EXPORT_DIR).rglob("*.json")}
    assert new_bytes(run("demo").stdout) == 0
    assert {path: path.read_bytes() for path in written} == written


def test_outside_of_the_repository_the_demos_instance_has_the_settings_of_the_repository(tmp_path: Path) -> None:
    with demo_instance(tmp_path) as instance:
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        assert instance.run_monitoring_enabled
    packaged = Path(defender_assets.__file__).with_name("dagster.yaml")
    assert packaged.read_bytes() == (ROOT / "dagster.yaml").read_bytes()
    (ours,), (theirs,) = (
        yaml.safe_load(path.read_text())["load_from"]
        for path in (tmp_path / DEMO_DAGSTER_HOME / WORKSPACE, ROOT / "workspace.yaml")
    )
    # the repository's is relative to its file; without one, the working directory counts
    assert ours["python_module"] | {"working_directory": "."} == theirs["python_module"]


def test_no_line_of_the_demo_is_wider_than_80_columns(tmp_path: Path) -> None:
    run = DayRun(date(2026, 11, 25), 1234.5, 3_321_471, 2_105_000, 7_300, 6_000, 3_200, 300, ())
    there = tmp_path / ".venv" / "bin" / "defender-assets"
    there.parent.mkdir(parents=True)
    there.touch()

    outside = _next(tmp_path, date(2026, 11, 25))
    (tmp_path / "Makefile").touch()
    (tmp_path / "workspace.yaml").touch()
    inside = _next(tmp_path, date(2026, 11, 25))

    assert ("make ui" in outside, "make ui" in inside) == (False, True)
    assert "  .venv/bin/defender-assets ui\n" in outside
    lines = [*_HEADING.splitlines(), _line(run), *outside.splitlines(), *inside.splitlines()]
    assert max(map(len, lines)) <= 80


def test_a_wrong_setting_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenario, "DAYS", 1)
    monkeypatch.setenv("DEFENDER_START_DATE", "soon")

    result = run("demo")

    assert result.exit_code == 2
    assert result.stderr.startswith("error: DEFENDER_START_DATE is 'soon'")
    assert result.stderr.count("\n") == 1


def test_a_campaign_is_found_when_one_story_of_its_tenant_holds_all_its_alerts() -> None:
    leads = pl.DataFrame({"tenant_id": ["t", "t", "t"], "alert_id": ["1", "2", "3"], "lead_id": ["a", "b", "c"]})
    stories = pl.DataFrame({"tenant_id": ["t", "u"], "lead_ids": [["a", "b"], ["a", "b", "c"]]})
    campaigns = [
        {"tenant_id": "t", "alert_ids": ["1", "2"]},
        {"tenant_id": "t", "alert_ids": ["1", "2", "3"]},
        {"tenant_id": "t", "alert_ids": ["8", "9"]},
        {"tenant_id": "t", "alert_ids": ["1"]},
    ]

    assert campaigns_found(campaigns, leads, stories) == [True, False, False]


def test_the_scenario_is_kept_for_the_next_run(tmp_path: Path) -> None:
    written = prepare_export(tmp_path)

    assert prepare_export(tmp_path) == written
    assert json.loads((tmp_path / DEMO / "demo.json").read_bytes())["until"] is not None


@pytest.mark.parametrize("command", [["leads"], ["stories", "--format", "json"], ["check", "--format", "json"]])
def test_a_command_that_reads_the_demo_says_so_once_on_standard_error(
    tmp_path: Path, run: Run, command: list[str]
) -> None:
    prepare_export(tmp_path)

    result = run(*command)

    assert result.stderr == f"{READING_DEMO}\n"
    assert READING_DEMO not in result.stdout
    if "json" in command:
        json.loads(result.stdout)


def test_a_demo_of_another_version_is_named_with_the_command_that_removes_it(tmp_path: Path, run: Run) -> None:
    prepare_export(tmp_path)
    (tmp_path / DEMO / "demo.json").write_text("{")

    result = run("demo")

    assert result.exit_code == 2
    assert f"remove it (rm -r {DEMO})" in result.stderr


def test_a_demo_in_the_place_of_older_versions_is_named_with_the_command_that_removes_it(
    tmp_path: Path, run: Run
) -> None:
    prepare_export(tmp_path)
    assert old_demo(tmp_path) == ""
    (tmp_path / ".defender" / "lake").mkdir()
    (tmp_path / ".defender" / "demo.json").write_text("{}")
    assert not load_settings().reads_demo

    notes = json.loads(run("check", "--format", "json").stdout)["notes"]

    assert old_demo(tmp_path) in notes
    command = old_demo(tmp_path).partition("remove it: ")[2]
    assert command == "rm -r .defender/demo.json .defender/lake"
    subprocess.run(command.split(), cwd=tmp_path, check=True)
    assert old_demo(tmp_path) == ""
    assert load_settings().reads_demo


@pytest.mark.parametrize("where", [".env", "environment"])
def test_the_command_that_removes_an_old_demo_leaves_a_lake_that_may_be_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    for name in ("export", "lake", "dagster"):
        (tmp_path / ".defender" / name).mkdir(parents=True)
    (tmp_path / ".defender" / "demo.json").write_text("{}")
    assert old_demo(tmp_path).endswith("demo.json .defender/export .defender/lake .defender/dagster")

    if where == ".env":
        (tmp_path / ".env").write_text("DEFENDER_START_DATE=2026-11-01\n")
    else:
        monkeypatch.setenv("DEFENDER_START_DATE", "2026-11-01")

    assert old_demo(tmp_path).endswith("rm -r .defender/demo.json .defender/export")


def test_an_interrupted_simulation_is_finished(tmp_path: Path) -> None:
    written = prepare_export(tmp_path)
    export = tmp_path / DEMO_EXPORT_DIR
    (export / "ground_truth.json").unlink()
    truncated = next(export.rglob("h=*/m=00/PT1H.json"))
    content = truncated.read_bytes()
    truncated.write_bytes(content[:100])

    assert prepare_export(tmp_path) == written
    assert truncated.read_bytes() == content
