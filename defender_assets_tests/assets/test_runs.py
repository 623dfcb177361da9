"""What a run of `ingest_day` does: one day, a range, again, with a full refresh; and what it tells about it."""

import base64
from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from defender_assets.catalog import DERIVED, LEADS
from defender_assets.core.lake.fences import version_of
from defender_assets.core.lake.lake import Lake
from defender_assets.core.leads.risk import ScoringConfig
from defender_assets.core.leads.risk.muting import Mute
from defender_assets.core.leads.risk.weights import packaged_weights
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_INFO, TABLES
from defender_assets.core.tables.build import build_table_day
from defender_assets.metadata.reports import counts_table
from defender_assets_tests.support.dagster_project import Workshop, metadata_of
from defender_assets_tests.support.days import day_before, today, yesterday
from defender_assets_tests.support.exports import blob_path, records

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
ASSETS = {
    *(table.raw for table in TABLES),
    *(table.name for table in TABLES),
    *(derived.name for derived in DERIVED),
    "quarantined_records",
}


def materialized(result: dg.ExecuteInProcessResult) -> list[tuple[str, str | None]]:
    return [
        (event.materialization.asset_key.to_user_string(), event.partition)
        for event in result.get_asset_materialization_events()
    ]


def alerts(lake: Lake, name: str, column: str) -> list[tuple[date, str]]:
    return lake.read(name).select("export_date", column).sort("export_date", column).collect().rows()


def took(told: dict[str, object], *timings: str) -> dict[str, object]:
    """What the run tells of its time; the phases add up."""
    names = ["seconds", *(f"seconds_{phase}" for phase in timings)]
    seconds = {name: float(str(told[name])) for name in names}
    assert seconds["seconds"] == pytest.approx(sum(seconds.values()) - seconds["seconds"], abs=0.01)
    return {name: told[name] for name in names}


def drawn(picture: object) -> str:
    """The SVG inside of a Markdown image."""
    encoded = str(picture).removesuffix(")").partition("base64,")[2]
    return base64.b64decode(encoded).decode()


def test_a_run_materializes_all_assets_of_the_day(workshop: Workshop) -> None:
    workshop.put(yesterday())
    result = workshop.run(yesterday())
    assert result.success
    assert sorted(materialized(result)) == sorted((asset, yesterday().isoformat()) for asset in ASSETS)
    assert find_stale_days(workshop.lake, workshop.export, [yesterday()]) == []


def test_raw_tells_how_many_bytes_came_and_how_many_wait(workshop: Workshop) -> None:
    content, tail = records(ALERT_INFO, 0, 3), b"the beginning of a line"
    workshop.folder.append(ALERT_INFO, blob_path(day=yesterday()), content + tail)
    told = metadata_of(workshop.run(yesterday()), ALERT_INFO.raw)
    assert told == took(told, "list", "read", "commit", "compact") | {
        "day": f"{len(content):,} new bytes of {len(content) + len(tail):,}",
        "new_bytes": len(content),
        "total_bytes": len(content) + len(tail),
        "pending_bytes": len(tail),
        "chunks": 1,
        "batch": 1,
        "blobs": 1,
        "tenants": 1,
        "replaced_blobs": 0,
    }


