"""Two lakes built in different orders hold equal leads: nothing but provenance may depend on order or on copies."""

import random
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from defender_assets.core.stories import build_stories
from defender_assets_tests.support.alert_rows import (
    DAY,
    EVE,
    OTHER_TENANT,
    TENANT,
    Row,
    at,
    beat,
    evidence,
    info,
    leads_of,
)

PROVENANCE = ("sources", "first_seen_at", "last_updated_at")


def a_small_world(seed: int) -> tuple[list[Row], list[Row], list[Row]]:
    """Return records of a few alerts with many ties: equal moments, shared entities, partial heartbeats, merges."""
    seeded_rng = random.Random(seed)
    infos, evidences, beats = [], [], []
    for number in range(12):
        alert = f"da{number}_1"
        infos += [
            info(alert, day=seeded_rng.choice([DAY, EVE]), Timestamp=at(version), Title=f"t{seeded_rng.random()}")
            for version in range(seeded_rng.randint(0, 2))
        ]
        for _ in range(seeded_rng.randint(1, 6)):
            common: Row = {
                "day": seeded_rng.choice([DAY, EVE]),
                "Timestamp": at(seeded_rng.randint(-1, 1)),
                "tenant": seeded_rng.choice([TENANT, TENANT, OTHER_TENANT]),
                "EvidenceRole": seeded_rng.choice([None, "Impacted", "Related"]),
            }
            person = seeded_rng.randint(1, 3)
            fields = {
                "LastVerdict": seeded_rng.choice(["Malicious", "Clean"]),
                "Host": {"MachineId": seeded_rng.choice("abc")},
            }
            columns: Row = seeded_rng.choice(
                [
                    {"kind": "Machine", "DeviceId": seeded_rng.choice("abc"), "DeviceName": f"n{seeded_rng.random()}"},
                    {"kind": "User", "AccountUpn": f"u{person}@c", "AccountSid": f"S-1-5-21-{person}"},
                    {"kind": "User", "AccountSid": f"S-1-5-21-{person}", "AccountName": f"n{seeded_rng.random()}"},
                    {
                        "kind": "File",
                        "SHA256": "abc"[person - 1],
                        "FileName": f"f{seeded_rng.random()}",
                        "fields": fields,
                    },
                    {"kind": "Process", "FileName": "x", "ProcessCommandLine": f"c{person}", "fields": fields},
                    {"kind": "Ip", "RemoteIP": f"203.0.113.{person}"},
                ]
            )
            evidences.append(evidence(columns.pop("kind"), alert, **common, **columns))
    for _ in range(12):
        extra = seeded_rng.choice(
            [{}, {"MergedToDeviceId": seeded_rng.choice("abc")}, {"OSVersion": f"v{seeded_rng.random()}"}]
        )
        when = at(seeded_rng.randint(-2, 2))
        beats.append(
            beat(
                seeded_rng.choice("abc"),
                when,
                day=seeded_rng.choice([DAY, EVE]),
                PublicIP=f"203.0.113.{seeded_rng.randint(3, 9)}",
                **extra,
            )
        )
    return infos, evidences, beats


def same(one: pl.DataFrame, other: pl.DataFrame) -> None:
    assert_frame_equal(one.drop(PROVENANCE), other.drop(PROVENANCE))


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_the_records_changes_nothing(seed: int) -> None:
    infos, evidences, beats = a_small_world(seed)
    leads = leads_of(infos, evidences, beats)
    seeded_rng = random.Random(seed)
    for rows in (infos, evidences, beats):
        seeded_rng.shuffle(rows)
    assert_frame_equal(leads, leads_of(infos, evidences, beats))
    assert not leads.is_empty()
    stories = build_stories(DAY, leads.lazy())
    assert not stories.is_empty()
    assert_frame_equal(stories, build_stories(DAY, leads.sample(fraction=1, shuffle=True, seed=seed).lazy()))


@pytest.mark.parametrize("seed", range(4))
def test_the_choice_of_copies_changes_only_provenance(seed: int) -> None:
    infos, evidences, beats = a_small_world(seed)
    seeded_rng = random.Random(seed)

    def delivered_again(rows: list[Row]) -> list[Row]:
        return [
            row | {"exported_at": at(seeded_rng.random()), "blob": "z", "byte_offset": seeded_rng.randint(0, 9)}
            for row in rows
        ]

    same(
        leads_of(infos, evidences, beats),
        leads_of(delivered_again(infos), delivered_again(evidences), delivered_again(beats)),
    )
    same(
        leads_of(infos, evidences, beats),
        leads_of(
            infos + delivered_again(infos), delivered_again(evidences) + evidences, beats + delivered_again(beats)
        ),
    )


@settings(max_examples=12)
@given(st.sets(st.integers(0, 5)), st.integers(0, 3))
def test_copies_on_later_days_issue_nothing(copied: set[int], seed: int) -> None:
    later = DAY + timedelta(days=1)
    infos, evidences, beats = a_small_world(seed)
    known = [row | {"export_date": EVE} for row in beats]
    again = [row | {"export_date": later} for n, row in enumerate(evidences) if n in copied]
    late = leads_of(infos, evidences + again, known, day=later)
    assert late.is_empty()


@settings(max_examples=12)
@given(st.integers(0, 1000))
def test_the_reasons_of_every_lead_and_story_add_up(seed: int) -> None:
    leads = leads_of(*a_small_world(seed))
    stories = build_stories(DAY, leads.lazy())
    for frame, score, reasons in ((leads, "risk_score", "risk_reasons"), (stories, "score", "score_reasons")):
        for row in frame.select(score, reasons).iter_rows(named=True):
            assert sum(reason["points"] for reason in row[reasons]) == row[score]


def test_the_worlds_of_these_tests_differ() -> None:
    assert not leads_of(*a_small_world(0)).equals(leads_of(*a_small_world(1)))
