"""`entity VALUE`: the leads, stories, verdicts and device states of one entity, whatever names it."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from defender_assets.catalog import STORIES
from defender_assets.cli.errors import NOTHING_FOUND
from defender_assets.core.lake.lake import Lake
from defender_assets.core.schemas import DEVICE_INFO
from defender_assets.outputs.queries.entities import device_states
from defender_assets.outputs.queries.views import collected, current_leads
from defender_assets_tests.cli.conftest import Run
from defender_assets_tests.support.exports import DAY
from defender_assets_tests.support.hostile_text import HOSTILE_HTML, HOSTILE_TITLE, dangerous_in
from defender_assets_tests.support.small_lake import SmallLake
from defender_assets_tests.support.triaged_leads import NOW, lead, put, put_leads


def entity(run: Run, value: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("entity", value, "--days", "3000", "--format", "json").stdout)
    return found


def test_an_entity_of_any_kind_is_found_by_any_of_its_names(on_small_lake: Run, small_lake: SmallLake) -> None:
    leads = collected(small_lake.lake, current_leads(small_lake.lake))
    entities = leads.select("lead_id", "entities").explode("entities").unnest("entities").drop_nulls("value")
    one_of_each = entities.unique("kind", keep="any", maintain_order=True)
    assert one_of_each.height > 5
    for kind, value in one_of_each.select("kind", "value").iter_rows():
        expected = set(entities.filter(pl.col("value") == value)["lead_id"])
        assert expected <= {lead["lead_id"] for lead in entity(on_small_lake, value.upper())["leads"]}, kind


def test_a_device_has_its_states_and_the_first_and_last_time(on_small_lake: Run, small_lake: SmallLake) -> None:
    beats = small_lake.lake.read(DEVICE_INFO.name).collect()
    name = beats["DeviceName"].value_counts(sort=True)["DeviceName"].drop_nulls()[0]

    found = entity(on_small_lake, name.partition(".")[0])

    times = [state["Timestamp"] for state in found["device_states"]]
    assert times == sorted(times)
    assert times
    assert found["first_seen"] <= times[0]
    assert name in {state["DeviceName"] for state in found["device_states"]}
    # an address is not found by its beginning
    assert entity(on_small_lake, "10")["leads"] == []
    # blanks name nothing
    assert on_small_lake("entity", " \u200b", "--days", "3000").exit_code == NOTHING_FOUND
    text = on_small_lake("entity", name, "--days", "3000").stdout
    assert name in text
    assert "Device states" in text
    # nobody has said anything of a lead
    assert not re.search(r" state +id *$", text, re.MULTILINE)


def test_only_changes_of_a_device_are_states(lake: Lake) -> None:
    beats = [("High", 0), ("High", 1), ("Low", 2), ("High", 3), ("High", 4)]
    rows = [
        {
            "DeviceId": "d",
            "DeviceName": "pc.contoso.com",
            "ExposureLevel": level,
            "Timestamp": NOW.replace(minute=minute),
        }
        for level, minute in beats
    ]
    put(lake, DEVICE_INFO.name, DAY, *rows, {"DeviceId": "e", "DeviceName": "pc2", "Timestamp": NOW})
    found = device_states(lake, "PC", DAY).collect()
    assert [at.minute for at in found["Timestamp"]] == [0, 2, 3]


def test_what_a_partial_heartbeat_lacks_is_no_change(lake: Lake) -> None:
    beat = {"DeviceId": "d", "DeviceName": "pc.contoso.com"}
    states: list[dict[str, Any]] = [
        {"ExposureLevel": "High", "IsInternetFacing": True},
        {},
        {"ExposureLevel": "-"},
        {"ExposureLevel": "High", "JoinType": "AAD Joined"},
        {"IsInternetFacing": False},
        {"IsInternetFacing": False, "ExposureLevel": "Low"},
    ]
    rows = [beat | state | {"Timestamp": NOW.replace(minute=minute)} for minute, state in enumerate(states)]
    put(lake, DEVICE_INFO.name, DAY, *rows)
    found = device_states(lake, "pc", DAY).collect()
    assert [at.minute for at in found["Timestamp"]] == [0, 3, 4, 5]
    assert found["ExposureLevel"].to_list() == ["High", "High", "High", "Low"]
    assert found["IsInternetFacing"].to_list() == [True, True, False, False]


def test_leads_and_stories_of_an_entity_are_in_the_order_of_the_queue(
    lake: Lake, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEFENDER_LAKE_URI", lake.uri)
    leads = [lead(f"{number:04x}", device_name="pc1", risk_score=number % 97) for number in range(3000)]
    put_leads(lake, *leads)
    stories = [
        {"story_id": f"{number:04x}", "lead_ids": [leads[number]["lead_id"]], "lead_count": 1, "points": number % 89}
        for number in range(1000)
    ]
    put(lake, STORIES.name, DAY, *stories)
    found = entity(run, "pc1")
    assert [each["risk_score"] for each in found["leads"]] == sorted(
        (each["risk_score"] for each in leads), reverse=True
    )
    assert [each["points"] for each in found["stories"]] == sorted(
        (number % 89 for number in range(len(stories))), reverse=True
    )


def test_stories_verdicts_and_hostile_text(
    on_small_lake: Run, small_lake: SmallLake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(small_lake.lake_dir, tmp_path / "lake")
    monkeypatch.setenv("DEFENDER_LAKE_URI", str(tmp_path / "lake"))
    story = json.loads(on_small_lake("stories", "--format", "json").stdout)[0]
    lead_id = story["lead_ids"][0]
    on_small_lake("triage", lead_id, "--state", "closed", "--verdict", "true_positive", "--author", "ana")
    (lead,) = json.loads(on_small_lake("leads", "--state", "closed", "--format", "json").stdout)
    value = next(each["value"] for each in lead["entities"])

    found = entity(on_small_lake, value)

    assert story["story_id"] in {each["story_id"] for each in found["stories"]}
    assert found["verdicts"]["true_positive"] == 1
    hostile = on_small_lake("entity", HOSTILE_HTML + "\x1b[2J")
    assert "No lead names" in hostile.stdout
    assert hostile.exit_code == NOTHING_FOUND
    assert not dangerous_in(hostile.stdout + on_small_lake("entity", HOSTILE_HTML).stdout)
    assert not dangerous_in(on_small_lake("entity", HOSTILE_TITLE).stdout)
