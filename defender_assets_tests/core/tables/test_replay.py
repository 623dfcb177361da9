"""After a fix of the parser, quarantined lines move into the table once."""

import polars as pl
import pytest

from defender_assets.catalog import LEADS
from defender_assets.core.audit.findings import Kind
from defender_assets.core.audit.walk import audit_days
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_INFO, QUARANTINE, Table
from defender_assets.core.tables.build import build_table_day
from defender_assets.core.tables.replay import replay
from defender_assets_tests.support.exports import DAY, Folder, blob_path, line, properties, records


def quarantined_by_an_older_parser(lake: Lake, export: DirectoryExport, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ingest three records and one bad line, parsed by a version that accepted none of them."""
    content = records(ALERT_INFO, 0, 2) + line(ALERT_INFO, properties(ALERT_INFO)) + b"no record\r\n"
    Folder(export.root).append(ALERT_INFO, blob_path(), content)
    ingest(lake, export, ALERT_INFO, DAY)
    with monkeypatch.context() as patch:
        patch.setattr(Table, "category", "AdvancedHunting-Renamed")
        build_table_day(lake, ALERT_INFO, DAY)
    assert lake.read(QUARANTINE).collect().height == 4
    build_partition(lake, LEADS, DAY)


def test_lines_that_parse_now_move_into_the_table_once(
    lake: Lake, export: DirectoryExport, monkeypatch: pytest.MonkeyPatch
) -> None:
    quarantined_by_an_older_parser(lake, export, monkeypatch)
    (done,) = replay(lake)
    assert (done.lines, done.readable, done.rebuilt) == (4, 3, True)
    assert lake.read(ALERT_INFO.name).collect().height == 3
    assert lake.read(QUARANTINE).select("content").collect().rows() == [(b"no record",)]
    (again,) = replay(lake)
    assert (again.lines, again.readable, again.rebuilt) == (1, 0, False)
    assert lake.read(ALERT_INFO.name).collect().height == 3


def test_tables_derived_from_the_table_become_stale(
    lake: Lake, export: DirectoryExport, monkeypatch: pytest.MonkeyPatch
) -> None:
    quarantined_by_an_older_parser(lake, export, monkeypatch)
    replay(lake)
    (behind,) = find_stale_days(lake, export, [DAY])
    assert behind.missing == ()
    assert LEADS.name in {stale.table for stale in behind.stale}
    assert build_partition(lake, LEADS, DAY).rows.height == 3


def test_an_audit_finds_the_lines_before_and_nothing_after(
    lake: Lake, export: DirectoryExport, monkeypatch: pytest.MonkeyPatch
) -> None:
    quarantined_by_an_older_parser(lake, export, monkeypatch)
    (before,) = audit_days(lake, export, [DAY])
    # a record in such a line is named once, with the command that moves it
    assert {difference.kind for difference in before.differences} == {Kind.READABLE_LINE}
    replay(lake)
    build_partition(lake, LEADS, DAY)
    (after,) = audit_days(lake, export, [DAY])
    assert after.differences == []


def test_a_dry_run_changes_nothing(lake: Lake, export: DirectoryExport, monkeypatch: pytest.MonkeyPatch) -> None:
    quarantined_by_an_older_parser(lake, export, monkeypatch)
    before = lake.read(QUARANTINE).collect()
    (done,) = replay(lake, [DAY], dry_run=True)
    assert (done.readable, done.rebuilt) == (3, False)
    assert lake.read(QUARANTINE).collect().equals(before)


def test_the_head_of_a_line_above_16_mib_is_not_a_record(lake: Lake) -> None:
    row = {
        "tenant_id": "t",
        "export_date": DAY,
        "table_name": ALERT_INFO.name,
        "blob": "b",
        "byte_offset": 0,
        "reason": "line_too_long",
        "content": line(ALERT_INFO, properties(ALERT_INFO), tenant="t").strip(),
    }
    target = lake.fenced(QUARANTINE, DAY)
    lake.commit(target, Commit([pl.DataFrame([row], schema=target.spec.schema)], 1))
    (done,) = replay(lake)
    assert (done.lines, done.readable) == (1, 0)
