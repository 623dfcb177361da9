"""What every test gets: isolation from the machine's settings; an emulator, a lake, a filled one for those that ask.

Builders of records, exports and lakes do not belong here but beside the tests that use them.
"""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient
from hypothesis import settings

from defender_assets.core.lake.lake import Lake
from defender_assets_tests.support.dagster_fixtures import instance, workshop
from defender_assets_tests.support.days import keep_clear_of_midnight
from defender_assets_tests.support.emulator import Emulator, run_emulator
from defender_assets_tests.support.exports import local_lake
from defender_assets_tests.support.small_lake import Held, make_held

__all__ = ["instance", "workshop"]

# A deadline measures the machine's other work; a fixed seed makes a run of the suite the same everywhere.
settings.register_profile("defender", deadline=None, derandomize=True, database=None)
settings.load_profile("defender")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take `--pictures`, by which the browser's tests write the documents' screenshots anew."""
    parser.addoption("--pictures", action="store_true", help="write the screenshots of docs/pictures anew")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the quick ones first: unmarked, those of the emulator, live installations, the long ones, the brief's pages.

    A live installation takes a minute or more, so none is left for the end, when one process would wait for the other.
    """

    def rank(item: pytest.Item) -> tuple[int, bool]:
        azure, live, long, browser = (
            item.get_closest_marker(mark) is not None for mark in ("azure", "live", "long", "browser")
        )
        if live and not long:
            return 2, not azure
        return 3 if long else 4 if browser else int(azure), azure

    items.sort(key=rank)


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test, and the working directory (whose `.env` is read) is the test's own."""
    for name in os.environ:
        if name.startswith(("AZURE_", "DEFENDER_")) or name == "DAGSTER_HOME" or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def on_one_day() -> None:
    """The running day is the same from the test's begin to its end: see `days`."""
    keep_clear_of_midnight(seconds=30)


@pytest.fixture(scope="session")
def held(tmp_path_factory: pytest.TempPathFactory) -> Held:
    """What the tests that only read look at: an export and its lake. No test changes it."""
    return make_held(tmp_path_factory.mktemp("held"))


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
    """A port of this machine on which nobody listens, and nobody else can begin to."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        port: int = kept.getsockname()[1]
        yield port
