"""The device of an alert: the joins against a reference implementation that follows the rules row by row."""

import random
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import polars as pl
import pytest

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads import DEVICE_LOOKBACK_DAYS
from defender_assets.core.leads.devices.as_of import devices_as_of
from defender_assets.core.leads.devices.merges import merges
from defender_assets.core.leads.selection import alerts_without_device, late_device_matches
from defender_assets.core.schemas import DEVICE_INFO
from defender_assets_tests.support.alert_rows import DAY, OTHER_TENANT, TENANT, Row, at, beat, frame

CARRIED = {"os_version": "OSVersion", "exposure_level": "ExposureLevel", "device_type": "DeviceType"}
IDS = "abcdef"
NAMES = ("pc1.corp", "PC1.Corp.", "pc1.other", "pc1", "pc2.corp", "pc2", "CORP\\pc2", "-", " ", None, None, None)
END_OF_DAY = at(12)

Fill = Callable[[Row], object]


def order(row: Row) -> tuple[datetime, int, str]:
    return row["Timestamp"], row["ReportId"], row["record_id"]


def filled(text: str | None) -> str | None:
    text = (text or "").strip()
    return None if text in {"", "-"} else text


def path_of(beats: list[Row], original: str) -> tuple[list[str], str]:
    path = [original]
    while True:
        here = path[-1]
        successors = [
            row for row in beats if row["DeviceId"] == here and filled(row["MergedToDeviceId"]) not in {None, here}
        ]
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


def column(name: str) -> Fill:
    return lambda row: filled(row[name])


def last_filled(rows: Iterable[Row], fill: Fill) -> object:
    return next((fill(row) for row in reversed(list(rows)) if fill(row) is not None), None)


def state(beats: list[Row], original: str, alert_time: datetime) -> dict[str, object]:
    path, resolved = path_of(beats, original)
    timeline = sorted((row for row in beats if row["DeviceId"] in path), key=order)
    before = [row for row in timeline if row["Timestamp"] <= alert_time]
    later = [row for row in timeline if row["Timestamp"] > alert_time]
    until_today = [row for row in timeline if row["Timestamp"] < END_OF_DAY]
    if before:
        match, seen = "as_of", before[-1]["Timestamp"]
        columns = {ours: last_filled(before, column(theirs)) for ours, theirs in CARRIED.items()}
    elif later:
        first = max((row for row in later if row["Timestamp"] == later[0]["Timestamp"]), key=order)
        match, seen = "after", first["Timestamp"]
        columns = {ours: filled(first[theirs]) for ours, theirs in CARRIED.items()}
    else:
        match, seen, columns = "unknown", None, dict.fromkeys(CARRIED)
    now = until_today[-1]["Timestamp"] if until_today else None
    return {"device_id": resolved, "device_match": match, "device_seen_at": seen, "now_seen_at": now, **columns}


def normal(name: str | None) -> str | None:
    return filled((filled(name) or "").lower().rpartition("\\")[2].rstrip("."))


def tier_of(wanted: str, borne: object, *, onboarded: bool) -> int | None:
    if not isinstance(borne, str):
        return None
    if wanted == borne and "." in wanted:
        return 0 if onboarded else 1
    same_label = wanted.partition(".")[0] == borne.partition(".")[0]
    if same_label and not ("." in wanted and "." in borne):
        return 2 if onboarded else 3
    return None


def bearer(beats: list[Row], wanted: str, alert_time: datetime) -> str | None:
    """The identifier with which to go on for a name, None unless it is one device's."""
    candidates: list[tuple[int, str, str, datetime | None, datetime]] = []
    for start in sorted({row["DeviceId"] for row in beats}):
        path, device = path_of(beats, start)
        own_names = {normal(row["DeviceName"]) for row in beats if row["DeviceId"] == start}
        if not any(tier_of(wanted, name, onboarded=True) is not None for name in own_names):
            continue
        timeline = sorted((row for row in beats if row["DeviceId"] in path), key=order)
        before = [row for row in timeline if row["Timestamp"] <= alert_time]

        def at_alert(fill: Fill, before: list[Row] = before, timeline: list[Row] = timeline) -> object:
            found = last_filled(before, fill)
            return found if found is not None else last_filled(timeline[::-1], fill)

        onboarded = at_alert(column("OnboardingStatus")) == "Onboarded"
        tier = tier_of(wanted, at_alert(lambda row: normal(row["DeviceName"])), onboarded=onboarded)
        if tier is not None:
            last = before[-1]["Timestamp"] if before else None
            candidates.append((tier, device, start, last, timeline[0]["Timestamp"]))
    best = [one for one in candidates if one[0] == min(tier for tier, *_ in candidates)]
    firsts: dict[str, datetime] = {}
    lasts: dict[str, datetime] = {}
    for _, device, _, last, first in best:
        firsts[device] = min(first, firsts.get(device, first))
        if last is not None:
            lasts[device] = max(last, lasts.get(device, last))
    left = set(firsts)
    if lasts:
        left = {
            device
            for device in lasts
            if not any(lasts[device] < first <= alert_time for other, first in firsts.items() if other != device)
        }
    if len(left) != 1:
        return None
    of_device = [one for one in best if one[1] in left]
    _, _, start, _, _ = min(of_device, key=lambda one: (-one[3].timestamp() if one[3] else 0.0, one[4], one[2]))
    return start


