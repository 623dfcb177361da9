"""The ground of the faults, and the emulator behind a proxy."""

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core.pipeline.transport import HttpTransport
from azure.storage.blob import BlobServiceClient

from defender_assets_tests.faults.proxy import Proxy, run_proxy
from defender_assets_tests.faults.scenario_setup import Ground
from defender_assets_tests.faults.small_runs import small_sizes
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.export_accounts import Account, Directory, account_place


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """A directory and a lake."""
    with small_sizes():
        yield Ground(tmp_path, Directory(tmp_path / "export"))


@pytest.fixture
def proxy(account: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """The emulator behind a proxy; the Azure SDK does not pause between its tries."""
    monkeypatch.setattr(HttpTransport, "sleep", lambda *_: None)
    with run_proxy(account) as running:
        yield running
    # the SDK leaves sockets of broken answers to the collector, which warns of each
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def cloud(tmp_path: Path, proxy: Proxy, service: BlobServiceClient) -> Iterator[Ground]:
    """The emulator's account, read through the proxy, and a lake in a folder."""
    with small_sizes():
        yield Ground(tmp_path, Account(service, account_place(proxy.emulator, service).connection_string))
