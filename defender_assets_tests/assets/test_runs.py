"""Runs of `ingest_day`: one day, a range, a second run, a full refresh; and their metadata."""

import base64
from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from defender_assets.catalog import DERIVED, LEADS, QUEUE, STORIES
from defender_assets.checks import AUDIT, BALANCES, CHECKS, STALE_DAYS
from defender_assets.core.lake.fences import version_of
from defender_assets.core.lake.lake import Lake
from defender_assets.core.leads.risk import ScoringConfig
from defender_assets.core.leads.risk.muting import Mute
from defender_assets.core.leads.risk.weights import packaged_weights
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.schemas import ALERT_INFO, TABLES
from defender_assets.metadata.reports import counts_table
from defender_assets_tests.support.dagster_project import RAW, TYPED, DagsterProject, metadata_of
from defender_assets_tests.support.day_runs import run_day
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


def timings_of(metadata: dict[str, object], *stages: str) -> dict[str, object]:
    """The timings of the run, whose stages must add up."""
    names = ["seconds", *(f"seconds_{stage}" for stage in stages)]
    seconds = {name: float(str(metadata[name])) for name in names}
    assert seconds["seconds"] == pytest.approx(sum(seconds.values()) - seconds["seconds"], abs=0.01)
    return {name: metadata[name] for name in names}


def drawn(picture: object) -> str:
    """The SVG inside of a Markdown image."""
    encoded = str(picture).removesuffix(")").partition("base64,")[2]
    return base64.b64decode(encoded).decode()


def test_a_run_materializes_all_assets_of_the_day(project: DagsterProject) -> None:
    project.put(yesterday())
    result = project.run(yesterday())
    assert result.success
    assert sorted(materialized(result)) == sorted((asset, yesterday().isoformat()) for asset in ASSETS)
    assert find_stale_days(project.lake, project.export, [yesterday()]) == []
    checks = result.get_asset_check_evaluations()
    # whether days are behind is not visible from a run
    assert {each.check_name for each in checks} == {check.name for _, check in CHECKS} - {STALE_DAYS.name, AUDIT.name}
    balances = {check.name for check, _ in BALANCES.values()}
    assert [each.passed for each in checks if each.check_name in balances] == [True] * len(balances)


def test_raw_reports_new_and_pending_bytes(project: DagsterProject) -> None:
    content, tail = records(ALERT_INFO, 0, 3), b"the beginning of a line"
    project.folder.append(ALERT_INFO, blob_path(day=yesterday()), content + tail)
    metadata = metadata_of(project.run(yesterday(), ALERT_INFO.raw), ALERT_INFO.raw)
    assert metadata == timings_of(metadata, "list", "read", "commit", "compact") | {
        "day": f"{len(content):,} new bytes of {len(content) + len(tail):,}",
        "new_bytes": len(content),
        "total_bytes": len(content) + len(tail),
        "pending_bytes": len(tail),
        "chunks": 1,
        "batch": 1,
        "blobs": 1,
        "tenants": 1,
        "unreadable_parts": 0,
        "replaced_blobs": 0,
    }