def test_typed_tables_tell_what_became_of_each_line_and_the_check_passes(workshop: Workshop) -> None:
    workshop.put(yesterday(), 0, 3)
    workshop.put(yesterday(), 2, 1)
    workshop.folder.append(ALERT_INFO, blob_path(day=yesterday()), b"\r\nnot a record\r\n{}\r\n")
    result = workshop.run(yesterday())
    told = metadata_of(result, ALERT_INFO.name)
    shown = {name: told.pop(name) for name in ("alerts_by_severity", "arrival_lag", "newest", "quarantine_reasons")}
    assert told == took(told, "look", "parse", "commit", "compact") | {
        "dagster/partition_row_count": 3,
        "new_rows": 3,
        "duplicates_dropped": 1,
        "quarantined_lines": 2,
        "blank_lines": 1,
        "lines": 7,
        "values_that_did_not_fit": 0,
        "parsed_up_to_batch": 1,
        "arrival_lag_median_seconds": 0.0,
        "arrival_lag_p95_seconds": 0.0,
    }
    assert shown["quarantine_reasons"] == counts_table("reason", "lines", {"not_json": 1, "no_envelope": 1})
    assert isinstance(shown["newest"], dg.TableMetadataValue)
    assert len(shown["newest"].records) == 3
    assert "under 1 min" in drawn(shown["arrival_lag"])
    checks = {
        check.asset_key.to_user_string(): check
        for check in result.get_asset_check_evaluations()
        if check.check_name == "line_balance"
    }
    assert set(checks) == {table.name for table in TABLES}
    assert all(check.passed for check in checks.values())
    assert {name: value.value for name, value in checks[ALERT_INFO.name].metadata.items()} == {
        "lines": 7,
        "good": 4,
        "quarantined": 2,
        "blank": 1,
        "records": 4,
        "new_rows": 3,
        "rows_landed": 3,
        "duplicates_dropped": 1,
    }


def test_the_quarantine_counts_and_shows_the_lines_that_were_refused(workshop: Workshop) -> None:
    for table in TABLES:
        workshop.folder.append(table, blob_path(day=yesterday()), b"<a href=//evil.example>click</a>\r\n")
    told = metadata_of(workshop.run(yesterday()), "quarantined_records")
    assert told["dagster/partition_row_count"] == 3
    assert told["reasons"] == counts_table("reason", "lines", {"not_json": 3})
    shown = told["preview"]
    assert isinstance(shown, dg.TableMetadataValue)
    assert [column.name for column in shown.schema.columns][:3] == ["table_name", "reason", "detail"]
    assert {row.data["table_name"] for row in shown.records} == {table.name for table in TABLES}
    assert {row.data["blob"] for row in shown.records} == {blob_path(day=yesterday())}


def test_leads_and_stories_tell_their_version_and_show_their_first_rows(workshop: Workshop) -> None:
    workshop.put(yesterday(), 0, 20)
    result = workshop.run(yesterday())
    told = metadata_of(result, "device_enriched_leads")
    assert (told["dagster/partition_row_count"], told["built_from_version"], told["written_by_this_run"]) == (
        20,
        3,
        True,
    )
    assert isinstance(told["preview"], dg.TableMetadataValue)
    assert len(told["preview"].records) == 10
    again = workshop.run(yesterday())
    assert metadata_of(again, "device_enriched_leads")["written_by_this_run"] is False
    assert metadata_of(again, "lead_stories")["written_by_this_run"] is False


def test_a_second_run_reads_only_what_is_new(workshop: Workshop) -> None:
    workshop.put(yesterday(), 0, 3)
    workshop.fill(yesterday())
    workshop.put(yesterday(), 3, 1)
    result = workshop.run(yesterday())
    assert metadata_of(result, ALERT_INFO.raw)["new_bytes"] == len(records(ALERT_INFO, 3, 1))
    assert metadata_of(result, ALERT_INFO.name)["lines"] == 1
    told = metadata_of(result, ALERT_INFO.name)
    assert (told["new_rows"], told["dagster/partition_row_count"]) == (1, 4)


def test_a_run_that_finds_nothing_new_still_tells_the_day(workshop: Workshop) -> None:
    workshop.put(yesterday(), 0, 3)
    runs = [workshop.run(yesterday()) for _ in range(2)]
    told, again = ([metadata_of(run, table.name) for table in TABLES] for run in runs)

    of_the_day = ("arrival_lag", "arrival_lag_median_seconds", "arrival_lag_p95_seconds", "newest")
    pictures = ("alerts_by_severity", "alerts_by_entity_type", "devices_by_os")
    for first, second, picture in zip(told, again, pictures, strict=True):
        assert second["new_rows"] == 0
        assert [second[name] for name in (picture, *of_the_day)] == [first[name] for name in (picture, *of_the_day)]


def test_a_day_without_blobs_is_a_run_without_rows(workshop: Workshop) -> None:
    result = workshop.run(yesterday())
    assert result.success
    assert metadata_of(result, "device_enriched_leads")["dagster/partition_row_count"] == 0


