"""Fixtures: a separate project for each test of the Dagster shell."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from defender_assets.settings import Settings
from defender_assets_tests.support.dagster_project import LOOKBACK_DAYS, DagsterProject, start


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """A Dagster instance on SQLite in memory, which halves the time of a run. Tests in `live` use one on disk."""
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture
def project(tmp_path: Path, instance: dg.DagsterInstance) -> DagsterProject:
    """A project with an empty export and an empty lake."""
    settings = Settings(
        export_dir=tmp_path / "export",
        lake_uri=str(tmp_path / "lake"),
        start_date=start(),
        lookback_days=LOOKBACK_DAYS,
    )
    return DagsterProject(settings, instance)
