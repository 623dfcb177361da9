"""The commands, run as a user runs them, on the small simulated tenants of the fixture `small_lake`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from defender_assets.catalog import STORIES
from defender_assets.cli import main
from defender_assets.core.lake.lake import Lake
from defender_assets_tests.support.exports import DAY, Folder
from defender_assets_tests.support.small_lake import SmallLake
from defender_assets_tests.support.triaged_leads import lead, put, put_leads

Run = Callable[..., Result]

# the leads and the story of the fixture `team`
AN_ID, ANOTHER, THIRD = "aa01", "aa02", "bb03"
STORY = "cc04"


@pytest.fixture
def run() -> Run:
    """Run a command as a user does; an exception that gets through fails the test."""

    def command(*arguments: str) -> Result:
        result = CliRunner().invoke(main, arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return command


@pytest.fixture
def on_small_lake(small_lake: SmallLake, monkeypatch: pytest.MonkeyPatch, run: Run) -> Run:
    """Run a command with settings that name the materialized tenant."""
    monkeypatch.setenv("DEFENDER_EXPORT_DIR", str(small_lake.export_dir))
    monkeypatch.setenv("DEFENDER_LAKE_URI", str(small_lake.lake_dir))
    return run


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The default export of the test's working directory."""
    return Folder(tmp_path / ".defender" / "export")


def checked(run: Run, exit_code: int, *secrets: str) -> dict[str, Any]:
    """Return what `check` says as JSON, after it has ended with an exit code and shown none of the secrets."""
    result = run("check", "--format", "json")
    assert result.exit_code == exit_code, result.output
    assert result.stdout.isascii()
    for secret in secrets:
        assert secret not in result.output
    if exit_code == 2:
        assert all(text.startswith("error: ") for text in result.stderr.splitlines())
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def container(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in found["export"]["containers"] if each["container"] == name)


@pytest.fixture
def team(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake with three leads, two of them in a story, that the commands read."""
    put_leads(lake, *(lead(each) for each in (AN_ID, ANOTHER, THIRD)))
    put(lake, STORIES.name, DAY, {"story_id": STORY, "lead_ids": [AN_ID, ANOTHER], "lead_count": 2, "points": 9})
    monkeypatch.setenv("DEFENDER_LAKE_URI", lake.uri)
    monkeypatch.setenv("DEFENDER_AUTHOR", "ana")
    monkeypatch.setenv("COLUMNS", "200")
    return lake


def shown(run: Run, *arguments: str) -> list[str]:
    """Return the ids that `leads` or `stories` shows as JSON."""
    rows = json.loads(run(*arguments, "--format", "json").stdout)
    return sorted(row.get("lead_id") or row["story_id"] for row in rows)
