"""Building typed tables from raw: each record once per day, incrementally, despite interruptions."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from defender_assets.core.errors import ReconciliationError
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.fences import version_of
from defender_assets.core.lake.lake import Commit, FencedTable, Lake
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.quality.line_balance import line_balance
from defender_assets.core.raw import range_reader
from defender_assets.core.raw.batches import RawBatches, Source
from defender_assets.core.raw.ingest import RawReport, ingest, refresh
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO, QUARANTINE, Table
from defender_assets.core.tables import prefetch
from defender_assets.core.tables.build import TypedReport, build_table_day
from defender_assets.core.tables.daily_summary import summarize_day
from defender_assets.core.tables.parsing.coded_rows import CodedRows
from defender_assets.core.tables.parsing.lines import parse
from defender_assets.core.tables.parsing.typed_rows import Parsed
from defender_assets_tests.faults.lakes import DiedError, FaultyLake, Moment, died
from defender_assets_tests.support.exports import (
    DAY,
    MOMENT,
    OTHER_TENANT,
    TENANT,
    Folder,
    blob_path,
    line,
    local_lake,
    properties,
    records,
)


class Setup(NamedTuple):
    lake: Lake
    export: DirectoryExport
    folder: Folder

    @classmethod
    def below(cls, root: Path) -> "Setup":
        export = DirectoryExport(root / "export")
        return cls(local_lake(root / "lake"), export, Folder(export.root))

    def ingest(self, day: date = DAY) -> RawReport:
        return ingest(self.lake, self.export, ALERT_INFO, day)

    def build_table_day(self, day: date = DAY) -> TypedReport:
        return build_table_day(self.lake, ALERT_INFO, day)

    def rows(self) -> pl.DataFrame:
        return self.lake.read(ALERT_INFO.name).sort("export_date", "record_id").collect()

    def quarantined(self) -> pl.DataFrame:
        return self.lake.read(QUARANTINE).sort("blob", "byte_offset").collect()


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup.below(tmp_path)


BAD = b"not a record\r\n"


def test_records_and_bad_lines_arrive_and_a_second_run_does_nothing(setup: Setup) -> None:
    setup.folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 3) + b"\r\n" + BAD)
    setup.ingest()
    report = setup.build_table_day()
    assert (report.rows, report.duplicates, report.tally.quarantined, report.tally.blank) == (3, 0, 1, 1)
    assert report.balanced
    again = setup.build_table_day()
    assert (again.rows, again.tally.lines, again.balanced) == (0, 0, True)
    assert setup.rows().height == 3
    bad = setup.quarantined().row(0, named=True)
    assert bad["content"] == BAD.strip()
    assert (bad["table_name"], bad["reason"], bad["batch"]) == (ALERT_INFO.name, "not_json", 1)


@pytest.mark.parametrize("where", ["one chunk", "two blobs", "hours apart"])
def test_a_record_is_stored_once_a_day_however_its_copies_arrive(setup: Setup, where: str) -> None:
    props = properties(ALERT_INFO)
    first, second = line(ALERT_INFO, props), line(ALERT_INFO, props, time="2026-11-03T11:00:00Z")
    setup.folder.append(ALERT_INFO, blob_path(), first)
    if where == "hours apart":
        setup.ingest()
        setup.build_table_day()
    setup.folder.append(ALERT_INFO, blob_path(hour=8 if where == "one chunk" else 11), second)
    setup.ingest()
    report = setup.build_table_day()
    assert report.duplicates == 1
    assert report.balanced
    assert setup.rows().height == 1


def test_copies_of_two_days_and_of_two_tenants_stay(setup: Setup) -> None:
    props, following = properties(ALERT_INFO), DAY + timedelta(days=1)
    setup.folder.append(ALERT_INFO, blob_path(), line(ALERT_INFO, props))
    setup.folder.append(ALERT_INFO, blob_path(day=following), line(ALERT_INFO, props))
    setup.folder.append(ALERT_INFO, blob_path(tenant=OTHER_TENANT), line(ALERT_INFO, props, tenant=OTHER_TENANT))
    for day in (DAY, following):
        setup.ingest(day)
        setup.build_table_day(day)
    assert setup.rows().select("export_date", "tenant_id").sort("export_date", "tenant_id").rows() == [
        (DAY, TENANT),
        (DAY, OTHER_TENANT),
        (following, TENANT),
    ]


def test_a_batch_without_rows_raises_the_version(setup: Setup) -> None:
    setup.folder.append(ALERT_INFO, blob_path(), b"\r\n\r\n")
    setup.ingest()
    setup.build_table_day()
    assert version_of(setup.lake.open(ALERT_INFO.name), ALERT_INFO.name, DAY) == 1


def test_only_new_batches_are_read(setup: Setup) -> None:
    for number in range(3):
        setup.folder.append(ALERT_INFO, blob_path(hour=number), records(ALERT_INFO, number, 1))
        setup.ingest()
        assert setup.build_table_day().tally.lines == 1


def five_batches(setup: Setup) -> None:
    for number in range(5):
        setup.folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, number, 3) + BAD)
        setup.ingest()


def test_many_shares_give_the_same_result_as_one(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    five_batches(setup)
    opened: list[str] = []
    fenced = Lake.fenced

    def counted(self: Lake, name: str, day: date | None, fence: str | None = None) -> FencedTable:
        opened.append(name)
        return fenced(self, name, day, fence)

    monkeypatch.setattr(Lake, "fenced", counted)
    report = build_table_day(setup.lake, ALERT_INFO, DAY, portion_bytes=1)
    assert (report.rows, report.duplicates, report.batch) == (7, 8, 5)
    assert report.balanced
    assert setup.rows().height == 7
    assert setup.quarantined().height == 5
    assert opened == [QUARANTINE, ALERT_INFO.name]


@pytest.mark.parametrize("moment", ["during", "after"])
@pytest.mark.parametrize("name", [QUARANTINE, ALERT_INFO.name])
def test_copies_that_somebody_adds_between_two_shares_are_removed(setup: Setup, name: str, moment: Moment) -> None:
    """The run commits to quarantine, then to the table; these are the commits of the third share of five."""
    five_batches(setup)
    number = 5 + (name != QUARANTINE)

    def copied() -> None:
        setup.lake.read(name).collect().write_delta(setup.lake.table_uri(name), mode="append")

    meddled = FaultyLake.over(setup.lake, number, moment, copied)
    build_table_day(meddled, ALERT_INFO, DAY, portion_bytes=1)
    assert (meddled.fault.hits, meddled.fault.seen[number - 1]) == (1, name)
    assert setup.rows()["record_id"].n_unique() == setup.rows().height == 7
    assert setup.quarantined().height == 5
    assert setup.build_table_day().tally.lines == 0


def test_a_run_that_died_between_quarantine_and_table_is_completed(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 2) + BAD)
    setup.ingest()
    commit = Lake.commit

    def dying(self: Lake, target: FencedTable, rows: Commit) -> None:
        if target.spec.name == ALERT_INFO.name:
            raise KeyboardInterrupt
        commit(self, target, rows)

    monkeypatch.setattr(Lake, "commit", dying)
    with pytest.raises(KeyboardInterrupt):
        setup.build_table_day()
    monkeypatch.undo()
    assert setup.quarantined().height == 1
    setup.folder.append(ALERT_INFO, blob_path(), BAD)
    setup.ingest()
    report = setup.build_table_day()
    assert report.rows == 2
    assert report.balanced
    assert setup.quarantined().height == 2


def test_a_rebuild_from_raw_gives_the_same_result(setup: Setup) -> None:
    for number in range(4):
        setup.folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, number, 3) + BAD)
        setup.ingest()
        setup.build_table_day()
    rows, bad = setup.rows(), setup.quarantined()
    report = build_table_day(setup.lake, ALERT_INFO, DAY, rebuild=True, portion_bytes=1)
    assert (report.rows, report.tally.quarantined, report.balanced) == (6, 4, True)
    assert setup.rows().drop("byte_offset").equals(rows.drop("byte_offset"))
    assert setup.quarantined().equals(bad)


def test_a_full_refresh_duplicates_no_line_and_no_record(setup: Setup) -> None:
    setup.folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 3) + BAD)
    setup.ingest()
    setup.build_table_day()
    refresh(setup.lake, setup.export, ALERT_INFO, DAY)
    report = setup.build_table_day()
    assert (report.rows, report.duplicates, report.balanced) == (0, 3, True)
    assert setup.rows().height == 3
    assert setup.quarantined().height == 1


def test_a_rebuild_removes_only_rows_whose_bytes_raw_holds(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parser of today rejects a record, and raw has lost one blob and the older generation of another."""
    for hour in (8, 9, 10):
        setup.folder.append(ALERT_INFO, blob_path(hour=hour), records(ALERT_INFO, hour, 3) + BAD)
    setup.ingest()
    setup.build_table_day()
    setup.folder.append(ALERT_INFO, blob_path(hour=8), b"").write_bytes(records(ALERT_INFO, 20, 2) + BAD)
    setup.ingest()
    setup.build_table_day()
    before, bad = setup.rows(), setup.quarantined()
    assert (before.height, bad.height) == (3 + 2 + 2, 4)
    raw = setup.lake.open(ALERT_INFO.raw)
    raw.delete("hour = 9")
    generations = setup.lake.read(ALERT_INFO.raw).filter(hour=8).collect()["blob_created_at"].unique().sort()
    raw.delete(f"hour = 8 AND blob_created_at = '{generations[0].isoformat()}'")

    def stricter(table: Table, chunks: Iterator[tuple[Source, memoryview]], size: int) -> Iterator[Parsed]:
        changed = ((source, bytes(text).replace(b"AlertId-12", b"AlertId-\xff\xff")) for source, text in chunks)
        return parse(table, changed, size)

    monkeypatch.setattr(prefetch, "parse", stricter)
    # two of the older generation, while hour 10 has those of hour 9
    left = before.filter(pl.col("AlertId") != "AlertId-12")["record_id"].to_list()
    for _ in range(2):
        report = build_table_day(setup.lake, ALERT_INFO, DAY, rebuild=True, portion_bytes=1)
        assert (report.balanced, report.kept_rows, report.kept) == (True, 2, 4)
        assert setup.rows()["record_id"].to_list() == left
        assert setup.quarantined().height == 5
        assert "4 rows of this day stay" in line_balance(report).summary
        assert len(line_balance(report).facts["without_bytes_in_raw"]) == 4
    assert line_balance(setup.build_table_day()).facts["rows_without_bytes_in_raw"] == 4