def test_the_running_day_is_a_partition(workshop: Workshop) -> None:
    workshop.put(today())
    assert workshop.run(today()).success
    assert alerts(workshop.lake, "device_enriched_leads", "alert_id") == [
        (today(), "AlertId-0"),
        (today(), "AlertId-1"),
    ]


def test_a_range_run_does_every_day_and_the_same_as_a_run_a_day(workshop: Workshop, tmp_path: Path) -> None:
    days = [day_before(back) for back in (3, 2)]
    for number, day in enumerate(days):
        workshop.put(day, number, 2)
    result = workshop.run(tags={RANGE_START: days[0].isoformat(), RANGE_END: days[-1].isoformat()})
    assert result.success
    assert sorted(materialized(result)) == sorted((asset, day.isoformat()) for asset in ASSETS for day in days)
    by_day = Lake(f"{tmp_path}/by-day", workshop.lake.tables)
    for day in days:
        for table in TABLES:
            ingest(by_day, workshop.export, table, day)
            build_table_day(by_day, table, day)
        for derived in DERIVED:
            build_partition(by_day, derived, day)
    for name, column in ((ALERT_INFO.name, "record_id"), ("device_enriched_leads", "lead_id")):
        assert alerts(workshop.lake, name, column) == alerts(by_day, name, column)
    leads = workshop.lake.read("device_enriched_leads").collect()
    assert leads.group_by("export_date").agg(pl.col("alert_id").sort()).sort("export_date").rows() == [
        (days[0], ["AlertId-0", "AlertId-1"]),
        (days[1], ["AlertId-2"]),
    ]


@pytest.mark.parametrize("how", ["tag", "configuration"])
def test_a_full_refresh_reads_again_what_the_account_holds_and_adds_nothing(workshop: Workshop, how: str) -> None:
    workshop.put(yesterday(), 0, 3)
    workshop.fill(yesterday())
    before = alerts(workshop.lake, ALERT_INFO.name, "record_id")
    asked = (
        workshop.run(yesterday(), tags={"full_refresh": "True"})
        if how == "tag"
        else workshop.run(yesterday(), refresh=(ALERT_INFO.raw,))
    )
    assert asked.success
    told = metadata_of(asked, ALERT_INFO.raw)
    assert (told["replaced_blobs"], told["new_bytes"], told["batch"]) == (1, len(records(ALERT_INFO, 0, 3)), 2)
    assert metadata_of(asked, "raw_device_info")["replaced_blobs"] == (1 if how == "tag" else 0)
    assert metadata_of(asked, ALERT_INFO.name)["new_rows"] == (3 if how == "tag" else 0)
    assert metadata_of(asked, "device_enriched_leads")["written_by_this_run"] is True
    assert alerts(workshop.lake, ALERT_INFO.name, "record_id") == before
    assert find_stale_days(workshop.lake, workshop.export, [yesterday()]) == []


def test_a_refresh_of_leads_alone_builds_them_again_at_the_same_version(workshop: Workshop) -> None:
    workshop.put(yesterday())
    workshop.fill(yesterday())
    version = version_of(workshop.lake.open("device_enriched_leads"), "device_enriched_leads", yesterday())
    told = metadata_of(workshop.run(yesterday(), refresh=("device_enriched_leads",)), "device_enriched_leads")
    assert (told["written_by_this_run"], told["built_from_version"]) == (True, version)
    assert not build_partition(workshop.lake, DERIVED[0], yesterday()).written


def test_a_run_judges_leads_by_the_files_of_the_team(workshop: Workshop) -> None:
    mute = Mute("ours", "known", (("title", ("*",)),))
    scoring = ScoringConfig({**packaged_weights(), "severity": {"medium": 50}}, (mute,))
    workshop = replace(workshop, settings=replace(workshop.settings, scoring=scoring))
    workshop.put(yesterday(), tables=(ALERT_INFO,))
    assert workshop.run(yesterday()).success
    leads = workshop.lake.read(LEADS.name).collect()
    assert leads["muted_by"].to_list() == ["ours: known"] * 2
    assert leads["risk_reasons"][0][0]["points"] == 50
