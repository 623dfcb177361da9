"""The two kinds of export, and a lake for what is read from them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from defender_assets.core.lake import Lake
from defender_assets_tests.emulator import Emulator
from defender_assets_tests.export.places import Account, Directory, Place, account_place
from defender_assets_tests.exports import local_lake


@pytest.fixture
def service(account: Emulator) -> Iterator[BlobServiceClient]:
    """A client that writes to the emulator's account."""
    with account.service() as client:
        yield client


@pytest.fixture
def azure(account: Emulator, service: BlobServiceClient) -> Account:
    """The emulator's account, read with its key."""
    return account_place(account, service)


@pytest.fixture(params=["directory", pytest.param("azure", marks=pytest.mark.azure)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty directory, and an empty account."""
    if request.param == "directory":
        return Directory(tmp_path / "export")
    account: Account = request.getfixturevalue("azure")
    return account


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return local_lake(tmp_path / "lake")
