"""Each damage of a lake ends with the truth: by itself, or after what the error or maintenance says is done."""

import os
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import product
from pathlib import Path

import polars as pl
import pytest
from polars.exceptions import PanicException, PolarsError

from defender_assets.catalog import DERIVED, LAKE_TABLES
from defender_assets.checks import FRESHNESS, outcome_of
from defender_assets.core.azure.account import from_connection_string
from defender_assets.core.errors import LakeError
from defender_assets.core.export import DirectoryExport
from defender_assets.core.export.listing import list_table_day
from defender_assets.core.lake import maintenance
from defender_assets.core.lake.damage import NAMED, DamagedFilesError, naming_damage
from defender_assets.core.lake.data_files import data_files, files_of_day
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.lake.log_files import DamagedLogError, LogFiles, checkpoint_path, commit_path
from defender_assets.core.lake.maintenance import maintain
from defender_assets.core.lake.table_spec import TableSpec
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.quality.byte_balance import byte_balance
from defender_assets.core.quality.freshness import freshness
from defender_assets.core.raw.batches import RawBatches
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, QUARANTINE, TABLES
from defender_assets.core.schemas.column import integer
from defender_assets.core.tables.build import build_table_day
from defender_assets.core.triage.precision import QUALITY_TABLE
from defender_assets.core.triage.schema import VERDICTS_TABLE
from defender_assets.outputs.notifications.outbox import (
    CLAIMED,
    Entry,
    NotificationKey,
    append,
    open_outbox,
    read_outbox,
)
from defender_assets.outputs.notifications.schema import SENT_NOTICES
from defender_assets_tests.faults.damage import (
    KINDS,
    LOG_ROLES,
    Kind,
    LogRole,
    Operator,
    all_damage,
    log_path,
    spoil,
    spoil_data,
)
from defender_assets_tests.faults.lakes import DiedError, FaultyLake, Moment, died
from defender_assets_tests.support.day_runs import NOT_PROMISED, bytes_held, promised, run_day
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.exhaustive import some_of
from defender_assets_tests.support.exports import DAY, Folder, blob_path, local_lake, records

Tables = tuple[dict[tuple[str, str], bytes], dict[str, pl.DataFrame]]

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
BAD = b"no record\r\n"


def fill(lake: Lake, export: DirectoryExport) -> None:
    """Three runs of a day, so that each table of bytes and records has several files."""
    folder = Folder(export.root)
    for number in range(3):
        for table in TABLES:
            folder.append(table, blob_path(hour=8 + number % 2), records(table, number, 1) + BAD)
        run_day(lake, export, DAY)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tables]:
    """A folder with an export and a lake that holds it, which no test changes, and what its tables hold."""
    folder = tmp_path_factory.mktemp("filled")
    lake = local_lake(folder / "lake")
    fill(lake, DirectoryExport(folder / "export"))
    return folder, (bytes_held(lake), promised(lake))


@pytest.fixture
def operator(filled: tuple[Path, Tables], tmp_path: Path) -> Operator:
    """A copy of the filled lake and its export, and who looks after them."""
    shutil.copytree(filled[0], tmp_path, dirs_exist_ok=True)
    return Operator(local_lake(tmp_path / "lake"), DirectoryExport(tmp_path / "export"))


def assert_whole(operator: Operator, expected: Tables) -> None:
    assert all_damage(operator.lake) == []
    assert find_stale_days(operator.lake, operator.export, [DAY]) == []
    assert bytes_held(operator.lake) == expected[0]
    found = promised(operator.lake)
    for name, frame in expected[1].items():
        assert found[name].equals(frame), name


