"""Two lakes built in different orders hold equal leads: nothing but provenance may depend on order or on copies."""

import random
from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from defender_assets.core.leads import build
from defender_assets.core.leads.entities import additional_fields
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
    leads_of_each,
)

PROVENANCE = ("sources", "first_seen_at", "last_updated_at")

World = tuple[list[Row], list[Row], list[Row]]


def a_small_world(seed: int) -> World:
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


def shuffled(world: World, seeded_rng: random.Random) -> World:
    infos, evidences, beats = (seeded_rng.sample(rows, len(rows)) for rows in world)
    return infos, evidences, beats


def delivered_again(world: World, seeded_rng: random.Random) -> World:
    infos, evidences, beats = (
        [
            row | {"exported_at": at(seeded_rng.random()), "blob": "z", "byte_offset": seeded_rng.randint(0, 9)}
            for row in rows
        ]
        for rows in world
    )
    return infos, evidences, beats


def same(one: pl.DataFrame, other: pl.DataFrame) -> None:
    assert_frame_equal(one.drop(PROVENANCE), other.drop(PROVENANCE))


def test_the_order_of_the_records_changes_nothing(subtests: pytest.Subtests) -> None:
    worlds = [a_small_world(seed) for seed in range(4)]
    again = [shuffled(world, random.Random(seed)) for seed, world in enumerate(worlds)]
    for seed, (leads, others) in enumerate(zip(leads_of_each(worlds), leads_of_each(again), strict=True)):
        with subtests.test(seed=seed):
            assert_frame_equal(leads, others)
            assert not leads.is_empty()
            stories = build_stories(DAY, leads.lazy())
            assert not stories.is_empty()
            assert_frame_equal(stories, build_stories(DAY, leads.sample(fraction=1, shuffle=True, seed=seed).lazy()))


def test_a_day_that_is_built_in_parts_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds = [a_small_world(seed) for seed in range(4)]
    whole = pl.concat(leads_of_each(worlds))
    monkeypatch.setattr(build, "ALERTS_AT_ONCE", 9)
    monkeypatch.setattr(additional_fields, "_TEXTS_AT_ONCE", 2)
    assert_frame_equal(pl.concat(leads_of_each(worlds)), whole)


def test_the_choice_of_copies_changes_only_provenance(subtests: pytest.Subtests) -> None:
    worlds = [a_small_world(seed) for seed in range(4)]
    copies, more = ([delivered_again(world, random.Random(n)) for n, world in enumerate(worlds)] for _ in range(2))
    both = [
        (infos + copied_infos, copied_evidences + evidences, beats + copied_beats)
        for (infos, evidences, beats), (copied_infos, copied_evidences, copied_beats) in zip(worlds, more, strict=True)
    ]
    built = zip(leads_of_each(worlds), leads_of_each(copies), leads_of_each(both), strict=True)
    for seed, (leads, of_copies, of_both) in enumerate(built):
        with subtests.test("copies alone", seed=seed):
            same(leads, of_copies)
        with subtests.test("copies beside the records", seed=seed):
            same(leads, of_both)


def test_copies_on_later_days_issue_nothing(subtests: pytest.Subtests) -> None:
    later = DAY + timedelta(days=1)
    choices = [(0, set()), (1, set(range(6)))]
    choices += [(seed % 4, set(random.Random(seed).sample(range(6), seed % 5 + 1))) for seed in range(10)]
    cases = []
    for seed, copied in choices:
        infos, evidences, beats = a_small_world(seed)
        again = [row | {"export_date": later} for number, row in enumerate(evidences) if number in copied]
        cases.append((infos, evidences + again, [row | {"export_date": EVE} for row in beats]))
    for (seed, copied), leads in zip(choices, leads_of_each(cases, day=later), strict=True):
        with subtests.test(seed=seed, copied=copied):
            assert leads.is_empty()


def test_the_reasons_of_every_lead_and_story_add_up(subtests: pytest.Subtests) -> None:
    for seed, leads in enumerate(leads_of_each(a_small_world(seed) for seed in range(6))):
        stories = build_stories(DAY, leads.lazy())
        for frame, score, reasons in ((leads, "risk_score", "risk_reasons"), (stories, "score", "score_reasons")):
            with subtests.test(seed=seed, score=score):
                assert not frame.is_empty()
                for row in frame.select(score, reasons).iter_rows(named=True):
                    assert sum(reason["points"] for reason in row[reasons]) == row[score]


def test_the_worlds_of_these_tests_differ() -> None:
    one, other = leads_of_each([a_small_world(0), a_small_world(1)])
    assert not one.equals(other)