def a_world(seeded_rng: random.Random, most: int) -> list[Row]:
    beats = []
    for _ in range(seeded_rng.randint(0, most)):
        columns: Row = {
            theirs: seeded_rng.choice([None, "-", " ", str(seeded_rng.random())]) for theirs in CARRIED.values()
        }
        if seeded_rng.random() < 0.1:
            columns["MergedToDeviceId"] = seeded_rng.choice([*IDS, "-"])
        if seeded_rng.random() < 0.1:
            columns["MergedDeviceIds"] = seeded_rng.sample([*IDS, "-"], 2)
        columns["DeviceName"] = seeded_rng.choice(NAMES)
        columns["OnboardingStatus"] = seeded_rng.choice([None, "-", "Onboarded", "Can be onboarded"])
        columns["ReportId"] = seeded_rng.randint(1, 2)
        beats.append(beat(seeded_rng.choice(IDS), at(seeded_rng.choice([*range(-4, 5), 13])), **columns))
    return beats


def probes_of() -> list[Row]:
    wanted: list[tuple[str | None, str | None]] = [(name, None) for name in IDS]
    wanted += [(None, name) for name in ("pc1.corp", "pc1.other", "pc1", "pc2.corp", "pc2", "pc3")]
    return [
        {
            "tenant_id": TENANT,
            "AlertId": f"da{hours}_1",
            "mention": identifier or f"name:{name}",
            "original_device_id": identifier,
            "name": name,
            "alert_time": at(hours),
        }
        for identifier, name in wanted
        for hours in range(-5, 6, 2)
    ]


def expected(beats: list[Row], probe: Row) -> dict[str, object]:
    start = probe["original_device_id"] or bearer(beats, probe["name"], probe["alert_time"])
    if start is None:
        unknown = dict.fromkeys(("device_id", "device_seen_at", "now_seen_at", *CARRIED))
        return {**unknown, "device_match": "unknown"}
    return state(beats, start, probe["alert_time"])


@pytest.mark.parametrize("seed", range(25))
def test_the_joins_agree_with_a_reference_implementation(seed: int) -> None:
    seeded_rng = random.Random(seed)
    beats = a_world(seeded_rng, 8 if seed % 2 else 30)
    others = [row | {"tenant_id": OTHER_TENANT} for row in a_world(seeded_rng, 5)]
    probes = probes_of()
    devices = frame(DEVICE_INFO, beats + others)
    found = devices_as_of(devices, merges(devices), pl.DataFrame(probes), DAY)
    rows = {(row["AlertId"], row["mention"]): row for row in found.iter_rows(named=True)}
    assert len(rows) == len(probes) == found.height
    for probe in probes:
        answer = rows[probe["AlertId"], probe["mention"]]
        wanted = expected(beats, probe)
        assert {name: answer[name] for name in wanted} == wanted


def test_no_alert_that_is_left_out_has_a_late_match() -> None:
    late_matches = 0
    for seed in range(12):
        seeded_rng = random.Random(seed)
        days = [DAY, DAY, DAY - timedelta(days=1), DAY - timedelta(days=4)]
        beats = [row | {"export_date": seeded_rng.choice(days)} for row in a_world(seeded_rng, 12)]
        nothing = {"role": "", "named_at": DAY, "evidence_name": "", "evidence_os": ""}
        probes = pl.DataFrame([probe | nothing for probe in probes_of() if seeded_rng.random() < 0.3])
        devices = frame(DEVICE_INFO, beats)
        earlier = merges(devices.filter(pl.col("export_date") < DAY))
        as_of = devices_as_of(devices, merges(devices), probes, DAY)
        late = late_device_matches(DAY, probes, as_of, devices, earlier)
        without = alerts_without_device(DAY, probes, devices, earlier, DEVICE_LOOKBACK_DAYS)
        assert late.join(without, on=ALERT_KEY, how="anti").is_empty()
        late_matches += late.height
    assert late_matches > 0


def test_the_generated_worlds_cover_every_case() -> None:
    """Names that one device bears at or after the alert, also through merges, and that none or several bear."""
    matches, merged = set(), 0
    for seed in range(25):
        seeded_rng = random.Random(seed)
        beats = a_world(seeded_rng, 8 if seed % 2 else 30)
        for probe in probes_of():
            if probe["name"]:
                answer = expected(beats, probe)
                matches.add(answer["device_match"])
                start = bearer(beats, probe["name"], probe["alert_time"])
                merged += start is not None and start != answer["device_id"]
    assert matches == {"as_of", "after", "unknown"}
    assert merged > 50
