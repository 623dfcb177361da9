"""The commands, run as a user runs them, on the small simulated tenants of the fixture `small_lake`."""

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from defender_assets.cli import main
from defender_assets_tests.support.small_lake import SmallLake

Run = Callable[..., Result]


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