def test_typed_tables_report_what_became_of_each_line_and_the_check_passes(project: DagsterProject) -> None:
    project.put(yesterday(), 0, 3)
    project.put(yesterday(), 2, 1)
    project.folder.append(ALERT_INFO, blob_path(day=yesterday()), b"\r\nnot a record\r\n{}\r\n")
    result = project.run(yesterday(), *RAW, *TYPED)
    metadata = metadata_of(result, ALERT_INFO.name)
    shown = {name: metadata.pop(name) for name in ("alerts_by_severity", "arrival_lag", "newest", "quarantine_reasons")}
    assert metadata == timings_of(metadata, "look", "parse", "commit", "compact") | {
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
    shown_facts = {name: value.value for name, value in checks[ALERT_INFO.name].metadata.items()}
    assert isinstance(shown_facts.pop("results"), dg.TableMetadataValue)
    assert shown_facts == {
        "lines": 7,
        "good": 4,
        "quarantined": 2,
        "blank": 1,
        "records": 4,
        "new_rows": 3,
        "rows_landed": 3,
        "duplicates_dropped": 1,
        "rows_without_bytes_in_raw": 0,
    }


def test_the_quarantine_counts_and_shows_the_rejected_lines(project: DagsterProject) -> None:
    for table in TABLES:
        project.folder.append(table, blob_path(day=yesterday()), b"<a href=//evil.example>click</a>\r\n")
    result = project.run(yesterday(), *RAW, *TYPED, "quarantined_records")
    metadata = metadata_of(result, "quarantined_records")
    assert metadata["dagster/partition_row_count"] == 3
    assert metadata["reasons"] == counts_table("reason", "lines", {"not_json": 3})
    shown = metadata["preview"]
    assert isinstance(shown, dg.TableMetadataValue)
    assert [column.name for column in shown.schema.columns][:3] == ["table_name", "reason", "detail"]
    assert {row.data["table_name"] for row in shown.records} == {table.name for table in TABLES}
    assert {row.data["blob"] for row in shown.records} == {blob_path(day=yesterday())}


def test_leads_and_stories_report_their_version_and_first_rows(project: DagsterProject) -> None:
    project.put(yesterday(), 0, 20)
    project.fill(yesterday(), derived=())
    result = project.run(yesterday(), LEADS.name, STORIES.name)
    metadata = metadata_of(result, "device_enriched_leads")
    assert (
        metadata["dagster/partition_row_count"],
        metadata["built_from_version"],
        metadata["written_by_this_run"],
    ) == (
        20,
        3,
        True,
    )
    assert isinstance(metadata["preview"], dg.TableMetadataValue)
    assert len(metadata["preview"].records) == 10
    again = project.run(yesterday(), LEADS.name, STORIES.name)
    assert metadata_of(again, "device_enriched_leads")["written_by_this_run"] is False
    assert metadata_of(again, "lead_stories")["written_by_this_run"] is False


def test_a_second_run_reads_only_what_is_new(project: DagsterProject) -> None:
    project.put(yesterday(), 0, 3)
    project.fill(yesterday(), derived=())
    project.put(yesterday(), 3, 1)
    result = project.run(yesterday(), ALERT_INFO.raw, ALERT_INFO.name)
    assert metadata_of(result, ALERT_INFO.raw)["new_bytes"] == len(records(ALERT_INFO, 3, 1))
    assert metadata_of(result, ALERT_INFO.name)["lines"] == 1
    metadata = metadata_of(result, ALERT_INFO.name)
    assert (metadata["new_rows"], metadata["dagster/partition_row_count"]) == (1, 4)


def test_a_run_without_new_bytes_still_reports_the_whole_day(project: DagsterProject) -> None:
    project.put(yesterday(), 0, 3)
    runs = [project.run(yesterday(), *RAW, *TYPED) for _ in range(2)]
    metadata, again = ([metadata_of(run, table.name) for table in TABLES] for run in runs)

    of_the_day = ("arrival_lag", "arrival_lag_median_seconds", "arrival_lag_p95_seconds", "newest")
    pictures = ("alerts_by_severity", "alerts_by_entity_type", "devices_by_os")
    for first, second, picture in zip(metadata, again, pictures, strict=True):
        assert second["new_rows"] == 0
        assert [second[name] for name in (picture, *of_the_day)] == [first[name] for name in (picture, *of_the_day)]


def test_a_day_without_blobs_is_a_run_without_rows(project: DagsterProject) -> None:
    result = project.run(yesterday())
    assert result.success
    assert metadata_of(result, "device_enriched_leads")["dagster/partition_row_count"] == 0


def test_the_current_day_is_a_partition(project: DagsterProject) -> None:
    project.put(today())
    assert project.run(today()).success
    assert alerts(project.lake, "device_enriched_leads", "alert_id") == [
        (today(), "AlertId-0"),
        (today(), "AlertId-1"),
    ]


def test_a_range_run_gives_the_same_as_one_run_per_day(project: DagsterProject, tmp_path: Path) -> None:
    days = [day_before(back) for back in (3, 2)]
    for number, day in enumerate(days):
        project.put(day, number, 2)
    result = project.run(tags={RANGE_START: days[0].isoformat(), RANGE_END: days[-1].isoformat()})
    assert result.success
    assert sorted(materialized(result)) == sorted((asset, day.isoformat()) for asset in ASSETS for day in days)
    by_day = Lake(f"{tmp_path}/by-day", project.lake.tables)
    for day in days:
        run_day(by_day, project.export, day, [LEADS])
    for name, column in ((ALERT_INFO.name, "record_id"), ("device_enriched_leads", "lead_id")):
        assert alerts(project.lake, name, column) == alerts(by_day, name, column)
    leads = project.lake.read("device_enriched_leads").collect()
    assert leads.group_by("export_date").agg(pl.col("alert_id").sort()).sort("export_date").rows() == [
        (days[0], ["AlertId-0", "AlertId-1"]),
        (days[1], ["AlertId-2"]),
    ]


@pytest.mark.parametrize("how", ["tag", "configuration"])
def test_a_full_refresh_reads_the_account_again_and_adds_nothing(project: DagsterProject, how: str) -> None:
    project.put(yesterday(), 0, 3)
    project.fill(yesterday())
    before = alerts(project.lake, ALERT_INFO.name, "record_id")
    asked = (
        project.run(yesterday(), tags={"full_refresh": "True"})
        if how == "tag"
        else project.run(yesterday(), refresh=(ALERT_INFO.raw,))
    )
    assert asked.success
    metadata = metadata_of(asked, ALERT_INFO.raw)
    assert (metadata["replaced_blobs"], metadata["new_bytes"], metadata["batch"]) == (
        1,
        len(records(ALERT_INFO, 0, 3)),
        2,
    )
    assert metadata_of(asked, "raw_device_info")["replaced_blobs"] == (1 if how == "tag" else 0)
    assert metadata_of(asked, ALERT_INFO.name)["new_rows"] == (3 if how == "tag" else 0)
    assert metadata_of(asked, "device_enriched_leads")["written_by_this_run"] is True
    assert alerts(project.lake, ALERT_INFO.name, "record_id") == before
    assert find_stale_days(project.lake, project.export, [yesterday()]) == []


def test_a_refresh_of_leads_alone_builds_them_again_as_the_next_version(project: DagsterProject) -> None:
    project.put(yesterday())
    project.fill(yesterday(), [LEADS])
    version = version_of(project.lake.open(LEADS.name), LEADS.name, yesterday())
    metadata = metadata_of(project.run(yesterday(), LEADS.name, refresh=(LEADS.name,)), LEADS.name)
    assert (metadata["written_by_this_run"], metadata["built_from_version"]) == (True, version + 1)
    assert not build_partition(project.lake, LEADS, yesterday()).written


def test_a_run_scores_leads_with_the_files_of_the_team(project: DagsterProject) -> None:
    mute = Mute("ours", "known", (("title", ("*",)),))
    scoring = ScoringConfig({**packaged_weights(), "severity": {"medium": 50}}, (mute,))
    project = replace(project, settings=replace(project.settings, scoring=scoring))
    project.put(yesterday(), tables=(ALERT_INFO,))
    project.fill(yesterday(), derived=())
    assert project.run(yesterday(), LEADS.name).success
    leads = project.lake.read(LEADS.name).collect()
    assert leads["muted_by"].to_list() == ["ours: known"] * 2
    assert leads["risk_reasons"][0][0]["points"] == 50


def test_leads_and_previews_link_to_the_portal_of_the_settings(project: DagsterProject) -> None:
    portal = "https://security.microsoft.us"
    elsewhere = replace(project, settings=replace(project.settings, portal_url=portal))
    elsewhere.put(yesterday())

    result = elsewhere.run(yesterday())

    assert result.success
    urls = elsewhere.lake.read(LEADS.name).collect()["portal_url"]
    assert [url.startswith(f"{portal}/alerts/") for url in urls] == [True] * 2
    preview = str(metadata_of(result, QUEUE.name)["preview"])
    assert portal in preview
    assert "security.microsoft.com" not in preview
