"""An installation of its own for each test of the shell."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from defender_assets.settings import Settings
from defender_assets_tests.shell.workshop import LOOKBACK_DAYS, Workshop, start


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a Dagster instance keeps before its first run; to make its databases takes most of a second."""
    folder = tmp_path_factory.mktemp("empty-dagster")
    with dg.instance_for_test(temp_dir=str(folder)) as instance:
        instance.get_run_records(limit=1)
    return folder


@pytest.fixture
def home(tmp_path: Path, empty_home: Path) -> Path:
    """The directory that holds everything that Dagster keeps."""
    return Path(shutil.copytree(empty_home, tmp_path / "dagster"))


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance on SQLite, as in production."""
    with dg.instance_for_test(temp_dir=str(home)) as opened:
        yield opened


@pytest.fixture
def workshop(tmp_path: Path, instance: dg.DagsterInstance) -> Workshop:
    """An empty export in a directory, an empty lake."""
    settings = Settings(
        export_dir=tmp_path / "export",
        lake_uri=str(tmp_path / "lake"),
        start_date=start(),
        lookback_days=LOOKBACK_DAYS,
    )
    return Workshop(settings, instance)
