from collections.abc import Callable

import click
import polars as pl
import pytest

from defender_assets.cli.leads import leads as command
from defender_assets.core.enums import LEVELS, PRODUCTS
from defender_assets.core.stories import STORY_SCHEMA
from defender_assets.outputs.queries.filters import (
    beginning_with,
    by_user,
    min_severity,
    named_lead,
    of_product,
    of_tenant,
    on_device,
)
from defender_assets_tests.support.alert_rows import PC, SERVER, lead_frame, lead_row

ACCOUNT = {"name": "mira", "domain": "corp", "upn": "Mira.Moss@corp.example", "sid": "S-1-5-21-7", "object_id": "0B-1"}
OTHER_DEVICE = {"device_id": SERVER, "device_name": "srv-[1].example"}


def device(**filled: str) -> dict[str, object]:
    """A struct of a lead's `devices`."""
    names = ("device_id", "original_device_id", "device_name", "role", "device_match", "device_seen_at")
    rest = ("os_platform", "machine_group", "exposure_level", "asset_value", "is_internet_facing")
    return dict.fromkeys((*names, *rest)) | filled


@pytest.fixture
def leads() -> pl.LazyFrame:
    return lead_frame(
        [
            lead_row("a1", severity="High", product="identity", accounts=[ACCOUNT | {"role": None}]),
            lead_row("a2", severity="low", device_id=PC, device_name="WS-1.corp.example", original_device_id="old-1"),
            lead_row("b1", severity=None, devices=[device(device_name="x"), device(**OTHER_DEVICE)]),
            lead_row("b2", severity="Critical", accounts=None, devices=None, product=None),
        ]
    )


@pytest.fixture
def stories() -> pl.LazyFrame:
    said = [
        {"story_id": "s1", "severity": "Medium", "products": ["endpoint", "identity"], "device_names": ["ws-1"]},
        {"story_id": "s2", "severity": "High", "products": ["xdr"], "accounts": ["CORP\\mira"]},
    ]
    return pl.DataFrame(said, schema=STORY_SCHEMA).lazy()


def ids(rows: pl.LazyFrame) -> list[str]:
    frame = rows.collect()
    return frame["story_id" if "story_id" in frame.columns else "lead_id"].to_list()


def test_a_severity_includes_higher_ones_and_excludes_unknown_words(leads: pl.LazyFrame, stories: pl.LazyFrame) -> None:
    assert ids(min_severity(leads, "high")) == ["a1"]
    assert ids(min_severity(leads, "Low")) == ["a1", "a2"]
    assert ids(min_severity(leads, "informational")) == ["a1", "a2"]
    assert ids(min_severity(stories, "medium")) == ["s1", "s2"]


def test_the_commands_offer_the_existing_severities_and_products() -> None:
    offered = {option.name: option.type.choices for option in command.params if isinstance(option.type, click.Choice)}
    assert tuple(offered["severity"]) == LEVELS
    assert tuple(offered["product"]) == PRODUCTS


@pytest.mark.parametrize(
    ("pick", "asked", "found", "expected_stories"),
    [
        (of_product, "Identity", ["a1"], ["s1"]),
        (on_device, "ws-1", ["a2"], ["s1"]),
        (on_device, PC[:6], ["a2"], []),
        (on_device, "OLD", ["a2"], []),
        (on_device, "srv-[1]", ["b1"], []),
        (on_device, ".*", [], []),
        (by_user, "MIRA", ["a1"], ["s2"]),
        (by_user, "moss@", ["a1"], []),
        (by_user, "s-1-5-21-7", ["a1"], []),
        (by_user, "s-1-5", [], []),
        (by_user, "0b-1", ["a1"], []),
        (of_product, " identity ", ["a1"], ["s1"]),
        (on_device, "\tws-1\u200b", ["a2"], ["s1"]),
        (by_user, "\xa0Mira\ufeff", ["a1"], ["s2"]),
        (by_user, "S-1-5-21-7\r\n", ["a1"], []),
    ],
)
def test_text_is_matched_literally_and_without_case(
    leads: pl.LazyFrame,
    stories: pl.LazyFrame,
    pick: Callable[[pl.LazyFrame, str], pl.LazyFrame],
    asked: str,
    found: list[str],
    expected_stories: list[str],
) -> None:
    assert ids(pick(leads, asked)) == found
    assert ids(pick(stories, asked)) == expected_stories


def test_the_prefix_of_an_id_is_enough(leads: pl.LazyFrame) -> None:
    assert ids(beginning_with(leads, "lead_id", "A")) == ["a1", "a2"]
    assert ids(beginning_with(leads, "lead_id", "b2")) == ["b2"]
    assert ids(beginning_with(leads, "lead_id", "\u2060b2 ")) == ["b2"]


def test_a_lead_is_named_by_the_beginning_of_its_id_or_its_whole_alert_id() -> None:
    leads = lead_frame([lead_row("a1", alert_id="da637_-1"), lead_row("a2", alert_id="da637_-12")])
    assert ids(named_lead(leads, "A")) == ["a1", "a2"]
    assert ids(named_lead(leads, " DA637_-1\u200b")) == ["a1"]
    assert ids(named_lead(leads, "da637")) == []


@pytest.mark.parametrize("blank", ["", " ", "\u200b", "\xa0\n"])
def test_blanks_name_nothing(leads: pl.LazyFrame, stories: pl.LazyFrame, blank: str) -> None:
    for pick in (named_lead, on_device, by_user, of_product, of_tenant):
        assert ids(pick(leads, blank)) == []
    for pick in (on_device, by_user, of_product, of_tenant):
        assert ids(pick(stories, blank)) == []
