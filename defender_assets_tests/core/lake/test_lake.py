"""A lake that cannot be used: the error names what is in the way and what to do."""

from pathlib import Path

import pytest

from defender_assets.core.errors import LakeError
from defender_assets.core.export import DirectoryExport
from defender_assets.core.schemas import ALERT_INFO
from defender_assets_tests.support.day_runs import run_day
from defender_assets_tests.support.exports import DAY, Folder, blob_path, local_lake, records

ADVICE = "a file is where a folder belongs: move it away"


@pytest.mark.parametrize(
    "in_the_way",
    ["folder", "folder/lake", f"folder/lake/{ALERT_INFO.raw}", f"folder/lake/{ALERT_INFO.name}/_delta_log"],
)
def test_a_file_where_a_folder_belongs_is_named(tmp_path: Path, in_the_way: str) -> None:
    file = tmp_path / in_the_way
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    Folder(tmp_path / "export").append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 1))
    lake, export = local_lake(tmp_path / "folder" / "lake"), DirectoryExport(tmp_path / "export")
    with pytest.raises(LakeError) as error:
        run_day(lake, export, DAY)
    assert str(error.value).endswith(f"; {file} is a file where a folder belongs: move it away")
    file.unlink()
    run_day(lake, export, DAY)


def test_a_file_in_place_of_a_day_gets_the_same_advice(tmp_path: Path) -> None:
    lake, folder = local_lake(tmp_path / "lake"), Folder(tmp_path / "export")
    folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 1))
    lake.open(ALERT_INFO.raw)
    file = Path(lake.uri, ALERT_INFO.raw, f"export_date={DAY}")
    file.touch()
    with pytest.raises(LakeError, match=rf"{file.name}.*Not a directory.*; {ADVICE}"):
        run_day(lake, DirectoryExport(tmp_path / "export"), DAY)
    file.unlink()
    run_day(lake, DirectoryExport(tmp_path / "export"), DAY)