def test_a_rebuild_of_one_table_keeps_the_quarantine_of_others(setup: Setup) -> None:
    for table in (ALERT_INFO, DEVICE_INFO):
        setup.folder.append(table, blob_path(), BAD)
        ingest(setup.lake, setup.export, table, DAY)
        build_table_day(setup.lake, table, DAY)
    build_table_day(setup.lake, ALERT_INFO, DAY, rebuild=True)
    assert sorted(setup.quarantined()["table_name"]) == sorted([ALERT_INFO.name, DEVICE_INFO.name])


def test_a_line_above_16_mib_is_quarantined_with_its_head_and_length(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(range_reader, "LONGEST_LINE", 100_000)
    monkeypatch.setattr(range_reader.RangeReader.up_to, "__defaults__", (30_000,))
    long = b"x" * 250_000
    setup.folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 1) + long + b"\r\n" + long + b"\n")
    setup.ingest()
    report = setup.build_table_day()
    assert (report.rows, report.tally.lines, report.balanced) == (1, 3, True)
    bad = setup.quarantined()
    assert bad["reason"].to_list() == ["line_too_long"] * 2
    assert bad["content"].to_list() == [long[:30_000]] * 2
    assert all("250000" in detail for detail in bad["detail"])
    assert bad["byte_offset"][1] - bad["byte_offset"][0] == len(long) + 2


