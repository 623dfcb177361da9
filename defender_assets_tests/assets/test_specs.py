"""The asset graph as a literal, so that a change of any asset's contract is visible in review."""

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from defender_assets.assets.containers import container_specs
from defender_assets.core.azure.account import from_connection_string
from defender_assets.definitions import build_defs
from defender_assets.settings import Settings

OWNER = "team:security-data"
DAYS = "daily from 2026-11-01 UTC, the current day included"

CONTAINER = "insights-logs-advancedhunting-"

# key: group, kinds, checks (blocking ones with !), and the partitions that partition D reads of each upstream
EXPECTED = {
    f"{CONTAINER}alertinfo": ("export", "json", "", {}),
    f"{CONTAINER}alertevidence": ("export", "json", "", {}),
    f"{CONTAINER}deviceinfo": ("export", "json", "", {}),
    "raw_alert_info": ("export", "azure deltalake", "byte_balance!", {f"{CONTAINER}alertinfo": "D"}),
    "raw_alert_evidence": ("export", "azure deltalake", "byte_balance!", {f"{CONTAINER}alertevidence": "D"}),
    "raw_device_info": ("export", "azure deltalake", "byte_balance!", {f"{CONTAINER}deviceinfo": "D"}),
    "microsoft_365_defender_alert_info": (
        "tables",
        "deltalake polars",
        "drift freshness line_balance!",
        {"raw_alert_info": "D"},
    ),
    "microsoft_365_defender_alert_evidence": (
        "tables",
        "deltalake polars",
        "drift freshness line_balance!",
        {"raw_alert_evidence": "D"},
    ),
    "mdatp_device_info": (
        "tables",
        "deltalake polars",
        "drift freshness line_balance! quiet_or_broken",
        {"raw_device_info": "D"},
    ),
    "quarantined_records": (
        "tables",
        "deltalake",
        "",
        {
            "microsoft_365_defender_alert_info": "D",
            "microsoft_365_defender_alert_evidence": "D",
            "mdatp_device_info": "D",
        },
    ),
    "device_enriched_leads": (
        "leads",
        "deltalake polars",
        "audit completeness stale_days",
        {
            "microsoft_365_defender_alert_info": "D-30 to D",
            "microsoft_365_defender_alert_evidence": "D-30 to D",
            "mdatp_device_info": "D-7 to D",
        },
    ),
    "lead_stories": ("leads", "deltalake polars", "story_balance", {"device_enriched_leads": "D-7 to D"}),
    "lead_queue": (
        "leads",
        "deltalake polars",
        "queue_balance",
        {"device_enriched_leads": "D-7 to D", "lead_stories": "D"},
    ),
    "ocsf_detection_findings": ("leads", "deltalake polars", "finding_balance", {"device_enriched_leads": "D"}),
    "daily_briefs": (
        "leads",
        "deltalake polars",
        "brief_balance",
        {
            "device_enriched_leads": "D-7 to D",
            "lead_stories": "D",
            "lead_queue": "D",
            "mdatp_device_info": "D-7 to D",
            "quarantined_records": "D",
        },
    ),
    "lead_verdicts": ("leads", "deltalake", "", {"device_enriched_leads": "D", "lead_queue": "D"}),
    "detection_quality": (
        "leads",
        "deltalake",
        "",
        {"lead_verdicts": "D", "device_enriched_leads": "D", "lead_queue": "D"},
    ),
}
WITHOUT_DAYS = {"lead_verdicts", "detection_quality"}


@pytest.fixture
def definitions() -> dg.Definitions:
    return build_defs(Settings(lake_uri="/lake", start_date=date(2026, 11, 1)))


def span(mapping: dg.PartitionMapping | None) -> str:
    if mapping is None:
        return "D"
    assert isinstance(mapping, dg.TimeWindowPartitionMapping)
    assert mapping.end_offset == 0
    return f"D{mapping.start_offset} to D"


def days_of(partitions: dg.PartitionsDefinition[str] | None) -> str:
    assert isinstance(partitions, dg.DailyPartitionsDefinition)
    assert partitions.end_offset == 1
    return f"daily from {partitions.start:%Y-%m-%d} {partitions.timezone}, the current day included"


ROOT = Path(__file__).parents[2]


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project


def external(spec: dg.AssetSpec) -> bool:
    return spec.key.to_user_string().startswith(CONTAINER)


