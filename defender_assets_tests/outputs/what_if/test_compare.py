"""What-if on a small lake: the same rules differ in nothing, other rules in exactly what they judge."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from defender_assets.catalog import LEADS, STORIES, derived_tables
from defender_assets.core.lake.lake import Lake
from defender_assets.core.leads.risk import ScoringConfig
from defender_assets.core.leads.risk.muting import Mute
from defender_assets.core.leads.risk.weights import packaged_weights
from defender_assets.core.pipeline.derived_table import DerivedTable
from defender_assets.core.schemas import ALERT_INFO
from defender_assets.core.stories.schema import STORY_SCHEMA
from defender_assets.core.triage.statements import STATED_LEAD, Statement, state_statements
from defender_assets.outputs.what_if.overlay import HeldLake, Rules
from defender_assets.outputs.what_if.report import Comparison, compare
from defender_assets_tests.support.days import day_before
from defender_assets_tests.support.exports import local_lake
from defender_assets_tests.support.file_hashes import file_hashes
from defender_assets_tests.support.small_lake import SmallLake
from defender_assets_tests.support.triaged_leads import put

HIGH = "Microsoft rates the alert High"
CURRENT = ScoringConfig()


def with_weight(section: str, line: str, points: int) -> ScoringConfig:
    weights = {name: dict(lines) for name, lines in packaged_weights().items()}
    weights[section][line] = points
    return ScoringConfig(weights)


HIGHER = with_weight("severity", "high", 95)


def rules(scoring: ScoringConfig = CURRENT, **options: bool) -> Rules:
    return Rules(derived_tables(scoring), scoring.version, **options)


def compared(small_lake: SmallLake, base: Rules, other: Rules, lake: Lake | None = None) -> Comparison:
    return compare(lake or small_lake.lake, base, other, small_lake.days[0], small_lake.days[-1])


@pytest.fixture(scope="module")
def higher(small_lake: SmallLake) -> Comparison:
    """The stored rows, compared with a higher weight of severe alerts."""
    return compared(small_lake, rules(stored=True), rules(HIGHER))


def keys_of(rows: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    return {(row["day"], row["lead_id"]) for row in rows}


def test_the_same_rules_differ_in_nothing_and_the_lake_stays_as_it_is(small_lake: SmallLake) -> None:
    before = file_hashes(small_lake.lake_dir)

    found = compared(small_lake, rules(stored=True), rules())

    assert (found.leads, found.stories, found.days, found.stored_days) == ([], [], small_lake.days, 2)
    assert file_hashes(small_lake.lake_dir) == before


def test_one_weight_scores_exactly_the_leads_with_its_reason(small_lake: SmallLake, higher: Comparison) -> None:
    leads = small_lake.lake.read(LEADS.name).collect()
    severe = leads.filter(pl.col("risk_reasons").list.eval(pl.element().struct.field("reason") == HIGH).list.any())

    scored = [row for row in higher.leads if "score" in row["kinds"]]

    assert keys_of(scored) == {(str(day), lead) for day, lead in severe.select("export_date", "lead_id").rows()}
    assert {each["reason"] for row in scored for each in row["reasons"]} <= {HIGH, "More than 100 points count as 100"}
    assert all({"reason": HIGH, "base": 50, "other": 95} in row["reasons"] for row in scored)


def test_other_leads_differ_only_by_their_story_or_their_position(small_lake: SmallLake, higher: Comparison) -> None:
    others = [row for row in higher.leads if "score" not in row["kinds"]]
    scored = {row["lead_id"] for row in higher.leads if "score" in row["kinds"]}
    stories = small_lake.lake.read(STORIES.name).collect()
    in_their_stories = {lead for (ids,) in stories.select("lead_ids").rows() if scored & {*ids} for lead in ids}

    assert others
    for row in others:
        assert {*row["kinds"]} <= {"priority", "up", "down"}
        assert ("priority" in row["kinds"]) == (row["lead_id"] in in_their_stories)
    assert {row["kind"] for row in higher.stories} == {"changes"}
    assert {"down", "up"} <= {kind for row in higher.leads for kind in row["kinds"]}


def test_a_later_start_compares_the_same_rows_by_its_warm_up(small_lake: SmallLake, higher: Comparison) -> None:
    last = small_lake.days[-1]

    found = compare(small_lake.lake, rules(stored=True), rules(HIGHER), last, last)

    assert found.leads == [row for row in higher.leads if row["day"] == str(last)] != []
    assert found.stories == [row for row in higher.stories if row["day"] == str(last)]


def test_a_partition_that_is_behind_its_records_does_not_stand_for_the_base(
    small_lake: SmallLake, tmp_path: Path
) -> None:
    lake, day = local_lake(shutil.copytree(small_lake.lake_dir, tmp_path / "lake")), small_lake.days[-1]
    current = HeldLake.opened(lake, rules().by_name)
    alerts = lake.fenced(ALERT_INFO.name, day)
    lake.record(alerts, {alerts.fence: alerts.version + 1})
    behind = HeldLake.opened(lake, rules().by_name)

    assert current.stored(LEADS.name, day) is not None
    assert behind.stored(LEADS.name, day) is None
    assert behind.stored(LEADS.name, small_lake.days[0]) is not None


def test_rows_that_other_rules_judged_are_built_again_for_the_base(small_lake: SmallLake) -> None:
    found = compared(small_lake, rules(HIGHER, stored=True), rules(HIGHER))

    assert (found.differs, found.stored_days) == (False, 0)


def test_what_the_lake_holds_can_be_the_base_whatever_judged_it(small_lake: SmallLake, higher: Comparison) -> None:
    found = compared(small_lake, rules(HIGHER, stored=True, judged_by_any=True), rules(HIGHER))

    assert (found.leads, found.stories, found.stored_days) == (higher.leads, higher.stories, 2)


def test_a_muted_true_positive_is_counted_and_leaves_queue_and_story(small_lake: SmallLake, tmp_path: Path) -> None:
    folder = shutil.copytree(small_lake.lake_dir, tmp_path / "lake")
    lake = local_lake(folder)
    story = lake.read(STORIES.name).collect().row(0, named=True)
    lead = lake.read(LEADS.name).filter(lead_id=story["lead_ids"][0]).collect().row(0, named=True)
    stated = pl.DataFrame([{name: lead.get(name) for name in STATED_LEAD}])
    statement = Statement(lead["tenant_id"], lead["lead_id"], "closed", "true_positive")
    state_statements(lake, [statement], stated, "ana")
    mute = Mute("noise", "known", (("title", (lead["title"],)), ("tenant", (lead["tenant_id"],))))

    found = compared(small_lake, rules(stored=True), rules(ScoringConfig(mutes=(mute,))), lake)

    (row,) = [row for row in found.leads if row["lead_id"] == lead["lead_id"]]
    assert row["kinds"] == ["vanishes", "muted"]
    assert row["muted_by"] == {"base": None, "other": "noise: known"}
    assert (row["verdict"], row["position"]["other"]) == ("true_positive", None)
    assert found.true_positives_down == 1
    assert found.verdicts["true_positive"] == {"leads": 1, "up": 0, "down": 0, "in": 0, "out": 1}
    (changed,) = [each for each in found.stories if each["base"][0]["story_id"] == story["story_id"]]
    assert lead["lead_id"] not in {lead_id for each in changed["other"] for lead_id in each["lead_ids"]}


def test_the_code_at_hand_is_compared_with_what_was_built(small_lake: SmallLake) -> None:
    def without_stories(table: DerivedTable) -> DerivedTable:
        return replace(table, build=lambda *_: STORY_SCHEMA.to_frame()) if table.name == STORIES.name else table

    other = Rules([*map(without_stories, derived_tables(CURRENT))], CURRENT.version)

    found = compared(small_lake, rules(stored=True), other)

    assert {row["kind"] for row in found.stories} == {"dissolves"}
    assert {row["lead_id"] for row in found.leads if "story" in row["kinds"]} == {
        lead_id for row in found.stories for each in row["base"] for lead_id in each["lead_ids"]
    }


@pytest.mark.parametrize("deleted", [False, True])
def test_a_day_whose_look_back_has_left_is_named_and_left_out(lake: Lake, *, deleted: bool) -> None:
    old, day = day_before(33), day_before(5)
    for each in (old, day):
        put(lake, ALERT_INFO.name, each, {"AlertId": "a", "record_id": str(each)})
    held = lake if deleted else replace(lake, keep_days=31)
    if deleted:
        lake.open(ALERT_INFO.name).delete(f"export_date = '{old}'")

    found = compare(held, rules(stored=True), rules(), day, day + timedelta(days=3))

    # the look-back of the third day begins after the old one
    assert found.left_out == {day: (old, old), day + timedelta(days=1): (old, old), day + timedelta(days=2): (old, old)}
    assert found.days == [day + timedelta(days=3)]


def test_nothing_is_created_in_an_empty_lake(lake: Lake) -> None:
    found = compare(lake, rules(stored=True), rules(), day_before(1), day_before(0))

    assert not found.differs
    assert not Path(lake.uri).exists()
