"""Which alerts get a row on a day: the joins against a reference implementation that follows the rule row by row."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from operator import itemgetter

import pytest

from defender_assets_tests.support.alert_rows import (
    DAY,
    OTHER_TENANT,
    TENANT,
    Row,
    at,
    beat,
    info,
    leads_of_each,
    machine,
)

DAYS = [DAY - timedelta(days=back) for back in range(36)]
DEVICES = "abcdefgh"
NAMED = "efgh"
"""Devices that evidence names without their id: as `E.corp`, where heartbeats have `e.corp`."""
IMPOSSIBLE = [datetime(1, 1, 1, tzinfo=UTC), datetime(1999, 12, 31, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)]
TOLD = ("change", "alert_time", "first_seen_at", "last_updated_at", "evidence_count", "has_alert_info", "device_match")
World = tuple[list[Row], list[Row], list[Row]]


def a_world(seeded_rng: random.Random) -> World:
    """Records of few alerts and devices over more days than are looked back on; many came again, on other days."""

    def day() -> date:
        return seeded_rng.choice([*DAYS[:3], *DAYS[:3], *DAYS])

    def when(arrived: date) -> datetime:
        """Return an event's time: around its arrival, or days after it, or an impossible one."""
        around = at(seeded_rng.randint(-3, 3), (arrived - DAY).days)
        ahead = around + timedelta(days=seeded_rng.randint(1, 3))
        return seeded_rng.choice([around] * 8 + [ahead] * 3 + IMPOSSIBLE)

    def again(row: Row) -> Iterator[Row]:
        # which copy's provenance a lead tells is not promised: here they share the moment
        row |= {"exported_at": at(seeded_rng.randint(0, 99))}
        yield row
        while seeded_rng.random() < 0.5:
            yield row | {"export_date": day(), "blob": "copy", "byte_offset": seeded_rng.randint(0, 9)}

    infos: list[Row] = []
    evidences: list[Row] = []
    beats: list[Row] = []
    # an alert keeps to one device: other tests choose the primary one of several
    alerts = [
        (f"da{number}_1", tenant, seeded_rng.choice(DEVICES))
        for number in range(7)
        for tenant in (TENANT, OTHER_TENANT)
    ]
    for _ in range(24):
        alert, tenant, device = seeded_rng.choice(alerts)
        arrived = day()
        if seeded_rng.random() < 0.4:
            infos += again(info(alert, tenant=tenant, day=arrived, Timestamp=when(arrived)))
        else:
            name = {"DeviceId": None, "DeviceName": f"{device.upper()}.corp"} if device in NAMED else {}
            evidences += again(machine(device, alert, tenant=tenant, day=arrived, Timestamp=when(arrived)) | name)

    def heartbeat(device: str, tenant: str, arrived: date) -> Row:
        moment = seeded_rng.choice([when(arrived), at(days=-35)])
        return beat(device, moment, tenant=tenant, day=arrived, DeviceName=f"{device}.corp")

    for _ in range(3):
        tenant, arrived = seeded_rng.choice([TENANT, OTHER_TENANT]), seeded_rng.choice(DAYS[:10])
        beats += again(heartbeat(seeded_rng.choice(DEVICES), tenant, arrived))
    for late in seeded_rng.sample(evidences, 6):
        after = late["export_date"] + timedelta(days=1)
        beats.append(heartbeat(device_of(late), late["tenant_id"], after))
    return infos, evidences, beats


def device_of(row: Row) -> str:
    device: str = row["DeviceId"] or row["DeviceName"][0].lower()
    return device


def moments(rows: list[Row]) -> list[datetime]:
    """The times of records that can be true: the earliest copy of a record decides."""
    found = []
    for row in rows:
        arrived = min(copy["export_date"] for copy in rows if copy["record_id"] == row["record_id"])
        end = datetime.combine(arrived + timedelta(days=2), time(), UTC)
        if datetime(2000, 1, 1, tzinfo=UTC) <= row["Timestamp"] < end:
            found.append(row["Timestamp"])
    return found


