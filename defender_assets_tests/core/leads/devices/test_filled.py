"""Values of heartbeats that fill nothing."""

from typing import Any

import polars as pl
import pytest

from defender_assets.core.leads.devices.as_of import DEVICE_COLUMNS
from defender_assets.core.schemas import DEVICE_INFO
from defender_assets_tests.support.alert_rows import PC, at, beat, info, lead_of, machine

TEXTS = {
    taken.column.name: theirs
    for taken in DEVICE_COLUMNS
    if taken.column.dtype == pl.String and (theirs := taken.source.meta.output_name()) in DEVICE_INFO.schema
    if taken.column.name != "registry_tag"
}
NOTHING = ["-", "", " ", " - ", "\t-\n"]


def value(microsoft: str, *values: Any) -> dict[str, Any]:
    beats = [beat(when=at(-len(values) + number), **{microsoft: each}) for number, each in enumerate(values)]
    return lead_of([info()], [machine()], beats)


@pytest.mark.parametrize("nothing", NOTHING)
def test_a_text_that_fills_nothing_does_not_hide_an_earlier_one(nothing: str) -> None:
    known: dict[str, Any] = dict.fromkeys(TEXTS.values(), " known ")
    unknown: dict[str, Any] = dict.fromkeys(TEXTS.values(), nothing)
    lead = lead_of([info()], [machine()], [beat(when=at(-2), **known), beat(when=at(-1), **unknown)])
    assert {lead[name] for name in TEXTS} == {"known"}
    assert len(TEXTS) > 10
    alone = lead_of([info()], [machine()], [beat(when=at(-1), **unknown)])
    assert {alone[name] for name in TEXTS} == {None}


@pytest.mark.parametrize("nothing", NOTHING)
def test_a_name_that_fills_nothing_is_no_name(nothing: str) -> None:
    rows = [machine(PC, DeviceName="pc1", Timestamp=at(-1)), machine(PC, DeviceName=nothing)]
    assert lead_of([info()], rows)["device_name"] == "pc1"
    assert lead_of([info()], rows[1:])["device_name"] is None
    assert lead_of([info()], rows, [beat(when=at(-1), DeviceName=nothing)])["device_name"] == "pc1"


@pytest.mark.parametrize("nothing", NOTHING)
def test_a_tag_that_fills_nothing_is_no_tag(nothing: str) -> None:
    assert value("DeviceManualTags", ["a"], [nothing])["device_tags"] == ["a"]
    assert value("DeviceManualTags", ["a"], [nothing, " b "])["device_tags"] == ["b"]
    assert value("DeviceManualTags", ["a"], [])["device_tags"] == []
    assert value("RegistryDeviceTag", "a", nothing)["device_tags"] == ["a"]


def user(name: str | None, domain: str | None = None, sid: str | None = None) -> dict[str, str | None]:
    return {"UserName": name, "DomainName": domain, "Sid": sid}


def test_users_without_any_name_are_not_logged_on() -> None:
    users = [user("-", "", " "), user(" jane ", "-", "S-1-5-21-1"), user(None)]
    assert value("LoggedOnUsers", users)["logged_on_users"] == [user("jane", None, "S-1-5-21-1")]
    assert value("LoggedOnUsers", [user("-")])["logged_on_users"] is None
    assert value("LoggedOnUsers", [])["logged_on_users"] == []
