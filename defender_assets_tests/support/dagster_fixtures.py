"""An installation of its own for each test of the shell."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from defender_assets.settings import Settings
from defender_assets_tests.support.dagster_project import LOOKBACK_DAYS, Workshop, start


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """A Dagster instance on SQLite, in memory: a run takes half as long as on a disk. Production's are in `live`."""
    with dg.DagsterInstance.ephemeral() as opened:
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