def match_of(evidences: list[Row], beats: list[Row], alert_time: datetime) -> str:
    devices = {device_of(row) for row in evidences}
    if not devices:
        return "no_device"
    seen = moments([row for row in beats if row["DeviceId"] in devices])
    if not seen:
        return "unknown"
    return "as_of" if any(when <= alert_time for when in seen) else "after"


def expected(world: World, day: date) -> dict[tuple[str, str], Row]:
    """The rule, alert by alert."""
    infos, evidences, beats = world
    found = {}
    for tenant, alert in {(row["tenant_id"], row["AlertId"]) for row in infos + evidences}:
        info_rows, shown = (
            [
                row
                for row in rows
                if (row["tenant_id"], row["AlertId"]) == (tenant, alert)
                and timedelta(0) <= day - row["export_date"] <= timedelta(days=30)
            ]
            for rows in (infos, evidences)
        )
        records = info_rows + shown
        earlier = {row["record_id"] for row in records if row["export_date"] < day}
        new = any(row["export_date"] == day and row["record_id"] not in earlier for row in records)
        day_before = day - timedelta(days=1)
        heartbeats = [
            row
            for row in beats
            if row["tenant_id"] == tenant and timedelta(0) <= day - row["export_date"] <= timedelta(days=7)
        ]
        if not records:
            continue
        first_day = min(map(itemgetter("export_date"), records))
        alert_time = min(moments(records), default=datetime.combine(first_day, time(), UTC))
        match = match_of(shown, heartbeats, alert_time)
        waited = any(row["export_date"] == day_before for row in records)
        heartbeats_before = [row for row in heartbeats if row["export_date"] < day]
        late = waited and match_of(shown, heartbeats_before, alert_time) == "unknown" and match != "unknown"
        if new or late:
            found[tenant, alert] = {
                "change": "updated" if earlier else "new",
                "alert_time": alert_time,
                "first_seen_at": min(map(itemgetter("exported_at"), records)),
                "last_updated_at": max(map(itemgetter("exported_at"), records)),
                "evidence_count": len({row["record_id"] for row in shown}),
                "has_alert_info": bool(info_rows),
                "device_match": match,
            }
    return found


def test_the_joins_agree_with_a_reference_implementation(subtests: pytest.Subtests) -> None:
    worlds = [a_world(random.Random(seed)) for seed in range(12)]
    for day in DAYS[:3]:
        for seed, (world, leads) in enumerate(zip(worlds, leads_of_each(worlds, day=day), strict=True)):
            found = {
                (lead["tenant_id"], lead["alert_id"]): {name: lead[name] for name in TOLD}
                for lead in leads.iter_rows(named=True)
            }
            with subtests.test(seed=seed, day=day):
                assert len(found) == leads.height
                assert found == expected(world, day)


def test_the_generated_worlds_cover_every_case() -> None:
    """New and updated, devices found late, and alerts that get no row."""
    changes, matches, by_name, no_moment, silent, late = set(), set(), 0, 0, 0, 0
    for seed in range(12):
        world = a_world(random.Random(seed))
        found = expected(world, DAY)
        changes |= {lead["change"] for lead in found.values()}
        all_found = [lead for day in DAYS[:3] for lead in expected(world, day).values()]
        matches |= {lead["device_match"] for lead in all_found}
        by_name += sum(
            row["DeviceId"] is None and found.get((row["tenant_id"], row["AlertId"]), {}).get("device_match") == "as_of"
            for row in world[1]
        )
        no_moment += sum(lead["alert_time"].hour == 0 for lead in all_found)
        alerts = {(row["tenant_id"], row["AlertId"]) for row in world[0] + world[1]}
        silent += len(alerts - set(found))
        on_the_day = {(row["tenant_id"], row["AlertId"]) for row in world[0] + world[1] if row["export_date"] == DAY}
        late += len(set(found) - on_the_day)
    assert changes == {"new", "updated"}
    assert matches == {"as_of", "after", "unknown", "no_device"}
    assert min(by_name, no_moment) > 3
    assert silent > 20
    assert late > 3