def test_rows_are_sorted_within_a_commit(setup: Setup) -> None:
    setup.folder.append(ALERT_INFO, blob_path(), b"".join(records(ALERT_INFO, number, 1) for number in (5, 1, 3)))
    setup.ingest()
    setup.build_table_day()
    assert setup.lake.read(ALERT_INFO.name).collect()["AlertId"].is_sorted()


def test_shares_consist_of_whole_batches(setup: Setup) -> None:
    for number in range(4):
        setup.folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, number, 1))
        setup.ingest()
    size = len(records(ALERT_INFO, 0, 1))
    batches = RawBatches(setup.lake.open(ALERT_INFO.raw), DAY, 0, 4)
    portions = [(portion.after, portion.upto, portion.size) for portion in batches.split(2 * size)]
    assert portions == [(0, 2, 2 * size), (2, 4, 2 * size)]
    assert [(portion.after, portion.upto, portion.size) for portion in batches.split(10**9)] == [(0, 4, 4 * size)]


def test_times_of_the_envelope_may_be_missing(setup: Setup) -> None:
    content = line(ALERT_INFO, properties(ALERT_INFO)).replace(f'"time":"{MOMENT}",'.encode(), b"")
    setup.folder.append(ALERT_INFO, blob_path(), content)
    setup.ingest()
    report = setup.build_table_day()
    summary = summarize_day(setup.lake.open(ALERT_INFO.name), ALERT_INFO, DAY)
    assert (report.rows, summary.lag_median, summary.lags) == (1, None, {})


