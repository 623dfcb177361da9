"""What the core's tests begin with: an empty export in a directory."""

from pathlib import Path

import pytest

from defender_assets.core.export import DirectoryExport
from defender_assets_tests.support.exports import Folder


@pytest.fixture
def export(tmp_path: Path) -> DirectoryExport:
    """A directory export without blobs."""
    return DirectoryExport(tmp_path / "export")


@pytest.fixture
def folder(export: DirectoryExport) -> Folder:
    """The hand that writes into `export`."""
    return Folder(export.root)
