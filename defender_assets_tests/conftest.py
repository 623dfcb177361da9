"""Fixtures of all tests: isolation from the machine's settings, the emulator, an empty lake and a filled one.

Builders of records, exports and lakes are in `support` or beside their tests.
"""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient
from hypothesis import settings

from defender_assets.core.lake import files
from defender_assets.core.lake.lake import Lake
from defender_assets_tests.support.dagster_fixtures import instance, project
from defender_assets_tests.support.days import keep_clear_of_midnight
from defender_assets_tests.support.emulator import Emulator, run_emulator
from defender_assets_tests.support.exhaustive import leave_out
from defender_assets_tests.support.exports import local_lake
from defender_assets_tests.support.planted_lake import Planted, make_planted
from defender_assets_tests.support.small_lake import SmallLake, make_small_lake

__all__ = ["instance", "project"]

WAIT_MOST = ("test_growing_export.py", "test_working_in_dagster.py", "test_http.py")
"""Tests that wait minutes for other processes: they begin at once, in processes of their own, beside the fast tests."""

# A deadline would depend on the load of the machine; a fixed seed gives the same run everywhere.
settings.register_profile("defender", deadline=None, derandomize=True, database=None)
settings.load_profile("defender")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--pictures`, with which the browser tests rewrite the screenshots of the documents."""
    parser.addoption("--pictures", action="store_true", help="rewrite the screenshots of docs/pictures")


def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    """Run the fast tests first: unmarked, azure, live installations, long, browser.

    What waits for other processes takes a minute or more, so none of it runs at the end, when one process would wait
    for the other.
    """

    def rank(item: pytest.Item) -> tuple[int, bool]:
        if item.path.name in WAIT_MOST:
            return -1, False
        azure, live, long, browser = (
            item.get_closest_marker(mark) is not None for mark in ("azure", "live", "long", "browser")
        )
        if live and not long:
            return 2, not azure
        if long:
            return 3, not (azure or live)
        return 4 if browser else int(azure), azure

    leave_out(items, config)
    items.sort(key=rank)


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the settings of the machine, and give each test its own working directory (whose `.env` is read)."""
    for name in os.environ:
        if name.startswith(("AZURE_", "DEFENDER_")) or name == "DAGSTER_HOME" or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True, scope="session")
def fast_disk() -> Iterator[None]:
    """Do not sync files in this process, because each of thousands of commits would take 5 ms longer.

    Processes that a test starts do, and `core/lake/test_log_files` does.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_sync", lambda _: None)
        yield


@pytest.fixture(autouse=True)
def on_one_day() -> None:
    """Keep the current day the same during a test: see `days`."""
    keep_clear_of_midnight(seconds=30)


@pytest.fixture(scope="session")
def small_lake(tmp_path_factory: pytest.TempPathFactory) -> SmallLake:
    """An export and its lake for tests that only read. No test changes it."""
    return make_small_lake(tmp_path_factory.mktemp("small-lake"))


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """A sound lake and its export. A test takes back what it changes, or copies both."""
    return make_planted(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """The one emulator of this test session."""
    with run_emulator() as running:
        yield running


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake in a directory."""
    return local_lake(tmp_path / "lake")


@pytest.fixture
def account(emulator: Emulator) -> Emulator:
    """The emulator's account, without any container."""
    emulator.clear()
    return emulator


@pytest.fixture
def service(account: Emulator) -> Iterator[BlobServiceClient]:
    """A client that writes to the emulator's account."""
    with account.service() as client:
        yield client


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine on which no process listens or can start to listen."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        port: int = kept.getsockname()[1]
        yield port
