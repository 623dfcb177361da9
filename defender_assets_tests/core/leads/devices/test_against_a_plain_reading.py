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
