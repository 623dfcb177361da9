"""The current states of leads and stories, from a few statements."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from defender_assets.catalog import LEADS
from defender_assets.core.stories import STORY_SCHEMA
from defender_assets.core.triage.schema import VERDICT_SCHEMA
from defender_assets.core.triage.states import (
    current_states,
    in_state,
    newest_statements,
    with_states,
    with_story_states,
)
from defender_assets_tests.support.exports import DAY, OTHER_TENANT, TENANT
from defender_assets_tests.support.triaged_leads import NOW, lead

NEXT = DAY + timedelta(days=1)


def said(lead_id: str, sequence: int, state: str = "closed", version: str | None = "v1", **columns: Any) -> Any:
    verdict = "false_positive" if state == "closed" else None
    row = {"tenant_id": TENANT, "lead_id": lead_id, "state": state, "sequence": sequence, "verdict": verdict}
    kept = {"title": f"Title of {lead_id}", "severity": "Medium", "lead_version": version, "stated_at": NOW}
    return row | kept | columns


def states(statements: list[Any], *leads: tuple[date, Any]) -> dict[str, Any]:
    rows = [{"tenant_id": TENANT, "export_date": day, **row} for day, row in leads]
    frame = pl.LazyFrame(rows, schema=LEADS.schema)
    found = current_states(pl.LazyFrame(statements, schema=VERDICT_SCHEMA), frame).collect()
    assert found.schema == VERDICT_SCHEMA | {"reopened": pl.Boolean(), "changed": pl.List(pl.String())}
    return {row["lead_id"]: row for row in found.to_dicts()}


def test_the_highest_sequence_counts_whatever_the_clocks_say() -> None:
    later = NOW + timedelta(hours=5)
    found = states([said("a", 2, "in_progress"), said("a", 1, stated_at=later), said("b", 3)], (DAY, lead("a")))
    assert {name: row["state"] for name, row in found.items()} == {"a": "in_progress", "b": "closed"}


def test_the_same_lead_id_of_another_tenant_is_another_lead() -> None:
    rows = pl.LazyFrame([said("a", 1), said("a", 2, tenant_id=OTHER_TENANT)], schema=VERDICT_SCHEMA)
    assert newest_statements(rows).collect().height == 2


@pytest.mark.parametrize(
    ("stated", "current", "reopened"),
    [("v1", "v1", False), ("v1", "v2", True), (None, "v2", False), ("v1", None, False)],
)
def test_a_closed_lead_is_open_again_only_if_its_version_is_known_to_differ(
    stated: str | None, current: str | None, reopened: bool
) -> None:
    row = states([said("a", 1, version=stated)], (DAY, lead("a", current)))["a"]
    assert (row["reopened"], row["state"]) == (reopened, "new" if reopened else "closed")
    assert row["verdict"] == "false_positive"
    assert bool(row["changed"]) == reopened


def test_only_the_latest_row_of_a_lead_reopens_it() -> None:
    changed = (NEXT, lead("a", "v2", changes=["1 evidence record added"]))
    assert states([said("a", 1)], (DAY, lead("a")), changed)["a"]["reopened"]
    assert not states([said("a", 1, version="v2")], (DAY, lead("a")), changed)["a"]["reopened"]


def test_a_lead_in_progress_is_not_reopened_and_a_lead_past_retention_stays_closed() -> None:
    found = states([said("a", 1, "in_progress"), said("gone", 2)], (DAY, lead("a", "v2")))
    assert not any(row["reopened"] for row in found.values())
    assert found["gone"]["state"] == "closed"


def test_it_says_what_changed_since_the_version_that_was_closed() -> None:
    later = [
        (DAY, lead("a", changes=["before"])),
        (NEXT, lead("a", "v2", changes=["Severity raised from Low to High"])),
        (NEXT + timedelta(days=1), lead("a", "v3", changes=["1 evidence record added"])),
    ]
    assert states([said("a", 1)], *later)["a"]["changed"] == [
        "Severity raised from Low to High",
        "1 evidence record added",
    ]


def test_a_row_that_was_replaced_says_what_the_statement_kept_of_it() -> None:
    replaced = lead("a", "v2", severity="High", title="Other", changes=[])
    assert states([said("a", 1)], (DAY, replaced))["a"]["changed"] == [
        "Title changed from “Title of a” to “Other”",
        "Severity changed from Medium to High",
    ]
    assert states([said("a", 1)], (DAY, lead("a", "v2", changes=None)))["a"]["changed"] == [
        "Its category, techniques or evidence changed"
    ]


def test_a_lead_without_a_statement_is_new_and_keeps_its_order() -> None:
    said_of = pl.LazyFrame([said("b", 1, assignee="bo")], schema=VERDICT_SCHEMA)
    found = current_states(said_of, pl.LazyFrame(schema=LEADS.schema)).collect()
    leads = pl.DataFrame([{"tenant_id": TENANT, "lead_id": name, "verdict": "Malicious"} for name in "cba"])
    shown = with_states(leads, found)
    assert shown["lead_id"].to_list() == ["c", "b", "a"]
    assert shown["state"].to_list() == ["new", "closed", "new"]
    # Microsoft's verdict on the evidence is another column
    assert shown["verdict"].unique().to_list() == ["Malicious"]
    assert shown["analyst_verdict"].to_list() == [None, "false_positive", None]
    assert in_state(shown, "open")["lead_id"].to_list() == ["c", "a"]
    assert in_state(shown, "closed")["lead_id"].to_list() == ["b"]
    assert in_state(shown, "all").height == 3


@pytest.mark.parametrize(
    ("statements", "state", "closed"),
    [
        ([], "new", 0),
        ([said("a", 1)], "new", 1),
        ([said("a", 1), said("b", 1, "in_progress")], "in_progress", 1),
        ([said("a", 1), said("b", 2)], "closed", 2),
    ],
)
def test_a_story_is_closed_when_all_its_leads_are(statements: list[Any], state: str, closed: int) -> None:
    row = {"tenant_id": TENANT, "export_date": DAY, "story_id": "s", "lead_ids": ["a", "b"]}
    stories = pl.LazyFrame([row], schema=STORY_SCHEMA)
    found = pl.LazyFrame(statements, schema=VERDICT_SCHEMA)
    (shown,) = with_story_states(stories, found).collect().to_dicts()
    assert (shown["state"], shown["closed_leads"]) == (state, closed)
