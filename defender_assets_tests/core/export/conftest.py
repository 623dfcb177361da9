"""Both kinds of export: a directory and an account."""

from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.export_accounts import Account, Directory, ExportStorage, account_storage


@pytest.fixture
def azure(account: Emulator, service: BlobServiceClient) -> Account:
    """The emulator's account, read with its key."""
    return account_storage(account, service)


@pytest.fixture(params=["directory", pytest.param("azure", marks=pytest.mark.azure)])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> ExportStorage:
    """An empty directory, and an empty account."""
    if request.param == "directory":
        return Directory(tmp_path / "export")
    account: Account = request.getfixturevalue("azure")
    return account
