"""Fixtures of the fault tests: setups, and the emulator behind a proxy."""

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core.pipeline.transport import HttpTransport
from azure.storage.blob import BlobServiceClient

from defender_assets_tests.faults.proxy import Proxy, run_proxy
from defender_assets_tests.faults.scenario_setup import ScenarioSetup
from defender_assets_tests.faults.small_runs import small_sizes
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.export_accounts import Account, Directory, account_storage


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[ScenarioSetup]:
    """An export in a directory, and a lake."""
    with small_sizes():
        yield ScenarioSetup(tmp_path, Directory(tmp_path / "export"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ignore warnings about the sockets of broken responses, which the SDK leaves to the garbage collector."""
    for item in items:
        if isinstance(item, pytest.Function) and "proxy" in item.fixturenames:
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"))


@pytest.fixture(scope="module")
def module_proxy(emulator: Emulator) -> Iterator[Proxy]:
    """The emulator behind a proxy. Remaining sockets are collected at the end, before other tests."""
    with run_proxy(emulator) as running:
        yield running
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def proxy(account: Emulator, module_proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Proxy:
    """The empty account behind a proxy without a fault; the Azure SDK does not pause between its attempts."""
    monkeypatch.setattr(HttpTransport, "sleep", lambda *_: None)
    module_proxy.set_fault(None)
    return module_proxy


@pytest.fixture
def azure_setup(tmp_path: Path, proxy: Proxy, service: BlobServiceClient) -> Iterator[ScenarioSetup]:
    """The emulator's account, read through the proxy, and a lake in a folder."""
    with small_sizes():
        yield ScenarioSetup(tmp_path, Account(service, account_storage(proxy.emulator, service).connection_string))