def test_the_graph_matches_the_literal(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    found = {}
    for spec in definitions.resolve_all_asset_specs():
        checks = [graph.get_check_spec(key) for key in graph.get_check_keys_for_assets({spec.key})]
        found[spec.key.to_user_string()] = (
            spec.group_name,
            " ".join(sorted(spec.kinds)),
            " ".join(sorted(f"{check.name}{'!' if check.blocking else ''}" for check in checks)),
            {dep.asset_key.to_user_string(): span(dep.partition_mapping) for dep in spec.deps},
        )
        if external(spec) or spec.key.to_user_string() in WITHOUT_DAYS:
            assert spec.partitions_def is None
        else:
            assert days_of(spec.partitions_def) == DAYS
        assert list(spec.owners) == [OWNER]
        assert spec.description
        # the catalog shows the first paragraph as plain text
        assert not set("*`") & set(spec.description.partition("\n\n")[0])
    assert found == EXPECTED


def test_every_table_shows_its_columns_with_meanings_and_its_location(definitions: dg.Definitions) -> None:
    for spec in definitions.resolve_all_asset_specs():
        if external(spec):
            continue
        key = spec.key.to_user_string()
        schema = spec.metadata["dagster/column_schema"]
        assert isinstance(schema, dg.TableSchema)
        days = set() if key in WITHOUT_DAYS else {"export_date"}
        assert {"tenant_id", *days} <= {column.name for column in schema.columns}
        assert all(column.description for column in schema.columns)
        assert spec.metadata["dagster/table_name"] == key
        assert spec.metadata["dagster/uri"] == f"/lake/{key}"
        page = str(spec.metadata["docs"].value).rpartition("/docs/")
        assert page[0] == f"{_project()['urls']['Homepage']}/blob/main"
        assert (ROOT / "docs" / page[2]).exists()


def test_jobs_sensor_and_schedules_match_the_literals(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    (sensor,) = repository.sensor_defs
    jobs = {job.name: job for job in repository.get_all_jobs() if not job.name.startswith("__")}
    assert set(jobs) == {
        "ingest_day",
        "refresh_day",
        "rebuild_day",
        "check_days",
        "sweep_older_days",
        "maintain_lake",
        "measure_quality",
        "audit_lake",
    }
    assert all(job.executor_def is dg.in_process_executor for job in jobs.values())
    assert (sensor.name, sensor.minimum_interval_seconds) == ("new_blobs_sensor", 10)
    assert {target.job_name for target in sensor.targets} == {"ingest_day", "sweep_older_days"}
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert sorted(
        (schedule.name, schedule.job_name, schedule.cron_schedule) for schedule in repository.schedule_defs
    ) == [
        ("daily_sweep", "sweep_older_days", "17 3 * * *"),
        ("hourly_check", "check_days", "47 * * * *"),
        ("hourly_maintenance", "maintain_lake", "31 * * * *"),
        ("hourly_quality", "measure_quality", "7 * * * *"),
        ("weekly_audit", "audit_lake", "23 4 * * 0"),
    ]
    for schedule in repository.schedule_defs:
        assert schedule.execution_timezone == "UTC"
        assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING


def test_the_jobs_of_a_day_include_all_its_assets_but_not_the_check_of_recent_days(definitions: dg.Definitions) -> None:
    for name, assets in (("ingest_day", 12), ("refresh_day", 12), ("rebuild_day", 9)):
        layer = definitions.resolve_job_def(name).asset_layer
        assert len(layer.selected_asset_keys) == assets
        assert "stale_days" not in {key.name for key in layer.asset_graph.asset_check_keys}


SECRETS = ("a2V5", "sig=", "c2VjcmV0")


@pytest.mark.parametrize(
    ("suffix", "credential", "portal"),
    [
        ("core.windows.net", "AccountKey=a2V5", "https://portal.azure.com/"),
        ("core.usgovcloudapi.net", "SharedAccessSignature=sv=2025&sig=c2VjcmV0", "https://portal.azure.us/"),
        ("example.com", "AccountKey=a2V5", None),
    ],
)
def test_a_container_shows_its_address_and_the_portal_of_its_cloud_without_a_secret(
    suffix: str, credential: str, portal: str | None
) -> None:
    account = from_connection_string("X", f"AccountName=acme;EndpointSuffix={suffix};{credential}")
    settings = Settings(export_account=account)

    spec = container_specs(settings)[0]

    assert spec.metadata["dagster/uri"] == f"https://acme.blob.{suffix}/{CONTAINER}alertinfo"
    assert (spec.metadata["account"], spec.metadata["container"]) == ("acme", f"{CONTAINER}alertinfo")
    assert spec.kinds == {"azure", "json"}
    found = spec.metadata.get("portal")
    assert found is None if portal is None else found is not None and found.value.startswith(portal)
    assert not [secret for secret in SECRETS if secret in repr(spec)]


def test_a_container_of_a_directory_shows_its_folder() -> None:
    spec = container_specs(Settings(export_dir=Path("/export")))[2]

    assert spec.metadata["dagster/uri"] == f"/export/{CONTAINER}deviceinfo"
    assert {"account", "portal"}.isdisjoint(spec.metadata)
