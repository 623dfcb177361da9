"""A story's timeline: its steps in order of time, with tactics and the entities shared with earlier ones."""

import polars as pl
import pytest

from defender_assets.core.stories import build_stories
from defender_assets.core.stories.timeline import tactic_or_category
from defender_assets_tests.support.alert_rows import DAY, EVE, Row, at, lead_frame, lead_row

JANE = (("user", "jane@c", "jane@c"), ("user", "s-1-5-21-1", "jane@c"))


def timeline(*rows: Row) -> list[Row]:
    stories = build_stories(DAY, lead_frame(rows))
    assert stories.height == 1
    steps: list[Row] = stories["timeline"][0].to_list()
    return steps


def test_steps_are_in_order_of_time_not_of_arrival() -> None:
    rows = [
        lead_row("1", ("file", "f"), when=at(2)),
        lead_row("2", ("file", "f"), when=at(1)),
        lead_row("3", ("file", "f"), when=at(3), day=EVE),
        lead_row("0", ("file", "f"), when=at(2)),
    ]
    assert [step["lead_id"] for step in timeline(*rows)] == ["2", "0", "1", "3"]


def test_a_step_has_title_device_accounts_and_shared_entities() -> None:
    rows = [
        lead_row("1", ("file", "f"), *JANE, category="InitialAccess", product="office365", title="Phish"),
        lead_row("2", ("file", "f"), ("host", "h"), *JANE, when=at(1), device_name="pc", category="Malware"),
        lead_row("3", ("host", "h"), when=at(2), severity="High", category="Lateral movement"),
    ]
    first, second, third = timeline(*rows)
    assert (first["alert_time"], first["tactic"], first["title"]) == (at(), "Initial Access", "Phish")
    assert (first["product"], first["accounts"], first["shares"]) == ("office365", ["jane@c"], [])
    assert (second["device_name"], second["tactic"]) == ("pc", "Malware")
    assert second["shares"] == ["file f", "user jane@c"]
    assert (third["severity"], third["tactic"], third["accounts"]) == ("High", "Lateral Movement", [])
    assert third["shares"] == ["host h"]


@pytest.mark.parametrize(
    ("category", "tactic"),
    [
        ("CredentialAccess", "Credential Access"),
        ("command and control", "Command and Control"),
        ("Stealth", "Stealth"),
        ("defence-impairment", "Defense Impairment"),
        (None, None),
        ("X", "X"),
    ],
)
def test_a_category_that_is_an_attack_tactic_gets_its_name(category: str | None, tactic: str | None) -> None:
    frame = pl.DataFrame({"category": [category]}, schema={"category": pl.String})
    assert frame.select(tactic_or_category(pl.col("category"))).item() == tactic
