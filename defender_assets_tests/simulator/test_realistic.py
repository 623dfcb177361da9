from collections import defaultdict
from dataclasses import replace
from functools import cache
from itertools import pairwise
from statistics import median

import pytest

from defender_assets.simulator import Scenario, causes_of
from defender_assets.simulator.campaigns import Campaign
from defender_assets.simulator.clock import HOUR, MINUTE
from defender_assets.simulator.export import campaigns_of
from defender_assets.simulator.worlds import WORLDS
from defender_assets_tests.support.simulated_exports import START, Record, records

# Seeds of tests only: none of them is used for tuning or for the published figures.
SEEDS = range(31, 41)


def scenario(world: str, seed: int = 31) -> Scenario:
    kind = WORLDS[world]
    return Scenario(
        START,
        days=kind.days,
        devices=kind.devices,
        tenants=1,
        alerts_per_day=kind.alerts_per_day,
        heartbeat_minutes=1440,
        seed=seed,
        faults=False,
        bad_lines=0,
        world=world,
    )


@cache
def evidence(world: str) -> tuple[Record, ...]:
    return records(scenario(world), "alertevidence")


@cache
def attacks(kind: str, world: str) -> list[Campaign]:
    found = [attack for seed in SEEDS for attack in campaigns_of(scenario(world, seed))]
    of_kind = [attack for attack in found if attack.campaign_id.startswith(kind)]
    assert of_kind
    return of_kind


@pytest.mark.parametrize("world", WORLDS)
def test_attacks_are_a_small_part_of_the_alerts_and_the_truth_names_them_all(world: str) -> None:
    causes = causes_of(scenario(world))
    exported = {(each.envelope["tenantId"], each.properties["AlertId"]) for each in evidence(world)}
    # Alerts of the last days can arrive after the export ends, and some name nothing.
    assert exported <= set(causes)
    attacked = {(each.tenant_id, alert.alert_id) for each in campaigns_of(scenario(world)) for alert in each.alerts}
    assert attacked <= set(causes)
    if world not in ("quiet", "first-days"):
        assert 0.05 < len(attacked) / len(causes) < 0.25


def test_a_world_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="world is calm: it must be one of campaigns, bursts"):
        Scenario(START, days=1, world="calm")


def test_an_operator_is_dense_with_pauses_of_hours() -> None:
    found = attacks("hands-on", "bursts")
    sizes = [len(attack.alerts) for attack in found]
    assert min(sizes) >= 4
    assert max(sizes) >= 40
    assert max(sizes) <= 70
    gaps = [b.created - a.created for attack in found for a, b in pairwise(attack.alerts)]
    assert median(gaps) < 2 * MINUTE
    pauses = [gap for gap in gaps if gap > 2 * HOUR]
    assert pauses
    assert all(5 * HOUR <= gap < 59 * HOUR for gap in pauses)


def test_an_operator_sets_off_many_detections_on_few_devices() -> None:
    for attack in attacks("hands-on", "bursts"):
        devices = {alert.scene.device.device_id for alert in attack.alerts}
        assert 1 <= len(devices) <= 7
        if len(attack.alerts) >= 20:
            titles = {alert.title for alert in attack.alerts}
            assert len(titles) >= len(attack.alerts) / 6


def test_a_slow_attack_takes_days() -> None:
    spans = [attack.alerts[-1].created - attack.alerts[0].created for attack in attacks("slow", "slow")]
    assert median(spans) > 24 * HOUR


def test_an_outbreak_is_one_file_on_many_devices() -> None:
    for attack in attacks("outbreak", "outbreaks"):
        assert len({alert.scene.file.sha256 for alert in attack.alerts}) == 1
        assert len({alert.scene.device.device_id for alert in attack.alerts}) == len(attack.alerts) >= 6


def test_a_sprayed_account_meets_many_devices_and_detections() -> None:
    for attack in attacks("spray", "bursts"):
        assert len({alert.scene.user.object_id for alert in attack.alerts}) == 1
        assert len({alert.scene.device.device_id for alert in attack.alerts}) >= 8
        assert len({alert.title for alert in attack.alerts}) >= 5


def test_identity_and_sentinel_name_machines_without_an_identifier() -> None:
    machines = [each.properties for each in evidence("mixed") if each.properties["EntityType"] == "Machine"]
    identity = [row for row in machines if row["ServiceSource"] == "Microsoft Defender for Identity"]
    sentinel = [row for row in machines if row["ServiceSource"] == "Microsoft Sentinel"]
    assert identity
    assert all(row["DeviceId"] is None and row["DeviceName"] for row in identity)
    assert sentinel
    assert all(row["DeviceId"] is None and row["DeviceName"] is None for row in sentinel)
    assert all('"HostName"' in row["AdditionalFields"] for row in sentinel)


def test_some_alerts_name_nothing() -> None:
    named = {each.properties["AlertId"] for each in evidence("mixed")}
    alerts = {each.properties["AlertId"] for each in records(scenario("mixed"), "alertinfo")}
    assert 0.01 < len(alerts - named) / len(alerts) < 0.16


def test_verdicts_depend_on_the_truth_but_do_not_give_it_away() -> None:
    attacked = {alert.alert_id for each in campaigns_of(scenario("mixed")) for alert in each.alerts}
    rows = [each.properties for each in evidence("mixed") if each.properties["EntityType"] == "Process"]
    malicious = [row["AlertId"] in attacked for row in rows if '"LastVerdict":"Malicious"' in row["AdditionalFields"]]
    others = [row["AlertId"] in attacked for row in rows if '"LastVerdict":"Malicious"' not in row["AdditionalFields"]]
    assert sum(malicious) / len(malicious) > sum(others) / len(others)
    assert sum(others) / len(others) > 0.02
    assert sum(malicious) / len(malicious) < 0.9


def test_unrelated_alerts_share_accounts_files_and_devices() -> None:
    causes = causes_of(scenario("campaigns"))
    columns = ("AccountObjectId", "SHA256", "DeviceId")
    shared: dict[tuple[str, str], set[str]] = defaultdict(set)
    for record in evidence("campaigns"):
        row = record.properties
        cause = causes[record.envelope["tenantId"], row["AlertId"]]
        for column in columns:
            if row[column]:
                shared[column, row[column].lower()].add(cause)
    widest = {column: max(len(of) for (name, _), of in shared.items() if name == column) for column in columns}
    assert all(count >= 5 for count in widest.values()), widest


def test_some_unrelated_alerts_fall_on_attacked_devices() -> None:
    causes = causes_of(scenario("mixed"))
    on: dict[str, set[str]] = defaultdict(set)
    for record in evidence("mixed"):
        if record.properties["DeviceId"]:
            cause = causes[record.envelope["tenantId"], record.properties["AlertId"]]
            on[record.properties["DeviceId"]].add(cause.partition("-")[0])
    assert any(of & {"hands", "slow"} and len(of) > 1 for of in on.values())


def test_a_longer_world_only_appends() -> None:
    short, long = scenario("mixed"), replace(scenario("mixed"), days=WORLDS["mixed"].days + 1)
    assert causes_of(short).items() <= causes_of(long).items()