def spoil_each_kind(lake: Lake, names: Sequence[str]) -> dict[str, Kind]:
    """Damage a file in each way; return the kinds by path. The tables have at least four files of the day together."""
    files = [(name, path) for name in names for path in files_of_day(lake.open(name), DAY)["path"].sort()]
    chosen = dict(zip(files[:: len(files) // len(KINDS)], KINDS, strict=False))
    for (name, path), kind in chosen.items():
        spoil(lake.files(name), path, kind)
    assert set(chosen.values()) == set(KINDS)
    return {f"{name}/{path}": kind for (name, path), kind in chosen.items()}


DAMAGES: tuple[tuple[str, Kind], ...] = ((ALERT_INFO.raw, "cut"), (ALERT_INFO.name, "missing"))
BUILT = {
    "raw": tuple(table.raw for table in TABLES),
    "quarantine": (QUARANTINE,),
    "typed": tuple(table.name for table in TABLES),
    "derived": tuple(derived.name for derived in DERIVED),
}


@pytest.mark.parametrize("names", BUILT.values(), ids=BUILT.keys())
def test_damaged_data_files_are_named_and_the_remedy_brings_every_row_back(
    operator: Operator, filled: tuple[Path, Tables], names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "SAMPLE_FILES", 100)
    paths = spoil_each_kind(operator.lake, names)
    named = " ".join(maintain(operator.lake, name).damage or "" for name in names)
    assert all(path in named for path in paths)
    operator.follow(named)
    assert_whole(operator, filled[1])


def test_damage_to_every_table_at_once_is_repaired_by_a_refresh(
    operator: Operator, filled: tuple[Path, Tables]
) -> None:
    for names in BUILT.values():
        spoil_each_kind(operator.lake, names)
    operator.follow_damage(BUILT["raw"])
    assert_whole(operator, filled[1])


@pytest.mark.parametrize("moment", some_of(("during", "after"), "during".__eq__))
def test_a_refresh_of_damaged_files_may_die_at_any_commit_and_be_run_again(
    operator: Operator, filled: tuple[Path, Tables], moment: Moment
) -> None:
    lake, export = operator.lake, operator.export
    number, alive = 1, False
    while not alive:
        for name, kind in DAMAGES:
            spoil_data(lake, name, DAY, kind)
        dying = FaultyLake.over(lake, number, moment, died)
        try:
            Operator(dying, export, TABLES[:1], ()).refresh_day(DAY)
        except DiedError:
            number += 1
        else:
            alive = True
        Operator(lake, export, TABLES[:1], ()).refresh_day(DAY)
        assert bytes_held(lake) == filled[1][0]
        assert promised_rows_of(lake, ALERT_INFO.name).equals(filled[1][1][ALERT_INFO.name])
    assert number > 4


def test_damage_in_the_way_of_a_run_is_an_error_that_names_the_remedy(operator: Operator) -> None:
    paths = files_of_day(operator.lake.open(QUARANTINE), DAY)["path"].to_list()
    for number, path in enumerate(paths):
        spoil(operator.lake.files(QUARANTINE), path, KINDS[number % 4])
    operator.folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 7, 1) + BAD)
    ingest(operator.lake, operator.export, ALERT_INFO, DAY)
    with pytest.raises(DamagedFilesError) as caught:
        build_table_day(operator.lake, ALERT_INFO, DAY)
    assert str(caught.value).startswith("9 damaged files in the lake: ")
    assert "and 4 more" in str(caught.value)
    operator.follow(str(caught.value))
    assert operator.lake.read(QUARANTINE).collect().height == 10
    assert operator.lake.read(ALERT_INFO.name).collect().height == 4


@pytest.mark.parametrize("kind", KINDS)
def test_no_line_is_skipped_in_silence_when_a_file_of_raw_is_damaged(operator: Operator, kind: Kind) -> None:
    """Polars reads batches of the other files without an error."""
    lake = operator.lake
    shutil.rmtree(Path(lake.uri) / ALERT_INFO.name)
    path = spoil_data(lake, ALERT_INFO.raw, DAY, kind)
    with pytest.raises(DamagedFilesError) as caught:
        build_table_day(lake, ALERT_INFO, DAY)
    assert str(path) in str(caught.value)
    assert lake.read(ALERT_INFO.name).collect().height == 0
    with pytest.raises((PolarsError, OSError, PanicException)):
        list(RawBatches(lake.open(ALERT_INFO.raw), DAY, 0, 99).chunks())


def test_leads_that_cannot_read_a_damaged_day_say_which(operator: Operator) -> None:
    spoil_data(operator.lake, DEVICE_INFO.name, DAY, "cut")
    with pytest.raises(DamagedFilesError, match=f"{DEVICE_INFO.name}/.*the job rebuild_day for {DAY}"):
        build_partition(operator.lake, DERIVED[0], DAY, force=True)


def test_what_the_account_no_longer_has_is_named_with_its_bytes(operator: Operator) -> None:
    lake, gone = operator.lake, blob_path(hour=8)
    (operator.folder.root / ALERT_INFO.container / gone).unlink()
    files = files_of_day(lake.open(ALERT_INFO.raw), DAY).filter(pl.col("min.blob") == gone).sort("min.byte_start")
    first, second = files.select("path", "min.byte_start", "max.byte_end").iter_rows()
    content = bytes_held(lake)[ALERT_INFO.raw, gone]
    spoil(lake.files(ALERT_INFO.raw), first[0], "cut")
    (report,) = Operator(lake, operator.export, TABLES[:1], ()).refresh_day(DAY)
    (lost,) = report.lost
    assert (lost.blob, lost.byte_start, lost.byte_end, lost.exact) == (gone, 0, first[2], True)
    kept = lake.read(ALERT_INFO.raw).filter(pl.col("blob") == gone).collect()
    assert kept["content"].to_list() == [content[first[2] : second[2]]]
    assert all_damage(lake) == []
    outcome = byte_balance(lake, ALERT_INFO, DAY, list_table_day(operator.export, ALERT_INFO, DAY).blobs, {}, NOW)
    assert not outcome.passed
    assert f"{gone}, bytes 0 to {first[2]}" in outcome.summary


def test_a_file_that_cannot_be_read_at_present_is_not_damaged(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(LakeError, match="Permission denied"):
        all_damage(operator.lake, [ALERT_INFO.raw])


def test_a_damaged_table_fails_no_other_table_through_a_check_that_only_warns(operator: Operator) -> None:
    for kind in KINDS:
        spoil_data(operator.lake, ALERT_INFO.name, DAY, kind)
        outcome = outcome_of(FRESHNESS, lambda: freshness(operator.lake, ALERT_INFO, DAY, NOW))
        assert not outcome.passed
        assert "The check could not be evaluated" in outcome.summary
        if kind == "missing":
            break
        Operator(operator.lake, operator.export, TABLES[:1], ()).rebuild_day(DAY)


@pytest.mark.parametrize("kind", KINDS)
def test_the_byte_balance_names_files_of_another_size(operator: Operator, kind: Kind) -> None:
    path = spoil_data(operator.lake, ALERT_INFO.raw, DAY, kind)
    outcome = byte_balance(operator.lake, ALERT_INFO, DAY, [], {}, NOW)
    # garbage of the same size is found by maintenance, which opens files
    assert outcome.passed == (kind == "garbage")
    assert (str(path) in outcome.summary) == (kind != "garbage")


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_notices_are_left_out_and_the_others_stay(tmp_path: Path, kind: Kind) -> None:
    # maintenance opens up to five files
    lake = local_lake(tmp_path / "lake")
    keys = [NotificationKey("team", "lead", "tenant", str(number)) for number in range(3)]
    for key in keys:
        target, _ = open_outbox(lake, NOW)
        append(lake, target, [Entry(key, CLAIMED)], NOW)
    spoil_data(lake, SENT_NOTICES, NOW.date(), kind)
    named = maintain(lake, SENT_NOTICES).damage
    assert named
    with pytest.raises(DamagedFilesError, match="defender-assets repair sent_notices"):
        open_outbox(lake, NOW)
    Operator(lake, DirectoryExport(tmp_path)).follow(named)
    assert len([key for key in keys if read_outbox(lake, NOW).get(key).state]) == 2


STATEMENTS = TableSpec("statements", (integer("sequence", "Number of the statement"),), partition_by=(), daily=False)
"""A table without days that people write to, and nothing builds again."""


def read_statements(lake: Lake) -> list[int]:
    with naming_damage(lake, {STATEMENTS.name: (date.min, date.max)}):
        return sorted(lake.read(STATEMENTS.name).collect()["sequence"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damaged", [1, 2, 3])
def test_damaged_files_of_a_table_without_days_are_left_out_and_the_others_stay(
    tmp_path: Path, kind: Kind, damaged: int
) -> None:
    lake = Lake(str(tmp_path / "lake"), (STATEMENTS,))
    for sequence in (1, 2, 3):
        target = lake.fenced(STATEMENTS.name, DAY, STATEMENTS.name)
        lake.commit(target, Commit([pl.DataFrame({"sequence": [sequence]})], sequence))
    for path in data_files(lake.open(STATEMENTS.name))["path"][:damaged]:
        spoil(lake.files(STATEMENTS.name), path, kind)
    named = maintain(lake, STATEMENTS.name).damage
    assert named
    with pytest.raises(DamagedFilesError, match="defender-assets repair statements"):
        read_statements(lake)
    Operator(lake, DirectoryExport(tmp_path)).follow(named)
    assert len(read_statements(lake)) == 3 - damaged
    assert lake.fenced(STATEMENTS.name, DAY, STATEMENTS.name).version == 3
    assert maintain(lake, STATEMENTS.name).damage is None


def test_every_table_of_the_catalog_is_built_again_or_can_be_repaired() -> None:
    """The tests above damage the files of each."""
    built = {name for names in BUILT.values() for name in names}
    assert built == {spec.name for spec in LAKE_TABLES if spec.daily}
    assert [spec.name for spec in LAKE_TABLES if not spec.daily] == [SENT_NOTICES, VERDICTS_TABLE, QUALITY_TABLE]


# the log


def two_checkpoints(lake: Lake, name: str) -> LogFiles:
    """Give a table two checkpoints and two commits after the newer one."""
    for checkpoint in (True, True, False, False):
        if checkpoint:
            lake.open(name).create_checkpoint()
        target = lake.fenced(name, DAY)
        lake.commit(target, Commit([], target.version))
    log = LogFiles.of(lake.files(name))
    assert log is not None
    # delta-rs writes a checkpoint after every twentieth commit
    return log if max(log.checkpoints) <= max(log.commits) - 2 else two_checkpoints(lake, name)


@pytest.mark.parametrize("role", LOG_ROLES)
def test_a_damaged_log_opens_by_itself_or_after_what_the_error_says(
    operator: Operator, filled: tuple[Path, Tables], role: LogRole
) -> None:
    lake, name = operator.lake, ALERT_EVIDENCE.name
    log = two_checkpoints(lake, name)
    intact = Path(lake.uri) / name
    shutil.copytree(intact, intact.with_name("intact"))
    for kind in KINDS:
        spoil(lake.files(name), log_path(log, role), kind)
        try:
            lake.open(name)
        except DamagedLogError as error:
            assert role in {"newest commit", "commit"}
            operator.follow(str(error))
            build_table_day(lake, ALERT_EVIDENCE, DAY)
        assert promised_rows_of(lake, name).equals(filled[1][1][name])
        shutil.rmtree(intact)
        shutil.copytree(intact.with_name("intact"), intact)


def promised_rows_of(lake: Lake, name: str) -> pl.DataFrame:
    return lake.read(name).drop(NOT_PROMISED, strict=False).sort("export_date", "record_id").collect()


@pytest.mark.parametrize("version", [99, 1])
def test_a_hint_to_nowhere_does_not_matter(operator: Operator, filled: tuple[Path, Tables], version: int) -> None:
    name = ALERT_INFO.name
    log = two_checkpoints(operator.lake, name)
    hint = Path(operator.lake.uri) / name / log_path(log, "hint")
    hint.write_text(f'{{"version":{version},"size":3}}')
    assert promised_rows_of(operator.lake, name).equals(filled[1][1][name])


def test_a_cut_commit_of_raw_is_done_again(operator: Operator) -> None:
    operator.folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 7, 1))
    ingest(operator.lake, operator.export, ALERT_INFO, DAY)
    log = LogFiles.of(operator.lake.files(ALERT_INFO.raw))
    assert log is not None
    newest = Path(operator.lake.uri) / ALERT_INFO.raw / f"_delta_log/{max(log.commits):020}.json"
    newest.write_bytes(newest.read_bytes()[:-20])
    with pytest.raises(DamagedLogError) as caught:
        ingest(operator.lake, operator.export, ALERT_INFO, DAY)
    operator.follow(str(caught.value))
    run_day(operator.lake, operator.export, DAY)
    assert operator.lake.read(ALERT_INFO.name).collect().height == 4


@pytest.mark.parametrize(
    ("name", "kind"),
    some_of(
        product((ALERT_INFO.raw, ALERT_INFO.name, QUARANTINE), KINDS),
        {
            (ALERT_INFO.raw, "empty"),
            (ALERT_INFO.name, "cut"),
            (QUARANTINE, "garbage"),
        }.__contains__,
    ),
)
def test_a_damaged_first_commit_of_a_log_without_checkpoints_is_named_with_its_remedy(
    operator: Operator, filled: tuple[Path, Tables], name: str, kind: Kind
) -> None:
    spoil(operator.lake.files(name), commit_path(0), kind)
    with pytest.raises(DamagedLogError) as caught:
        operator.lake.open(name)
    operator.follow(str(caught.value))
    run_day(operator.lake, operator.export, DAY)
    assert_whole(operator, filled[1])


@pytest.mark.parametrize(
    "name",
    some_of(
        (ALERT_INFO.raw, ALERT_INFO.name, QUARANTINE, DERIVED[0].name), {ALERT_INFO.raw, ALERT_INFO.name}.__contains__
    ),
)
def test_a_table_that_lost_its_log_is_not_begun_again_over_its_files(
    operator: Operator, filled: tuple[Path, Tables], name: str
) -> None:
    log = Path(operator.lake.uri, name, "_delta_log")
    for file in log.iterdir():
        file.unlink()
    for read in (operator.lake.exists, operator.lake.read, operator.lake.open):
        with pytest.raises(DamagedLogError, match="has data files, but no log") as caught:
            read(name)
    assert list(log.iterdir()) == []
    operator.follow(str(caught.value))
    run_day(operator.lake, operator.export, DAY)
    assert_whole(operator, filled[1])


def test_maintenance_keeps_the_checkpoint_before_the_newest(operator: Operator, filled: tuple[Path, Tables]) -> None:
    lake, name = operator.lake, ALERT_INFO.name
    log = Path(lake.uri) / name / "_delta_log"
    for _ in range(3):
        target = lake.fenced(name, DAY)
        lake.commit(target, Commit([], target.version))
        maintain(lake, name)
        for file in log.iterdir():
            os.utime(file, (time.time() - 9 * 86_400,) * 2)
    maintain(lake, name)
    written = {file: file.stat().st_mtime for file in log.glob("*.parquet")}
    found = LogFiles.of(lake.files(name))
    assert found is not None
    older, newer = sorted(found.checkpoints)
    assert sorted(found.commits) == list(range(older, newer + 1))
    # a table without new commits gets no new checkpoint
    maintain(lake, name)
    assert {file: file.stat().st_mtime for file in log.glob("*.parquet")} == written
    for kind in KINDS:
        shutil.copytree(log, log.with_name("aside"), dirs_exist_ok=True)
        spoil(lake.files(name), checkpoint_path(newer), kind)
        assert lake.open(name).version() == newer
        shutil.copytree(log.with_name("aside"), log, dirs_exist_ok=True)
    shutil.rmtree(log.with_name("aside"))
    assert promised_rows_of(lake, name).equals(filled[1][1][name])


def test_maintenance_names_commits_that_lost_their_content(operator: Operator) -> None:
    log = two_checkpoints(operator.lake, ALERT_INFO.raw)
    spoil(operator.lake.files(ALERT_INFO.raw), log_path(log, "commit"), "empty")
    damage = maintain(operator.lake, ALERT_INFO.raw).damage
    assert damage
    assert str(max(log.commits) - 1) in damage


def test_maintenance_counts_the_empty_commits_that_it_does_not_name(operator: Operator) -> None:
    log = two_checkpoints(operator.lake, ALERT_INFO.raw)
    empty = sorted(log.commits)[:-1]
    for version in empty:
        spoil(operator.lake.files(ALERT_INFO.raw), commit_path(version), "empty")
    damage = maintain(operator.lake, ALERT_INFO.raw).damage
    assert len(empty) > NAMED
    assert f"{empty[0]}, {empty[1]}, {empty[2]}, {empty[3]}, {empty[4]}, and {len(empty) - NAMED} more" in str(damage)


# a lake in an account


@pytest.mark.azure
def test_a_damaged_lake_in_an_account_is_repaired_too(account: Emulator, tmp_path: Path) -> None:
    lake = Lake("az://lake/tables", LAKE_TABLES, from_connection_string("TEST", account.connection_string))
    operator = Operator(lake, DirectoryExport(tmp_path / "export"), TABLES[:1], ())
    for number in range(4):
        operator.folder.append(ALERT_INFO, blob_path(hour=number), records(ALERT_INFO, number, 1) + BAD)
        ingest(lake, operator.export, ALERT_INFO, DAY)
        build_table_day(lake, ALERT_INFO, DAY)
    names = (ALERT_INFO.raw, QUARANTINE, ALERT_INFO.name)
    bytes_before, rows = bytes_held(lake), promised_rows_of(lake, ALERT_INFO.name)
    for name in names:
        spoil_each_kind(lake, [name])
    assert len(all_damage(lake, names)) == 12
    operator.follow_damage([ALERT_INFO.raw])
    for number, role in enumerate(role for role in LOG_ROLES if role != "commit"):
        for kind in (KINDS[number % 4], KINDS[(number + 2) % 4]):
            spoil(lake.files(names[-1]), log_path(two_checkpoints(lake, names[-1]), role), kind)
            try:
                lake.open(names[-1])
            except DamagedLogError as error:
                assert role == "newest commit"
                operator.follow(str(error))
    assert all_damage(lake, names) == []
    assert bytes_held(lake) == bytes_before
    assert lake.read(QUARANTINE).collect().height == 4
    assert promised_rows_of(lake, ALERT_INFO.name).equals(rows)
