from collections import Counter, defaultdict
from dataclasses import replace

from defender_assets.simulator import Scenario, causes_of
from defender_assets_tests.support.simulated_exports import START, records

BUSY = Scenario(
    START, days=3, devices=60, tenants=1, alerts_per_day=40, heartbeat_minutes=720, faults=False, bad_lines=0, busy=True
)


def test_unrelated_alerts_share_accounts_files_and_devices() -> None:
    causes = causes_of(BUSY)
    shared: dict[tuple[str, str], set[str]] = defaultdict(set)
    for record in records(BUSY, "alertevidence"):
        row = record.properties
        cause = causes[record.envelope["tenantId"], row["AlertId"]]
        for column in ("AccountObjectId", "SHA256", "DeviceId"):
            if row[column]:
                shared[column, row[column].lower()].add(cause)
    widest = {column: max(len(of) for (name, _), of in shared.items() if name == column) for column, _ in shared}
    assert all(count >= 5 for count in widest.values()), widest


def test_some_unrelated_alerts_fall_on_attacked_devices() -> None:
    scenario = replace(BUSY, alerts_per_day=120)
    causes = causes_of(scenario)
    on: dict[str, set[str]] = defaultdict(set)
    for record in records(scenario, "alertevidence"):
        if record.properties["DeviceId"]:
            cause = causes[record.envelope["tenantId"], record.properties["AlertId"]]
            on[record.properties["DeviceId"]].add(cause.partition("-")[0])
    assert any("campaign" in of and len(of) > 1 for of in on.values())


def test_the_truth_names_every_alert_and_its_cause() -> None:
    causes = causes_of(BUSY)
    exported = {(each.envelope["tenantId"], each.properties["AlertId"]) for each in records(BUSY, "alertevidence")}
    # alerts of the last days can arrive after the export ends
    assert exported <= set(causes)
    assert len(exported) > len(causes) * 0.8
    sizes = Counter(causes.values())
    assert any(name.startswith("wave") and size > 1 for name, size in sizes.items())
    assert sizes["campaign-1-1"] >= 3


def test_a_scenario_that_is_not_busy_has_only_known_alerts() -> None:
    tidy = replace(BUSY, busy=False)
    assert {each.properties["AlertId"] for each in records(tidy, "alertinfo")} <= {name for _, name in causes_of(tidy)}