def test_a_parser_that_loses_a_record_commits_nothing(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    setup.folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 3) + BAD)
    setup.ingest()

    def forgetful(table: Table, chunks: Iterator[tuple[Source, bytes]], size: int) -> Iterator[Parsed]:
        for parsed in parse(table, chunks, size):
            yield replace(parsed, records=CodedRows.of(table, parsed.rows.head(2)))

    with monkeypatch.context() as patch:
        patch.setattr(prefetch, "parse", forgetful)
        for rebuild in (False, True):
            with pytest.raises(ReconciliationError, match="3 records not 2 rows"):
                build_table_day(setup.lake, ALERT_INFO, DAY, rebuild=rebuild)
    assert setup.rows().is_empty()
    assert setup.quarantined().is_empty()
    assert setup.build_table_day().rows == 3


@pytest.fixture(scope="module")
def lake_of_bad_lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a day with a bad line of 2 KB in each of 40 batches."""
    root = tmp_path_factory.mktemp("bad-lines")
    setup = Setup.below(root)
    for number in range(40):
        bad = b"no record %d " % number + b"x" * 2000 + b"\n"
        setup.folder.append(
            ALERT_INFO, blob_path(), bad + (records(ALERT_INFO, number, 1) if number % 10 == 0 else b"")
        )
        setup.ingest()
    setup.build_table_day()
    return root


@pytest.fixture
def forty_bad_lines(setup: Setup, lake_of_bad_lines: Path) -> pl.DataFrame:
    """The quarantine of a copy of that day."""
    shutil.copytree(lake_of_bad_lines, setup.folder.root.parent, dirs_exist_ok=True)
    return setup.quarantined()


def rebuild_counting(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Rebuild in portions of three lines; return the heights of the frames of each commit to quarantine."""
    commits: list[list[int]] = []
    commit = Lake.commit

    def counted(self: Lake, target: FencedTable, rows: Commit) -> None:
        heights: list[int] = []

        def frames() -> Iterator[pl.DataFrame]:
            for frame in rows.frames:
                heights.append(frame.height)
                yield frame

        commit(self, target, replace(rows, frames=frames()))
        if target.spec.name == QUARANTINE:
            commits.append(heights)

    with monkeypatch.context() as patched:
        patched.setattr(Lake, "commit", counted)
        report = build_table_day(setup.lake, ALERT_INFO, DAY, rebuild=True, portion_bytes=6000)
    assert (report.balanced, report.tally.quarantined, report.rows) == (True, 40, 4)
    return commits


def test_a_rebuild_writes_no_bad_line_that_quarantine_has(
    setup: Setup, forty_bad_lines: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rebuild_counting(setup, monkeypatch) == [[]]
    assert setup.quarantined().equals(forty_bad_lines)


def test_a_rebuild_adds_lost_bad_lines_in_commits_of_less_than_two_portions(
    setup: Setup, forty_bad_lines: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.lake.open(QUARANTINE).delete("byte_offset > 50000")
    lost = forty_bad_lines.height - setup.quarantined().height
    commits = rebuild_counting(setup, monkeypatch)
    assert sum(map(sum, commits)) == lost > 10
    assert min(map(sum, commits)) > 0
    assert max(map(sum, commits)) < 6
    assert setup.quarantined().equals(forty_bad_lines)


def test_a_rebuild_that_died_between_its_commits_of_bad_lines_is_completed(
    setup: Setup, forty_bad_lines: pl.DataFrame
) -> None:
    setup.lake.open(QUARANTINE).delete("byte_offset > 50000")
    dying = FaultyLake.over(setup.lake, 4, "after", died)
    with pytest.raises(DiedError):
        build_table_day(dying, ALERT_INFO, DAY, rebuild=True, portion_bytes=6000)
    assert dying.fault.seen[1:] == [QUARANTINE] * 3
    assert 0 < setup.quarantined().height < forty_bad_lines.height
    assert find_stale_days(setup.lake, setup.export, [DAY])
    setup.build_table_day()
    assert setup.quarantined().equals(forty_bad_lines)


@pytest.mark.parametrize("change", ["detail = 'of another version'", "byte_offset = 7"])
def test_a_rebuild_replaces_bad_lines_that_it_finds_no_more(
    setup: Setup, forty_bad_lines: pl.DataFrame, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    name, value = change.split(" = ")
    setup.lake.open(QUARANTINE).update({name: value}, predicate="byte_offset < 3000")
    (heights,) = rebuild_counting(setup, monkeypatch)
    assert sum(heights) == 40
    assert max(heights) <= 3
    assert setup.quarantined().equals(forty_bad_lines)
