"""A lake in a folder of any name: delta-rs encodes paths, and readers must find the files."""

from datetime import date
from pathlib import Path

import pytest

from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.fences import fence_of, read_versions
from defender_assets.core.schemas import DEVICE_INFO
from defender_assets_tests.support.day_runs import run_day
from defender_assets_tests.support.exports import DAY, Folder, blob_path, local_lake, records


@pytest.mark.parametrize("name", ["My Lake", "größer & 100%", "a#b{c}"])
def test_a_lake_may_be_in_a_folder_of_any_name(name: str, tmp_path: Path) -> None:
    export = Folder(tmp_path / "export")
    lake = local_lake(tmp_path / name / "lake")
    for number in range(2):
        export.append(DEVICE_INFO, blob_path(), records(DEVICE_INFO, number, 1))
        run_day(lake, DirectoryExport(export.root), DAY)
    assert lake.read(DEVICE_INFO.name).collect()["DeviceId"].sort().to_list() == ["DeviceId-0", "DeviceId-1"]
    assert (read_versions(lake.open(DEVICE_INFO.name), {}) or {})[fence_of(DEVICE_INFO.name, date(2026, 11, 3))] == 2
    assert sorted(folder.name for folder in tmp_path.iterdir()) == sorted(["export", name])
