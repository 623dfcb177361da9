"""The device of an alert: the joins against a reference implementation that follows the rule row by row."""

import random
from datetime import datetime

import polars as pl
import pytest

from defender_assets.core.leads.devices.as_of import devices_as_of
from defender_assets.core.schemas import DEVICE_INFO
from defender_assets_tests.support.alert_rows import DAY, TENANT, Row, at, beat, frame

CARRIED = {"os_version": "OSVersion", "exposure_level": "ExposureLevel", "device_type": "DeviceType"}


def order(row: Row) -> tuple[datetime, int, str]:
    return row["Timestamp"], row["ReportId"], row["record_id"]


def chain_of(beats: list[Row], original: str) -> tuple[list[str], str]:
    path = [original]
    while True:
        here = path[-1]
        successors = [row for row in beats if row["DeviceId"] == here and row["MergedToDeviceId"] not in {None, here}]
        predecessors = [row for row in beats if here in (row["MergedDeviceIds"] or []) and row["DeviceId"] != here]
        if successors:
            following = max(successors, key=order)["MergedToDeviceId"]
        elif predecessors:
            following = max(predecessors, key=order)["DeviceId"]
        else:
            return path, here
        if following in path:
            return path, min(path[path.index(following) :])
        path.append(following)


def expected(beats: list[Row], original: str, alert_time: datetime) -> dict[str, object]:
    path, resolved = chain_of(beats, original)
    on_path = [row for row in beats if row["DeviceId"] in path]
    before = sorted((row for row in on_path if row["Timestamp"] <= alert_time), key=order)
    later = [row for row in on_path if row["Timestamp"] > alert_time]
    if before:
        match, row = "as_of", before[-1]
        carried = {
            ours: next((row[theirs] for row in reversed(before) if row[theirs] is not None), None)
            for ours, theirs in CARRIED.items()
        }
    elif later:
        first = min(row["Timestamp"] for row in later)
        match, row = "after", max((row for row in later if row["Timestamp"] == first), key=order)
        carried = {ours: row[theirs] for ours, theirs in CARRIED.items()}
    else:
        match, row, carried = "unknown", {"Timestamp": None}, dict.fromkeys(CARRIED)
    return {"device_id": resolved, "device_match": match, "device_seen_at": row["Timestamp"], **carried}


@pytest.mark.parametrize("seed", range(25))
def test_the_joins_agree_with_a_reference_implementation(seed: int) -> None:
    seeded_rng = random.Random(seed)
    names = "abcdef"
    beats = []
    for _ in range(seeded_rng.randint(0, 30)):
        columns: Row = {
            theirs: seeded_rng.choice([None, None, str(seeded_rng.random())]) for theirs in CARRIED.values()
        }
        if seeded_rng.random() < 0.2:
            columns["MergedToDeviceId"] = seeded_rng.choice(names)
        if seeded_rng.random() < 0.2:
            columns["MergedDeviceIds"] = seeded_rng.sample(names, 2)
        beats.append(
            beat(
                seeded_rng.choice(names),
                at(seeded_rng.randint(-4, 4)),
                **columns | {"ReportId": seeded_rng.randint(1, 2)},
            )
        )
    probes: list[Row] = [
        {
            "tenant_id": TENANT,
            "AlertId": f"da{name}{hours}_1",
            "mention": name,
            "original_device_id": name,
            "name": None,
            "alert_time": at(hours),
        }
        for name in names
        for hours in range(-5, 6, 2)
    ]
    found = devices_as_of(DAY, frame(DEVICE_INFO, beats), pl.DataFrame(probes, schema_overrides={"name": pl.String}))
    rows = {(row["AlertId"], row["mention"]): row for row in found.iter_rows(named=True)}
    assert len(rows) == len(probes) == found.height
    for probe in probes:
        answer = rows[probe["AlertId"], probe["original_device_id"]]
        wanted = expected(beats, probe["original_device_id"], probe["alert_time"])
        assert {name: answer[name] for name in wanted} == wanted


def bearer(beats: list[Row], wanted: str, alert_time: datetime) -> str | None:
    """The one device that bears a name, rule by rule."""
    devices: dict[str, list[Row]] = {}
    for row in sorted(beats, key=order):
        devices.setdefault(chain_of(beats, row["DeviceId"])[1], []).append(row)
    groups: dict[int, list[str]] = {}
    for device, rows in devices.items():
        before = [row for row in rows if row["Timestamp"] <= alert_time]
        named_before = [row for row in before if row["DeviceName"]]
        named_after = [row for row in rows if row["Timestamp"] > alert_time and row["DeviceName"]]
        if named_before:
            name = named_before[-1]["DeviceName"]
            until = before[-1]["Timestamp"]
        elif named_after:
            first = min(row["Timestamp"] for row in named_after)
            name = [row for row in named_after if row["Timestamp"] == first][-1]["DeviceName"]
            until = first
        else:
            continue
        states = [row["OnboardingStatus"] for row in rows if row["Timestamp"] <= until and row["OnboardingStatus"]]
        onboarded = bool(states) and states[-1] == "Onboarded"
        full = name == wanted and "." in name
        short = name.split(".")[0] == wanted.split(".", maxsplit=1)[0] and not ("." in name and "." in wanted)
        if full or short:
            groups.setdefault((0 if full else 2) + (0 if onboarded else 1), []).append(device)
    group = groups[min(groups)] if groups else []
    last_before = {
        device: max((row["Timestamp"] for row in devices[device] if row["Timestamp"] <= alert_time), default=None)
        for device in group
    }
    left = [
        device
        for device in group
        if last_before[device] is None
        or not any(last_before[device] < devices[other][0]["Timestamp"] for other in group if other != device)
    ]
    return left[0] if len(left) == 1 else None


@pytest.mark.parametrize("seed", range(25))
def test_names_agree_with_a_reference_implementation(seed: int) -> None:
    seeded_rng = random.Random(seed)
    names = ["x", "x.a", "x.b", "y", "y.a"]
    beats = [
        beat(
            seeded_rng.choice("abcd"),
            at(seeded_rng.randint(-6, 4)),
            DeviceName=seeded_rng.choice([None, *names]),
            OnboardingStatus=seeded_rng.choice([None, "Onboarded", "Onboarded", "Can be onboarded"]),
            MergedToDeviceId=seeded_rng.choice("abcd") if seeded_rng.random() < 0.1 else None,
            ReportId=number,
        )
        for number in range(seeded_rng.randint(1, 12))
    ]
    probes: list[Row] = [
        {
            "tenant_id": TENANT,
            "AlertId": f"aa{hours}_1",
            "mention": f"name:{name}",
            "original_device_id": None,
            "name": name,
            "alert_time": at(hours),
        }
        for name in names
        for hours in (-7, -4, -1, 2)
    ]
    types = {"original_device_id": pl.String}
    found = devices_as_of(DAY, frame(DEVICE_INFO, beats), pl.DataFrame(probes, schema_overrides=types))
    rows = {(row["AlertId"], row["mention"]): row for row in found.iter_rows(named=True)}
    assert len(rows) == len(probes) == found.height
    for probe in probes:
        wanted = bearer(beats, probe["name"], probe["alert_time"])
        answer = rows[probe["AlertId"], probe["mention"]]
        assert answer["device_id"] == wanted, (probe, beats)
        assert answer["device_matched_by"] == (None if wanted is None else "name")
        assert (answer["device_match"] == "unknown") == (wanted is None)
