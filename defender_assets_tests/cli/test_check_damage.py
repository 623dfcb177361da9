"""`check` names damaged files of the lake with the remedy, and no damage once it was followed."""

import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from defender_assets.catalog import LEADS
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.damage import SAMPLE_FILES
from defender_assets.core.lake.files import TableFiles
from defender_assets.core.lake.log_files import LogFiles, commit_path
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO, QUARANTINE, TABLES
from defender_assets.outputs.notifications.outbox import CLAIMED, Entry, NotificationKey, append, open_outbox
from defender_assets.outputs.notifications.schema import SENT_NOTICES
from defender_assets_tests.cli.conftest import Run, checked
from defender_assets_tests.faults.damage import Kind, Operator, spoil, spoil_data
from defender_assets_tests.support.day_runs import run_day
from defender_assets_tests.support.days import today, yesterday
from defender_assets_tests.support.exhaustive import some_of
from defender_assets_tests.support.exports import Folder, blob_path, local_lake, records

EXPORT, LAKE = ".defender/export", ".defender/lake"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory whose default lake has a day in every table."""
    root = tmp_path_factory.mktemp("whole")
    made, export, day, now = operator_of(root), Folder(root / EXPORT), yesterday(), datetime.now(UTC)
    for table in TABLES:
        export.append(table, blob_path(day=day), records(table, 0, 2) + b"no record\r\n")
    run_day(made.lake, made.export, day)
    target, _ = open_outbox(made.lake, now)
    append(made.lake, target, [Entry(NotificationKey("team", "lead", "tenant", "1"), CLAIMED)], now)
    return root


@pytest.fixture
def operator(whole: Path, tmp_path: Path) -> Operator:
    """A copy of that lake in the working directory, and who looks after it."""
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    return operator_of(tmp_path)


def operator_of(root: Path) -> Operator:
    return Operator(local_lake(root / LAKE), DirectoryExport(root / EXPORT))


def remedy(run: Run, path: str) -> str:
    """What `check` says of a damaged file."""
    found = checked(run, 1)
    line: str
    (line,) = (line for line in found["attention"] if path in line)
    assert found["lake"]["damaged"] == [line]
    assert path in "".join(run("check").stdout.split())
    return line


@pytest.mark.parametrize(
    ("name", "kind"),
    some_of(
        [
            (ALERT_INFO.raw, "garbage"),
            (QUARANTINE, "cut"),
            (DEVICE_INFO.name, "empty"),
            (LEADS.name, "missing"),
            (SENT_NOTICES, "garbage"),
        ],
        {(ALERT_INFO.raw, "garbage"), (LEADS.name, "missing"), (SENT_NOTICES, "garbage")}.__contains__,
    ),
)
def test_a_damaged_data_file_is_named_with_its_remedy(run: Run, operator: Operator, name: str, kind: Kind) -> None:
    path = spoil_data(operator.lake, name, today() if name == SENT_NOTICES else yesterday(), kind)
    operator.follow(remedy(run, str(path)))
    assert checked(run, 1)["lake"]["damaged"] == []


def test_a_damaged_log_is_named_with_its_remedy_and_hides_no_other_damage(run: Run, operator: Operator) -> None:
    files = operator.lake.files(SENT_NOTICES)
    log = LogFiles.of(files)
    assert log is not None
    spoil(files, commit_path(max(log.commits)), "cut")
    path = spoil_data(operator.lake, ALERT_INFO.raw, yesterday(), "missing")
    of_raw, of_log = checked(run, 1)["lake"]["damaged"]
    assert str(path) in of_raw
    operator.follow(of_log)
    operator.follow(of_raw)
    assert checked(run, 1)["lake"]["damaged"] == []


def test_a_log_in_the_way_of_everything_is_an_error_beside_the_other_damage(run: Run, operator: Operator) -> None:
    files = operator.lake.files(ALERT_INFO.raw)
    log = LogFiles.of(files)
    assert log is not None
    spoil(files, commit_path(max(log.commits)), "garbage")
    path = spoil_data(operator.lake, SENT_NOTICES, today(), "cut")
    found = checked(run, 2)
    (error,) = found["errors"]
    assert "the newest commit of the table is damaged" in error
    assert any(str(path) in line for line in found["attention"])
    assert error not in found["attention"]


def test_commits_that_lost_their_content_are_named(run: Run, operator: Operator) -> None:
    operator.folder.append(ALERT_INFO, blob_path(day=yesterday()), records(ALERT_INFO, 2, 2))
    run_day(operator.lake, operator.export, yesterday())
    files = operator.lake.files(ALERT_INFO.raw)
    log = LogFiles.of(files)
    assert log is not None
    spoil(files, commit_path(max(log.commits) - 1), "empty")
    assert any("commits of raw_alert_info that lost their content" in line for line in checked(run, 1)["attention"])


def test_check_opens_few_files_of_a_table(run: Run, operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    for hour in range(12):
        operator.folder.append(ALERT_INFO, blob_path(day=yesterday(), hour=hour), records(ALERT_INFO, hour, 1))
    run_day(operator.lake, operator.export, yesterday())
    opened: list[str] = []
    read = TableFiles.read

    def counted(files: TableFiles, path: str) -> bytes | None:
        if path.endswith(".parquet") and "checkpoint" not in path:
            opened.append(files.uri)
        return read(files, path)

    monkeypatch.setattr(TableFiles, "read", counted)
    checked(run, 1)
    assert max(Counter(opened).values()) == SAMPLE_FILES
