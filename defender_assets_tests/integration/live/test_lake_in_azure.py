"""The whole job with lake and export in an account, and with two published sample records."""

import json
from collections.abc import Iterator, Mapping
from datetime import date

import dagster as dg
import polars as pl
import pytest
from azure.storage.blob import BlobServiceClient

from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, TABLES
from defender_assets.settings import Settings, load_settings
from defender_assets_tests.support.dagster_project import DagsterProject, metadata_of, start
from defender_assets_tests.support.days import yesterday
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.export_accounts import Account, account_storage
from defender_assets_tests.support.exports import TENANT, blob_path, records

pytestmark = pytest.mark.azure

DEVICE = "0f" * 20
ALERT = "da638000000000000001_-1000000001"


@pytest.fixture
def storage(account: Emulator, service: BlobServiceClient) -> Account:
    return account_storage(account, service)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


def settings(account: Emulator, lake: str, **variables: str) -> Settings:
    return load_settings(
        {
            "AZURE_STORAGE_CONNECTION_STRING": account.sas_connection_string("rl"),
            "DEFENDER_LAKE_URI": lake,
            "DEFENDER_START_DATE": start().isoformat(),
            **variables,
        }
    )


# an emulator that imitates Azure badly corrupts a table at its third commit
AUTH_METHODS = ("shared access signature", "account key", "shared access signature")


def test_the_lake_may_be_in_an_account(account: Emulator, storage: Account, instance: dg.DagsterInstance) -> None:
    strings = {
        "account key": account.connection_string,
        "shared access signature": account.sas_connection_string("rwdlac"),
    }
    for number, auth_method in enumerate(AUTH_METHODS):
        project = DagsterProject(
            settings(account, "az://lake/tables", DEFENDER_LAKE_CONNECTION_STRING=strings[auth_method]), instance
        )
        assert project.lake.account is not None
        assert project.lake.account.auth_method == auth_method
        for table in TABLES:
            storage.append(table.container, blob_path(day=yesterday()), records(table, number, 2) + b"no record\r\n")
        result = project.run(yesterday())
        assert result.success
        assert metadata_of(result, ALERT_INFO.raw)["batch"] == number + 1
    commits = len(AUTH_METHODS)
    assert project.lake.open(ALERT_INFO.raw).version() >= commits
    for table in TABLES:
        assert project.lake.read(table.name).collect()[table.key].sort().to_list() == [
            f"{table.key}-{number}" for number in range(commits + 1)
        ]
    assert project.lake.read("quarantined_records").collect().height == len(TABLES) * commits
    leads = project.lake.read("device_enriched_leads").collect()
    assert sorted(leads["alert_id"]) == [f"AlertId-{number}" for number in range(commits + 1)]

    again = project.run(yesterday())
    assert again.success
    for table in TABLES:
        assert metadata_of(again, table.raw)["new_bytes"] == 0
        assert metadata_of(again, table.name)["lines"] == 0
    assert metadata_of(again, "device_enriched_leads")["written_by_this_run"] is False
    assert find_stale_days(project.lake, project.settings.export(), [yesterday()]) == []


def published(category: str, properties: Mapping[str, object]) -> bytes:
    """A line in the format that Splunk's add-on publishes: it ends with LF, and its envelope has only five keys."""
    envelope = {
        "time": "2021-09-12T17:13:58.5882514Z",
        "tenantId": TENANT,
        "operationName": "Publish",
        "category": f"AdvancedHunting-{category}",
        "properties": properties,
    }
    return json.dumps(envelope, separators=(",", ":")).encode() + b"\n"


def test_an_alert_and_its_machine_arrive_as_one_lead_with_technique_severity_and_device(
    account: Emulator, storage: Account, instance: dg.DagsterInstance, tmp_path_factory: pytest.TempPathFactory
) -> None:
    info = {
        "AlertId": ALERT,
        "Timestamp": "2021-09-12T16:36:48.7090029Z",
        "Title": "Suspicious process injection observed",
        "ServiceSource": "Microsoft Defender for Endpoint",
        "Category": "DefenseEvasion",
        "Severity": "Medium",
        "DetectionSource": "EDR",
        "MachineGroup": None,
        "AttackTechniques": '["Process Injection (T1055)","Portable Executable Injection (T1055.002)"]',
    }
    machine = {
        "AlertId": ALERT,
        "ServiceSource": "Microsoft Defender for Endpoint",
        "Timestamp": "2021-09-12T16:36:48.7090029Z",
        "EntityType": "Machine",
        "EvidenceRole": "Impacted",
        "SHA1": None,
        "RemoteIP": None,
        "AdditionalFields": json.dumps({"$id": "1", "HostName": "win-one", "Type": "host", "MachineId": DEVICE}),
        "AccountName": None,
        "DeviceId": DEVICE,
        "DeviceName": "win-one",
        "MachineGroup": None,
        "FileSize": None,
        "OAuthApplicationId": None,
    }
    day = date(2021, 9, 12)
    storage.append(ALERT_INFO.container, blob_path(day=day, hour=17), published("AlertInfo", info))
    storage.append(ALERT_EVIDENCE.container, blob_path(day=day, hour=17), published("AlertEvidence", machine))
    lake = str(tmp_path_factory.mktemp("lake"))
    project = DagsterProject(settings(account, lake, DEFENDER_START_DATE="2021-09-01"), instance)
    assert project.run(day).success
    assert project.lake.read("quarantined_records").collect().is_empty()
    (lead,) = project.lake.read("device_enriched_leads").collect().to_dicts()
    assert (lead["alert_id"], lead["severity"], lead["product"], lead["change"]) == (ALERT, "Medium", "endpoint", "new")
    assert lead["attack_techniques"] == ["T1055", "T1055.002"]
    assert (lead["device_id"], lead["device_match"], lead["evidence_count"]) == (DEVICE, "unknown", 1)
    typed = project.lake.read(ALERT_EVIDENCE.name).select(pl.col("unmapped").is_null().all()).collect()
    assert typed.item()
