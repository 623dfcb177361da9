"""A device that Microsoft merges into another one during an attack has one story."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from defender_assets.core.leads.devices.merges import MOST_PREDECESSORS
from defender_assets.core.stories import build_stories
from defender_assets_tests.support.alert_rows import DAY, EVE, Row, at, beat, evidence, info, leads_of, machine

OLD, MID, NEW = "1" * 40, "2" * 40, "3" * 40
BEFORE, AFTER = (EVE, -2), (DAY, 0)


def alert(name: str, device: str, day: date, hours: float, user: str | None) -> tuple[list[Row], list[Row]]:
    placed: dict[str, Any] = {"day": day, "Timestamp": at(hours)}
    who = [evidence("User", name, AccountUpn=user, **placed)] if user else []
    return [info(name, Title=f"Detection {name}", **placed)], [machine(device, name, **placed), *who]


def merged(old: str, new: str, day: date = DAY, by_list: bool = False) -> Row:
    merge = {"device": new, "MergedDeviceIds": [old]} if by_list else {"device": old, "MergedToDeviceId": new}
    return beat(when=at(-1), day=day, DeviceName="pc.contoso.example", **merge)


def stories(*beats: Row, old: str = OLD, user: str | None = None, title: str | None = None) -> pl.DataFrame:
    """Return the stories of two alerts on the day before on one identifier, and two of the day on NEW."""
    alerts = [
        alert(f"da{device[0]}{n}", device, day, hours + n / 6, user)
        for device, (day, hours) in ((old, BEFORE), (NEW, AFTER))
        for n in range(2)
    ]
    infos = [row | ({"Title": title} if title else {}) for each, _ in alerts for row in each]
    evidences = [row for _, each in alerts for row in each]
    known = [beat(device, at(-40), day=EVE - timedelta(days=1)) for device in (old, NEW)]

    def until(rows: list[Row], day: date) -> list[Row]:
        return [row for row in rows if row["export_date"] <= day]

    days = [leads_of(until(infos, day), until(evidences, day), until([*known, *beats], day), day) for day in (EVE, DAY)]
    return build_stories(DAY, pl.concat(days).lazy())


CASES: dict[str, dict[str, Any]] = {
    "merged to": {"beats": [merged(OLD, NEW)]},
    "in the list of the new one": {"beats": [merged(OLD, NEW, by_list=True)]},
    "merged twice": {"beats": [merged(OLD, MID, EVE), merged(MID, NEW)]},
    "both merged into a third": {"beats": [merged(OLD, MID), merged(NEW, MID)]},
    "with a user": {"beats": [merged(OLD, NEW)], "user": "jane@contoso.example"},
    "a detection that comes again": {"beats": [merged(OLD, NEW)], "title": "Once more"},
}


@pytest.mark.parametrize("name", CASES)
def test_the_alerts_before_and_after_the_merge_are_one_story(name: str) -> None:
    case = dict(CASES[name])
    found = stories(*case.pop("beats"), **case)
    assert found["lead_count"].to_list() == [4]
    assert not any("devices" in reason["reason"] for reason in found["score_reasons"][0])


def test_devices_that_are_not_merged_stay_apart() -> None:
    assert stories()["lead_count"].to_list() == [2]
    assert stories(merged(OLD, MID))["lead_count"].to_list() == [2]


def test_a_template_of_machines_does_not_link_them() -> None:
    others = [merged(f"{n:040x}", NEW) for n in range(4096, 4096 + MOST_PREDECESSORS)]
    assert stories(merged(OLD, NEW), *others)["lead_count"].to_list() == [2]
