"""The audit finds each planted difference, and none in a sound lake."""

import shutil
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path

import polars as pl
import pytest

from defender_assets.catalog import DERIVED, LEADS
from defender_assets.core.audit.findings import Kind
from defender_assets.core.audit.walk import audit_days
from defender_assets.core.lake.clock import Clock
from defender_assets.core.lake.maintenance import maintain
from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.raw.ingest import refresh
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, QUARANTINE, TABLES
from defender_assets.core.tables.build import build_table_day
from defender_assets.core.tables.replay import replay
from defender_assets_tests.faults.damage import Operator, spoil_data
from defender_assets_tests.support.day_runs import run_day
from defender_assets_tests.support.exports import DAY, OTHER_TENANT, blob_path, compacted_above, records
from defender_assets_tests.support.planted_lake import BAD_LINE, FIRST, SECOND, Change, Planted

RAW = DEVICE_INFO.raw
TYPED = DEVICE_INFO.name
_FIRST_ROW = pl.int_range(pl.len()) == 0


def _set(column: str, value: object) -> Change:
    given = value if isinstance(value, pl.Expr) else pl.lit(value)
    return lambda rows: rows.with_columns(pl.when(_FIRST_ROW).then(given).otherwise(pl.col(column)).alias(column))


def _flipped(rows: pl.DataFrame) -> pl.DataFrame:
    content = rows["content"].to_list()
    content[0] = content[0].replace(b"host0", b"host1", 1)
    return rows.with_columns(pl.Series("content", content))


def _truncated(rows: pl.DataFrame) -> pl.DataFrame:
    content = rows["content"].to_list()
    content[0] = content[0][: content[0].index(b"\n") + 1]
    return rows.with_columns(pl.Series("content", content))


def _swapped(rows: pl.DataFrame) -> pl.DataFrame:
    # the chunks of both blobs have the same lengths
    content = rows["content"].to_list()
    first, other = rows["blob"].to_list().index(FIRST), rows["blob"].to_list().index(SECOND)
    content[first], content[other] = content[other], content[first]
    return rows.with_columns(pl.Series("content", content))


def _without(number: int) -> Change:
    return lambda rows: rows.filter(pl.int_range(pl.len()) != number)


