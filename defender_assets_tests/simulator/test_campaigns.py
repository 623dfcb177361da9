from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest

from defender_assets.simulator import Scenario, ground_truth
from defender_assets_tests.support.simulated_exports import SCENARIO, START, records

MANY = Scenario(START, days=6, campaigns_per_tenant=6, heartbeat_minutes=360, faults=False, bad_lines=0)


@pytest.fixture(scope="module")
def campaigns() -> list[dict[str, Any]]:
    truth = ground_truth(MANY)["campaigns"]
    assert isinstance(truth, list)
    return truth


def entities() -> dict[str, set[tuple[str, str]]]:
    """The rare entities of each alert: no shared accounts, private or own addresses, or programs of the system."""
    own = {record.properties["PublicIP"] for record in records(MANY, "deviceinfo")}
    found: dict[str, set[tuple[str, str]]] = {}
    for record in records(MANY, "alertevidence"):
        row = record.properties
        entities_of_alert = found.setdefault(row["AlertId"], set())
        if row["AccountObjectId"]:
            entities_of_alert.add(("user", row["AccountObjectId"]))
        if row["DeviceId"]:
            entities_of_alert.add(("device", row["DeviceId"]))
        if row["SHA256"] and row["FolderPath"] not in ("C:\\Windows\\System32", "/usr/bin"):
            entities_of_alert.add(("file", row["SHA256"].lower()))
        if row["RemoteUrl"]:
            entities_of_alert.add(("address", urlsplit(row["RemoteUrl"]).hostname or ""))
        if row["RemoteIP"] and row["RemoteIP"] != "-":
            address = row["RemoteIP"].removeprefix("::ffff:")
            if ip_address(address).is_global and address not in own:
                entities_of_alert.add(("address", address))
        if row["NetworkMessageId"]:
            entities_of_alert.add(("mail", row["NetworkMessageId"]))
        if row["ApplicationId"]:
            entities_of_alert.add(("app", str(row["ApplicationId"])))
    return found


def test_a_campaign_crosses_three_products_or_more(campaigns: list[dict[str, Any]]) -> None:
    assert len(campaigns) == 12
    for campaign in campaigns:
        products = [alert["product"] for alert in campaign["alerts"]]
        assert {"office365", "endpoint", "identity"} <= set(products)
        assert products[:2] == ["office365", "endpoint"]
    assert {"cloud_apps", "entra_id"} <= {alert["product"] for each in campaigns for alert in each["alerts"]}


def test_consecutive_alerts_of_a_campaign_share_an_entity(campaigns: list[dict[str, Any]]) -> None:
    found = entities()
    for campaign in campaigns:
        arrived = [alert_id for alert_id in campaign["alert_ids"] if alert_id in found]
        assert len(arrived) >= 3
        for first, second in pairwise(arrived):
            assert found[first] & found[second]


def test_the_shared_entities_of_the_truth_are_in_the_evidence(campaigns: list[dict[str, Any]]) -> None:
    found = entities()
    for campaign in campaigns:
        assert campaign["ties"]
        for tie in campaign["ties"]:
            assert len(tie["alert_ids"]) > 1
            for alert_id in tie["alert_ids"]:
                assert (tie["kind"], tie["value"]) in found[alert_id]


def test_a_campaign_takes_two_to_twenty_hours_in_steps_of_hours(campaigns: list[dict[str, Any]]) -> None:
    for campaign in campaigns:
        times = [datetime.fromisoformat(alert["time"]) for alert in campaign["alerts"]]
        assert times == sorted(times)
        # Mail is timed to the second.
        assert timedelta(hours=2, seconds=-1) <= times[-1] - times[0] <= timedelta(hours=20, seconds=1)
        assert all(second - first < timedelta(hours=8) for first, second in pairwise(times))


def test_a_campaign_shares_nothing_rare_with_any_other_alert(campaigns: list[dict[str, Any]]) -> None:
    found = entities()
    owner = {alert_id: campaign["campaign_id"] for campaign in campaigns for alert_id in campaign["alert_ids"]}
    inside: dict[tuple[str, str], set[str]] = {}
    for alert_id, entities_of_alert in found.items():
        for entity in entities_of_alert:
            inside.setdefault(entity, set()).add(owner.get(alert_id, "noise"))
    shared = {entity: owners for entity, owners in inside.items() if len(owners) > 1}
    assert not shared


def test_unrelated_alerts_rarely_share_anything_within_a_day(campaigns: list[dict[str, Any]]) -> None:
    attacked = {alert_id for campaign in campaigns for alert_id in campaign["alert_ids"]}
    found = entities()
    times = {
        record.properties["AlertId"]: datetime.fromisoformat(record.properties["Timestamp"])
        for record in records(MANY, "alertinfo")
        if record.properties["AlertId"] not in attacked
    }
    noise = [alert_id for alert_id in times if alert_id in found]
    close = [
        (first, second)
        for position, first in enumerate(noise)
        for second in noise[:position]
        if abs(times[first] - times[second]) < timedelta(days=1) and found[first] & found[second]
    ]
    assert len(close) <= len(noise) / 50


def test_unrelated_alerts_and_campaigns_share_prevalent_entities(campaigns: list[dict[str, Any]]) -> None:
    attacked = {alert_id for campaign in campaigns for alert_id in campaign["alert_ids"]}
    own = {record.properties["PublicIP"] for record in records(MANY, "deviceinfo")}
    rows = [record.properties for record in records(MANY, "alertevidence")]
    for shared in (
        {row["AlertId"] for row in rows if row["AccountSid"] == "S-1-5-18"},
        {row["AlertId"] for row in rows if (row["AccountName"] or "").endswith("$")},
        {row["AlertId"] for row in rows if (row["RemoteIP"] or "").startswith("10.")},
        {row["AlertId"] for row in rows if row["FileName"] == "powershell.exe"},
    ):
        assert shared & attacked
        assert shared - attacked
    assert [row for row in rows if row["RemoteIP"] in own]


def test_the_truth_has_only_the_arrived_part_of_a_campaign() -> None:
    whole = ground_truth(SCENARIO)["campaigns"][0]
    third = datetime.fromisoformat(whole["alerts"][2]["time"])
    part = ground_truth(replace(SCENARIO, until=third))["campaigns"][0]

    assert part["alert_ids"] == whole["alert_ids"][:2]
    assert all(set(tie["alert_ids"]) <= set(part["alert_ids"]) for tie in part["ties"])


def test_one_campaign_begins_each_day() -> None:
    days = [each["alerts"][0]["time"][:10] for each in ground_truth(SCENARIO)["campaigns"]]
    assert days == ["2026-01-01", "2026-01-02", "2026-01-03"] * 2