def _doubled(rows: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([rows, rows.head(1)])


def _no_rows(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.clear()


_TABLES = (RAW, TYPED, QUARANTINE, LEADS_TABLE)
PLANTED: dict[str, tuple[str, Change, Kind, str | None]] = {
    "a byte flipped": (RAW, _flipped, Kind.BYTES, FIRST),
    "a chunk truncated": (RAW, _truncated, Kind.LENGTH, FIRST),
    "a first chunk dropped": (RAW, _without(0), Kind.HOLE, FIRST),
    "a last chunk dropped": (RAW, _without(2), Kind.ROW_WITHOUT_BYTES, FIRST),
    "a chunk doubled": (RAW, _doubled, Kind.OVERLAP, FIRST),
    "chunks swapped between blobs": (RAW, _swapped, Kind.BYTES, SECOND),
    "a chunk of another tenant": (RAW, _set("tenant_id", OTHER_TENANT), Kind.MISFILED, FIRST),
    "a chunk of another generation": (
        RAW,
        _set("blob_created_at", pl.col("blob_created_at") + timedelta(days=1)),
        Kind.MISPLACED_ROW,
        FIRST,
    ),
    "raw taken back": (RAW, _no_rows, Kind.ROW_WITHOUT_BYTES, SECOND),
    "a typed row dropped": (TYPED, _without(0), Kind.MISSING_ROW, FIRST),
    "a typed row doubled": (TYPED, _doubled, Kind.DOUBLE_ROW, FIRST),
    "a typed row changed": (TYPED, _set("DeviceName", "another"), Kind.CHANGED_ROW, FIRST),
    "a typed row of another record": (TYPED, _set("record_id", "0" * 32), Kind.EXTRA_ROW, FIRST),
    "a typed row of another tenant": (TYPED, _set("tenant_id", OTHER_TENANT), Kind.MISPLACED_ROW, FIRST),
    "a typed row of another generation": (
        TYPED,
        _set("blob_created_at", pl.col("blob_created_at") - timedelta(days=1)),
        Kind.MISPLACED_ROW,
        FIRST,
    ),
    "a typed table taken back": (TYPED, _no_rows, Kind.MISSING_ROW, SECOND),
    "a quarantined line dropped": (QUARANTINE, _no_rows, Kind.MISSING_LINE, FIRST),
    "a quarantined line doubled": (QUARANTINE, _doubled, Kind.DOUBLE_LINE, FIRST),
    "a quarantined line changed": (QUARANTINE, _set("content", b"other"), Kind.CHANGED_LINE, FIRST),
    "a quarantined line elsewhere": (QUARANTINE, _set("byte_offset", 3), Kind.EXTRA_LINE, FIRST),
    "a record in quarantine": (QUARANTINE, _set("byte_offset", 0), Kind.READABLE_LINE, FIRST),
    "a lead taken back": (LEADS_TABLE, _no_rows, Kind.MISSING_LEAD, FIRST),
    "a lead doubled": (LEADS_TABLE, _doubled, Kind.DOUBLE_LEAD, None),
    "a lead without a source": (
        LEADS_TABLE,
        _set("sources", pl.col("sources").list.head(0)),
        Kind.LEAD_WITHOUT_SOURCES,
        None,
    ),
    "a lead with the sources of another": (LEADS_TABLE, _set("alert_id", "da-2"), Kind.LEAD_SOURCE, FIRST),
    "a lead of another tenant": (LEADS_TABLE, _set("tenant_id", "someone-else"), Kind.LEAD_SOURCE, FIRST),
    "a line of a lost blob": (QUARANTINE, _set("blob", SECOND), Kind.LINE_WITHOUT_BYTES, SECOND),
}


def _rounds() -> list[list[str]]:
    """The names of the differences, so that one audit finds two of them where they are in tables apart."""
    of = {table: [name for name, planted in PLANTED.items() if planted[0] == table] for table in _TABLES}
    pairs = (*zip_longest(of[RAW], of[LEADS_TABLE]), *zip_longest(of[TYPED], of[QUARANTINE]))
    return [[name for name in pair if name] for pair in pairs]


@pytest.mark.parametrize("names", _rounds(), ids=" and ".join)
def test_a_planted_difference_is_found(planted: Planted, names: list[str], subtests: pytest.Subtests) -> None:
    with ExitStack() as changes:
        for name in names:
            table, change, _, _ = PLANTED[name]
            changes.enter_context(planted.changed(table, _in_first_blob(change) if table == TYPED else change))
        found = {(kind, blob) for kind, _, blob in planted.found()}
    for name in names:
        _, _, kind, blob = PLANTED[name]
        with subtests.test(name):
            assert (kind, blob) in found


@pytest.mark.parametrize(
    "names",
    [
        ("a byte flipped", "a typed row changed", "a quarantined line dropped", "a lead doubled"),
        pytest.param(
            ("a first chunk dropped", "a typed row doubled", "a record in quarantine", "a lead taken back"),
            marks=pytest.mark.exhaustive,
        ),
        ("a chunk of another tenant",),
    ],
)
def test_each_remedy_ends_in_a_sound_lake_or_names_the_backup(
    planted: Planted, tmp_path: Path, names: tuple[str, ...]
) -> None:
    made = Planted(Path(shutil.copytree(planted.root, tmp_path / "planted")))
    operator = Operator(made.lake, made.export, derived=[LEADS])
    with ExitStack() as changes:
        for name in names:
            table, change, _, _ = PLANTED[name]
            changes.enter_context(made.changed(table, _in_first_blob(change) if table == TYPED else change))
        remedies = {each.remedy for audit in made.audited() for each in audit.differences}
        backup = {remedy for remedy in remedies if "from a backup" in remedy}
        for remedy in sorted(remedies - backup):
            if "`defender-assets replay" in remedy:
                replay(made.lake, [DAY])
            else:
                operator.follow(remedy)
        left = {each.remedy for audit in made.audited() for each in audit.differences}
    assert bool(left) is bool(backup)
    assert backup <= left


def _in_first_blob(change: Change) -> Change:
    return lambda rows: change(rows.sort(rows["blob"] != FIRST, "byte_offset"))


def test_bytes_are_compared_with_the_tables_without_an_export(planted: Planted) -> None:
    assert planted.found(with_export=False) == set()
    with planted.changed(RAW, _swapped):
        assert {(Kind.MISPLACED_ROW, TYPED, FIRST), (Kind.MISPLACED_ROW, TYPED, SECOND)} <= planted.found(
            with_export=False
        )


def test_a_lead_is_compared_with_its_record_in_raw_and_in_the_typed_table(planted: Planted) -> None:
    for name in (ALERT_INFO.raw, ALERT_INFO.name):
        with planted.changed(name, _no_rows):
            assert (Kind.LEAD_SOURCE, LEADS_TABLE, FIRST) in planted.found()


def test_a_sound_lake_has_no_difference(planted: Planted) -> None:
    (audit,) = planted.audited()
    assert (audit.differences, audit.problems) == ([], [])
    info, evidence, devices = audit.tables
    assert all(table.record_set == table.typed_set for table in audit.tables)
    assert [(entry.lines, entry.records, entry.quarantined) for entry in info.entries if entry.blob == FIRST] == [
        (2, 1, 1)
    ]
    assert sorted(entry.duplicates for entry in evidence.entries) == [0, 0, 1]
    assert sum(entry.size for entry in devices.entries) == sum(
        file.stat().st_size for file in (planted.export.root / DEVICE_INFO.container).rglob("*.json")
    )


def test_bytes_that_raw_has_not_read_are_pending(planted: Planted, tmp_path: Path) -> None:
    made = _copy(planted, tmp_path)
    made.folder.append(DEVICE_INFO, SECOND, records(DEVICE_INFO, 90, 1)[:-2])
    made.folder.append(DEVICE_INFO, blob_path(hour=10), b"12345")
    (audit,) = made.audited()
    assert audit.differences == []
    assert audit.tables[-1].pending == len(records(DEVICE_INFO, 90, 1)) - 2 + 5
    assert audit.tables[-1].unread == {blob_path(hour=10): 5}


def test_a_day_without_alerts_and_a_lake_without_tables_are_sound(tmp_path: Path) -> None:
    made = Planted(tmp_path)
    assert made.audited() == []
    made.folder.append(DEVICE_INFO, FIRST, records(DEVICE_INFO, 0, 1))
    assert [audit.tables[-1].pending for audit in made.audited()] == [len(records(DEVICE_INFO, 0, 1))]
    run_day(made.lake, made.export, DAY, ())
    assert made.found() == set()


def _copy(planted: Planted, tmp_path: Path) -> Planted:
    return Planted(Path(shutil.copytree(planted.root, tmp_path / "copy")))


def test_a_damaged_file_is_a_problem_and_no_difference(planted: Planted, tmp_path: Path) -> None:
    made = _copy(planted, tmp_path)
    next_day = DAY + timedelta(days=1)
    evidence = (made.export.root / ALERT_EVIDENCE.container / FIRST).read_bytes()
    made.folder.append(ALERT_EVIDENCE, blob_path(next_day), evidence.replace(b'"User"', b'"Process"'))
    run_day(made.lake, made.export, next_day, [LEADS])
    spoil_data(made.lake, ALERT_INFO.raw, DAY, "cut")
    for found in (made.audited(), list(audit_days(made.lake, made.export, [next_day]))):
        assert [difference for audit in found for difference in audit.differences] == []
        assert f"the leads of {next_day} were not compared: alerts of {DAY} cannot be read" in found[-1].problems


def test_there_is_none_after_jobs_and_maintenance(planted: Planted, tmp_path: Path) -> None:
    """A recreated blob, refresh, rebuild, compaction, retention, and a day that looks back to the first one."""
    made = _copy(planted, tmp_path)
    lake = compacted_above(made.lake, 1)
    (made.export.root / DEVICE_INFO.container / FIRST).write_bytes(records(DEVICE_INFO, 50, 1))
    next_day = DAY + timedelta(days=1)
    evidence = (made.export.root / ALERT_EVIDENCE.container / FIRST).read_bytes()
    made.folder.append(ALERT_EVIDENCE, blob_path(next_day), evidence.replace(b'"User"', b'"Process"') + BAD_LINE)
    run_day(lake, made.export, DAY, [LEADS])
    run_day(lake, made.export, next_day, DERIVED)
    assert made.found() == set()
    for table in TABLES:
        refresh(lake, made.export, table, DAY)
        build_table_day(lake, table, DAY, rebuild=True)
        maintain(lake, table.raw, Clock(datetime.now(UTC)))
        maintain(lake, table.name, Clock(datetime.now(UTC)))
    for day in (DAY, next_day):
        build_partition(lake, LEADS, day)
    assert made.found() == set()
    (audit,) = audit_days(lake, made.export, [next_day])
    assert audit.differences == []
    # as if retention had removed the first day
    for name in [name for table in TABLES for name in (table.raw, table.name)] + [QUARANTINE, LEADS_TABLE]:
        lake.open(name).delete(f"export_date = '{DAY}'")
    short = replace(lake, keep_days=1)
    (audit,) = audit_days(short, made.export, [next_day])
    assert audit.differences == []
