from collections.abc import Iterable
from datetime import timedelta
from itertools import product
from typing import Any

import polars as pl
import pytest

from defender_assets.core.stories import STORY_LOOKBACK_DAYS, build_stories
from defender_assets_tests.support.alert_rows import (
    DAY,
    EVE,
    NOON,
    OTHER_TENANT,
    Row,
    apart,
    at,
    lead_frame,
    lead_row,
    of_each,
)

FILE = ("file", "f")


def stories(*rows: Row) -> pl.DataFrame:
    return build_stories(DAY, lead_frame(rows))


Groups = list[list[str]]


def groups(*rows: Row) -> Groups:
    return groups_of_each([rows])[0]


def groups_of_each(cases: Iterable[Iterable[Row]]) -> list[Groups]:
    """Return for each case which leads are a story, from one build of all."""
    cases = list(cases)
    found = of_each(stories(*apart(cases)), len(cases))
    return [sorted(sorted(ids) for ids in stories["lead_ids"].to_list()) for stories in found]


def test_leads_that_share_an_entity_are_a_story() -> None:
    assert groups(lead_row("1", FILE), lead_row("2", FILE), lead_row("3", ("file", "g"))) == [["1", "2"]]


def test_kind_and_value_must_both_agree() -> None:
    assert groups(lead_row("1", ("file", "x")), lead_row("2", ("mail", "x"))) == []


def test_a_host_or_an_address_serves_strangers_a_file_does_not() -> None:
    """A day later a new file still links; a host or an address links within hours."""
    kinds = ("host", "address", "file", "mail")
    rows = {
        (kind, hours): [lead_row("1", (kind, "x"), when=at(-hours)), lead_row("2", (kind, "x"))]
        for kind in kinds
        for hours in (1, 4, 20)
    }
    linked = {case: bool(found) for case, found in zip(rows, groups_of_each(rows.values()), strict=True)}
    assert linked == {(kind, hours): kind in {"file", "mail"} or hours < 20 for kind, hours in rows}


def test_a_detection_that_is_routine_of_an_account_does_not_link_its_devices(subtests: pytest.Subtests) -> None:
    """A management agent runs one new program on one device after another, more or less severe each time."""
    user, file = ("user", "agent"), ("file", "f")

    def lead(name: str, device: str, hours: float, severity: str, title: str = "t") -> Row:
        return lead_row(name, user, file, ("device", device), when=at(hours), title=title, severity=severity)

    pair, severe = ([lead("1", "a", -4, level), lead("2", "b", 0, level)] for level in ("Medium", "High"))
    cases: dict[str, tuple[list[Row], bool]] = {
        "never": (pair, True),
        "on two days": ([*pair, *(lead(f"o{n}", f"d{n}", -29 - 24 * n, "Low") for n in range(2))], True),
        "on five days": ([*pair, *(lead(f"o{n}", f"d{n}", -29 - 24 * n, "Low") for n in range(5))], False),
        "a flood on a day": ([*pair, *(lead(f"o{n}", f"d{n}", -29 - n / 60, "Low") for n in range(30))], True),
        "another detection": ([*pair, *(lead(f"o{n}", f"d{n}", -29 - 24 * n, "Low", "x") for n in range(5))], True),
        "much less severe": ([*severe, *(lead(f"o{n}", f"d{n}", -29 - 24 * n, "Low") for n in range(5))], True),
    }
    for name, (rows, expected) in cases.items():
        with subtests.test(name):
            assert any({"1", "2"} <= set(story) for story in groups(*rows)) == expected


def test_leads_of_different_tenants_are_never_linked() -> None:
    assert groups(lead_row("1", FILE), lead_row("2", FILE, tenant_id=OTHER_TENANT)) == []


def test_the_same_lead_id_in_two_tenants_is_two_leads() -> None:
    rows = [lead_row(name, FILE, tenant_id=tenant) for name in ("1", "2") for tenant in ("t1", "t2")]
    result = stories(*rows)
    assert result["tenant_id"].to_list() == ["t1", "t2"]
    assert result["story_id"].n_unique() == 2


def test_leads_are_linked_within_72_hours() -> None:
    spans = (timedelta(hours=72), timedelta(hours=72, seconds=1))
    found = groups_of_each([lead_row("1", FILE, when=NOON - span), lead_row("2", FILE)] for span in spans)
    assert found == [[["1", "2"]], []]


def test_leads_further_apart_are_linked_through_those_between() -> None:
    rows = [lead_row(str(n), FILE, when=at(n * -20)) for n in range(4)]
    assert groups(*rows) == [["0", "1", "2", "3"]]


def test_a_gap_in_time_splits_the_leads_of_one_entity() -> None:
    rows = [lead_row(str(hours), FILE, when=at(hours)) for hours in (-101, -100, -1, 0)]
    assert groups(*rows) == [["-1", "0"], ["-100", "-101"]]


def test_different_entities_chain_leads_together() -> None:
    rows = [lead_row("1", ("user", "u")), lead_row("2", ("user", "u"), ("device", "d")), lead_row("3", ("device", "d"))]
    assert groups(*rows) == [["1", "2", "3"]]


def test_an_entity_common_on_other_days_links_nothing(subtests: pytest.Subtests) -> None:
    kinds = ("address", "user", "device", "file")
    late = [[lead_row(name, (kind, "everybody")) for name in "xy"] for kind in kinds]
    everyday = [
        [lead_row(f"{n:03}", (kind, "everybody"), when=at(days=-5, hours=n / 10), day=EVE) for n in range(40)]
        for kind in kinds
    ]
    alone = groups_of_each(late)
    beside = groups_of_each(rows + pair for rows, pair in zip(everyday, late, strict=True))
    for kind, of_late, of_both in zip(kinds, alone, beside, strict=True):
        with subtests.test(kind):
            assert ["x", "y"] in of_late
            assert of_both == []


def test_many_leads_of_one_detection_at_once_link_only_by_what_is_new() -> None:
    """A spray from a new address is one story, however large it is; a gateway has such leads each day."""
    rows = [lead_row(f"{n:03}", ("address", "a"), when=at(n / 100), title="the same again") for n in range(400)]
    before = [
        lead_row(f"b{day}{n}", ("address", "a"), when=at(n / 10, days=-day), day=EVE, title="the same again")
        for day in (2, 3, 4)
        for n in range(40)
    ]
    assert [len(story) for story in groups(*rows)] == [400]
    assert groups(*rows, *before) == []


def test_a_muted_lead_is_in_no_story_but_its_entities_count_as_common() -> None:
    pair = [lead_row("1", FILE), lead_row("2", FILE)]
    assert groups(*pair, lead_row("3", FILE, muted_by="rule")) == [["1", "2"]]
    everyday = [
        lead_row(f"{n:03}", FILE, when=at(days=-5, hours=n / 10), day=EVE, muted_by="rule", title=f"t{n}")
        for n in range(40)
    ]
    assert groups(*everyday, *pair) == []


def test_an_intrusion_does_not_hide_itself_by_its_own_leads() -> None:
    rows = [lead_row(str(n), ("device", "d"), ("user", "u"), when=at(n)) for n in range(8)]
    assert groups(*rows) == [[str(n) for n in range(8)]]


def test_a_noisy_detection_needs_stronger_evidence_than_a_rare_one() -> None:
    elsewhere = [lead_row(f"{n:03}", ("device", f"d{n}"), title="noisy", when=at(days=-3)) for n in range(60)]
    others = [lead_row(f"o{n:02}", ("device", f"o{n}"), title=f"rare {n}", when=at(days=-3)) for n in range(10)]
    pair = [lead_row("x", ("device", "d"), when=at(-2)), lead_row("y", ("device", "d"))]
    noisy = [pair[0], {**pair[1], "title": "noisy"}]
    assert groups(*elsewhere, *others, *pair) == [["x", "y"]]
    assert groups(*elsewhere, *others, *noisy) == []


def of_other_days(*entities: tuple[str, str]) -> list[Row]:
    """Make the entities ordinary: five leads of each, on other days, each with something else."""
    return [
        lead_row(f"{kind} {value} {n}", (kind, value), (other, f"{value} {n}"), when=at(days=-2 - n), day=EVE)
        for kind, value in entities
        for other in ("device" if kind == "user" else "user",)
        for n in range(5)
    ]


def test_one_user_on_one_device_is_rarer_than_each_of_them(subtests: pytest.Subtests) -> None:
    users = ("admin", "s-1-5-21-1-500", "operator@c")
    places = (("device", "server"), ("device", "kiosk"), ("resource", "vault"))
    cases: dict[tuple[str, str, str], tuple[list[Row], Groups]] = {}
    for user, place in product(users, places):
        who, elsewhere = ("user", user), (place[0], "another")
        ordinary = [*of_other_days(who, place, elsewhere), lead_row("x", who, place, when=at(minutes=-15))]
        cases[user, place[1], "together"] = [*ordinary, lead_row("y", who, place)], [["x", "y"]]
        cases[user, place[1], "apart"] = [*ordinary, lead_row("y", who, elsewhere)], []
        cases[user, place[1], "strangers"] = [*ordinary, lead_row("y", ("user", "other"), place)], []
    found = groups_of_each(rows for rows, _ in cases.values())
    for (name, (_, expected)), linked in zip(cases.items(), found, strict=True):
        with subtests.test(" ".join(name)):
            assert linked == expected


def test_a_busy_hour_is_not_tied_to_a_lead_of_many_hours_before_or_after(subtests: pytest.Subtests) -> None:
    cases = list(product((("device", "d"), ("resource", "r"), ("user", "u")), (-30, -10, 10, 30)))
    found = groups_of_each(
        [
            *(lead_row(f"b{n:02}", entity, ("file", "own"), when=at(minutes=n)) for n in range(14)),
            lead_row("bystander", entity, when=at(hours)),
        ]
        for entity, hours in cases
    )
    for (entity, hours), linked in zip(cases, found, strict=True):
        with subtests.test(entity[0], hours=hours):
            assert linked == [[f"b{n:02}" for n in range(14)]]


def test_a_lead_that_names_many_accounts_is_no_crowd(subtests: pytest.Subtests) -> None:
    device = ("device", "d")
    pair = [
        lead_row("1", device, severity="High"),
        lead_row("2", device, severity="High", when=at(minutes=10)),
    ]
    cases = list(product((1, 2, 3, 4, 20), (-20, 2)))
    found = groups_of_each(
        [
            *pair,
            lead_row("many", device, *(("user", f"x{n}") for n in range(accounts)), when=at(hours), severity="Low"),
        ]
        for accounts, hours in cases
    )
    for (accounts, hours), linked in zip(cases, found, strict=True):
        with subtests.test(accounts=accounts, hours=hours):
            assert any({"1", "2"} <= set(group) for group in linked)


def test_what_an_intruder_brings_counts_in_addition_whatever_its_kind(subtests: pytest.Subtests) -> None:
    kinds = ("session", "app", "host", "sender", "file")
    found = groups_of_each(
        [lead_row("1", ("user", "u"), (kind, "x"), when=at(-20)), lead_row("2", ("user", "u"), (kind, "x"))]
        for kind in kinds
    )
    for kind, linked in zip(kinds, found, strict=True):
        with subtests.test(kind):
            assert linked == [["1", "2"]]


def test_two_busy_hours_of_one_user_are_one_story() -> None:
    rows = [lead_row(f"{hours}-{n}", ("user", "u"), when=at(hours, minutes=n)) for hours in (-20, 0) for n in range(8)]
    assert len(groups(*rows)) == 1


def test_in_the_first_days_of_a_tenant_a_link_needs_more(subtests: pytest.Subtests) -> None:
    entities = (("device", "d"), ("resource", "r"), ("user", "u"))
    pairs = [[lead_row("x", entity, when=at(-4)), lead_row("y", entity)] for entity in entities]
    earlier = lead_row("1", FILE, when=at(days=-6), day=at(days=-6).date())
    of_another = {**earlier, "tenant_id": OTHER_TENANT}
    first, others, later = (groups_of_each([*pair, *more] for pair in pairs) for more in ([], [of_another], [earlier]))
    for (kind, _), *linked in zip(entities, first, others, later, strict=True):
        with subtests.test(kind):
            assert linked == [[], [], [["x", "y"]]]


def burst(name: str, user: str, count: int, hours: float = 0) -> list[Row]:
    """Leads of different detections of one user on one device, a minute apart."""
    return [
        lead_row(f"{name}{n}", ("device", "d"), ("user", user), when=at(hours, minutes=n), title=f"{name}{n}")
        for n in range(count)
    ]


def test_an_operator_who_changes_the_account_is_one_story(subtests: pytest.Subtests) -> None:
    for pause in (0, 2, 10):
        with subtests.test(f"{pause} hours"):
            rows = [*burst("a", "u", 4, -pause), *burst("b", "v", 4, -pause), *burst("c", "u", 4)]
            assert len(groups(*rows, lead_row("1", FILE, when=at(days=-6), day=at(days=-6).date()))) == 1


def test_groups_that_share_little_stay_apart(subtests: pytest.Subtests) -> None:
    days_ago = lead_row("1", FILE, when=at(days=-6), day=at(days=-6).date())
    elsewhere = [lead_row(f"e{n}", ("device", "d"), when=at(days=-3 + n), title=f"e{n}") for n in range(2)]
    cases = {
        "two users with few detections": [*burst("a", "u", 2), *burst("b", "v", 2)],
        "two users hours apart": [*burst("a", "u", 4, -9), *burst("b", "v", 4)],
        "two users of a device that others use": [*burst("a", "u", 4, -2), *burst("b", "v", 4), *elsewhere],
        "repeats of two detections": [
            {**row, "title": row["lead_id"][0]} for row in [*burst("a", "u", 4, -9), *burst("b", "v", 4)]
        ],
        "two tenants": [*burst("a", "u", 4), *({**row, "tenant_id": OTHER_TENANT} for row in burst("b", "u", 4))],
    }
    for name, rows in cases.items():
        with subtests.test(name):
            assert len(groups(days_ago, *rows)) == 2


def test_a_lead_joins_its_strongest_tie() -> None:
    server = ("device", "server")
    before = lead_row("bystander", server, ("user", "somebody"), when=at(-3))
    cause = lead_row("cause", ("user", "u"), ("file", "f"), when=at(-1))
    moved = lead_row("moved", server, ("user", "u"), ("file", "f"))
    assert groups(before, cause, moved) == [["cause", "moved"]]


def often(title: str) -> list[Row]:
    """A detection that fires so often that one of its leads needs more than a user or a device to be linked."""
    return [lead_row(f"{title} {n}", ("device", f"d{n}"), title=title, when=at(days=-3), day=EVE) for n in range(14)]


def test_a_lead_between_two_devices_joins_the_group_as_a_whole() -> None:
    user, server, file = ("user", "u"), ("device", "server"), ("file", "f")
    start = lead_row("start", user, ("device", "own"), file, when=at(-6))
    step = lead_row("step", user, server, when=at(-3), title="often")
    end = lead_row("end", server, file, ("user", "v"))
    assert groups(*often("often"), start, step, end) == [["end", "start", "step"]]
    assert groups(*often("often"), start, step) == groups(*often("often"), step, end) == []


def test_user_and_device_shared_with_one_lead_count_once() -> None:
    own, file = (("user", "u"), ("device", "own")), ("file", "f")
    rows = [lead_row("start", *own, file, when=at(-4)), lead_row("end", *own, file)]
    between = lead_row("between", *own, when=at(-2), title="often", severity="Low")
    assert groups(*often("often"), *rows, between) == [["end", "start"]]


def test_a_lead_before_a_group_does_not_join_it() -> None:
    user, server, file = ("user", "u"), ("device", "server"), ("file", "f")
    rows = [lead_row("start", user, ("device", "own"), file, when=at(-4)), lead_row("end", server, file, ("user", "v"))]
    early = lead_row("early", user, server, when=at(-6), title="often")
    assert groups(*often("often"), *rows, early) == [["end", "start"]]


def test_a_lead_without_entities_or_time_is_linked_to_nothing() -> None:
    rows = [lead_row("1"), lead_row("2"), lead_row("3", FILE, alert_time=None), lead_row("4", FILE)]
    assert groups(*rows) == []


def test_leads_before_the_look_back_are_not_read() -> None:
    first = DAY - timedelta(days=STORY_LOOKBACK_DAYS)
    inside = [lead_row("1", FILE, day=first), lead_row("2", FILE)]
    outside = [lead_row("1", FILE, day=first - timedelta(days=1)), lead_row("2", FILE)]
    assert (groups(*inside), groups(*outside)) == ([["1", "2"]], [])


def test_a_story_needs_a_row_of_the_day() -> None:
    rows = [lead_row("1", FILE, day=EVE), lead_row("2", FILE, day=EVE)]
    assert groups(*rows) == []
    assert groups(*rows, lead_row("2", FILE)) == [["1", "2"]]


def test_the_latest_row_of_a_lead_counts() -> None:
    rows = [lead_row("1", FILE, day=EVE, title="old"), lead_row("1", title="new"), lead_row("2", FILE)]
    assert groups(*rows) == []
    rows = [lead_row("1", day=EVE), lead_row("1", FILE, title="newest"), lead_row("2", FILE, when=at(1))]
    assert "newest" in stories(*rows)["title"][0]


OBJECT_ID = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"


def shared(*rows: Row) -> list[tuple[str, str, list[str]]]:
    return [tuple(entity.values()) for entity in stories(*rows)["shared_entities"][0]]


def user(*values: str) -> list[tuple[str, ...]]:
    return [("user", value, values[0]) for value in values]


def test_shared_entities_name_their_leads() -> None:
    host = ("host", "h")
    rows = [lead_row("1", FILE), lead_row("2", FILE, host), lead_row("3", host), lead_row("4", host, ("file", "alone"))]
    assert shared(*rows) == [("host", "h", ["2", "3", "4"]), ("file", "f", ["1", "2"])]


def test_an_entity_shared_too_long_ago_is_not_listed() -> None:
    host = ("host", "h")
    rows = [lead_row("1", FILE, host, when=at(-80)), lead_row("2", FILE, when=at(-40)), lead_row("3", FILE, host)]
    assert shared(*rows) == [("file", "f", ["1", "2", "3"])]


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ((OBJECT_ID, "jane@c", "s-1-5-21-1", "c\\jane"), OBJECT_ID),
        (("jane@c", "s-1-5-21-1", "c\\jane"), "jane@c"),
        (("s-1-5-21-1", "c\\jane"), "s-1-5-21-1"),
    ],
)
def test_identifiers_of_one_user_are_one_entity_with_the_preferred_name(values: tuple[str, ...], best: str) -> None:
    assert shared(lead_row("1", *user(*values)), lead_row("2", *user(*values))) == [("user", best, ["1", "2"])]


def test_identifiers_that_link_other_leads_are_listed_too() -> None:
    rows = [
        lead_row("1", *user("a@c", "s-1-5-21-1")),
        lead_row("2", *user("a@c", "s-1-5-21-1")),
        lead_row("3", *user("a@c")),
    ]
    assert shared(*rows) == [("user", "a@c", ["1", "2", "3"]), ("user", "s-1-5-21-1", ["1", "2"])]


def test_two_users_that_link_the_same_leads_are_two() -> None:
    both = [*user("a@c", "s-1-5-21-1"), *user("b@c", "s-1-5-21-2")]
    assert [value for _, value, _ in shared(lead_row("1", *both), lead_row("2", *both))] == ["a@c", "b@c"]


def test_a_user_known_by_different_names_on_different_days_is_one() -> None:
    early = lead_row("1", *user("s-1-5-21-1", "c\\jane"), day=EVE)
    late = lead_row("2", *user("jane@c", "s-1-5-21-1", "c\\jane"))
    assert shared(early, late) == [("user", "s-1-5-21-1", ["1", "2"])]


def test_a_chain_of_thousands_is_one_story() -> None:
    rows = [lead_row(f"{n:05}", ("file", str(n // 2)), ("host", str((n + 1) // 2))) for n in range(4000)]
    assert len(groups(*rows)[0]) == 4000


def test_an_entity_with_few_older_leads_of_the_same_detection_still_links(subtests: pytest.Subtests) -> None:
    cases = list(product(("file", "mail"), (1, 2), (0, 30)))
    found = groups_of_each(
        [
            *(lead_row(f"o{n}", (kind, "x"), title="t", when=at(-100 - n * step)) for n in range(older)),
            lead_row("1", (kind, "x"), title="t"),
            lead_row("2", (kind, "x"), title="t", when=at(1)),
        ]
        for kind, older, step in cases
    )
    for (kind, older, step), linked in zip(cases, found, strict=True):
        with subtests.test(kind=kind, older=older, step=step):
            assert ["1", "2"] in linked


def test_leads_of_different_users_are_not_linked_by_their_device_alone(subtests: pytest.Subtests) -> None:
    device, one, other = ("device", "d"), ("user", "u"), ("user", "v")
    cases: dict[str, tuple[list[tuple[str, str]], list[tuple[str, str]], bool]] = {
        "strangers": ([device, one], [device, other], False),
        "one user": ([device, one], [device, one], True),
        "an alert without a user": ([device, one], [device], True),
        "both users": ([device, one], [device, one, other], True),
        "strangers with one file": ([device, one, ("file", "f")], [device, other, ("file", "f")], True),
    }
    found = groups_of_each(
        [lead_row("1", *first, severity="High"), lead_row("2", *second, severity="High", when=at(minutes=10))]
        for first, second, _ in cases.values()
    )
    for (name, (*_, expected)), linked in zip(cases.items(), found, strict=True):
        with subtests.test(name):
            assert (["1", "2"] in linked) is expected


def test_an_unknown_severity_counts_like_the_lowest(subtests: pytest.Subtests) -> None:
    words = ("Informational", None, "", "Catastrophic", "UnSpecified", "low-ish")
    device, hours = ("device", "d"), (-40, -30, -28)

    def case(word: str | None) -> list[Row]:
        before = [lead_row(f"b{n}", device, when=at(when), severity=word) for n, when in enumerate(hours)]
        return [*before, *(lead_row(f"{n}", device, when=at(minutes=n * 9), severity="Low") for n in range(3))]

    found = groups_of_each(case(word) for word in words)
    points = [
        stories(*(lead_row(name, FILE, severity=word, risk_score=0) for name in "12"))["points"][0] for word in words
    ]
    for word, linked, earned in zip(words, found, points, strict=True):
        with subtests.test(severity=word):
            assert (linked, earned) == (found[0], points[0])
    assert ["0", "1", "2"] in found[0]


WEEK_AGO = lead_row("week", FILE, when=at(days=-6), day=at(days=-6).date())


def test_a_detection_that_comes_again_on_one_user_on_one_device_is_a_story(subtests: pytest.Subtests) -> None:
    user, device = ("user", "u"), ("device", "d")
    daily = [-49.0, -30.0, 0.0]
    cases: dict[str, tuple[list[Row], bool]] = {
        "a user on a device": (
            [lead_row(str(hours), user, device, when=at(hours), title="t") for hours in daily],
            True,
        ),
        "a device without a user": ([lead_row(str(hours), device, when=at(hours), title="t") for hours in daily], True),
        "a resource": ([lead_row(str(hours), ("resource", "r"), when=at(hours), title="t") for hours in daily], True),
        "different detections": ([lead_row(str(hours), device, when=at(hours)) for hours in daily], False),
        "no title": ([lead_row(str(hours), device, when=at(hours), title=None) for hours in daily], False),
        "a user who gets mails": ([lead_row(str(hours), user, when=at(hours), title="t") for hours in daily], False),
        "a user on many devices": (
            [lead_row(str(hours), user, ("device", str(hours)), when=at(hours), title="t") for hours in daily],
            False,
        ),
        "users on one device": (
            [lead_row(str(hours), ("user", str(hours)), device, when=at(hours), title="t") for hours in daily],
            False,
        ),
        "every few hours": (
            [lead_row(str(n), user, device, when=at(n * -9), title="t", severity="Low") for n in range(16)],
            False,
        ),
        "a noisy detection": (
            [
                *(lead_row(str(hours), user, device, when=at(hours), title="t") for hours in daily),
                *(lead_row(f"o{n}", ("user", f"o{n}"), when=at(-n), title="t") for n in range(120)),
                *(lead_row(f"x{n}", ("user", f"x{n}"), when=at(-n)) for n in range(60)),
            ],
            False,
        ),
    }
    found = groups_of_each([*rows, WEEK_AGO] for rows, _ in cases.values())
    for (name, (rows, expected)), linked in zip(cases.items(), found, strict=True):
        with subtests.test(name):
            assert (len(linked) == 1 and len(linked[0]) == len(rows)) if expected else linked == []


def of_people(name: str, kind: str, hours: float, people: Iterable[str], title: str = "t") -> list[Row]:
    """Leads of one detection with one new thing and a person each, five minutes apart."""
    return [
        lead_row(f"{name}{n:02}", (kind, name), ("user", user), when=at(hours, minutes=n * 5), title=title)
        for n, user in enumerate(people)
    ]


def test_two_waves_are_one_story_only_if_they_share_more_than_one_person(subtests: pytest.Subtests) -> None:
    others, strangers = [f"a{n}" for n in range(7)], [f"b{n}" for n in range(7)]
    people = {"one person": ["both", *strangers], "all": [*others, "both"], "half": [*others[:4], *strangers[:4]]}
    kinds = ("sender", "file", "mail", "host")
    cases = {
        (kind, name, titles): [
            *of_people("a", kind, -3, [*others, "both"]),
            *of_people("b", kind, 0.2, second, "t" * titles),
            WEEK_AGO,
        ]
        for kind in kinds
        for name, second in people.items()
        for titles in (1, 2)
    }
    found = groups_of_each(cases.values())
    for (kind, name, titles), linked in zip(cases, found, strict=True):
        with subtests.test(f"{name} of two {kind}s", titles=titles):
            assert [len(group) for group in linked] == ([8, 8] if name == "one person" else [16])


def test_one_user_on_one_device_ties_groups(subtests: pytest.Subtests) -> None:
    """An operator comes from another device back to the first one, hours later."""
    rest: dict[str, dict[str, str]] = {"both": {}, "user": {"device": "x"}, "device": {"user": "w"}}
    cases = list(product((("Low", 2), ("Medium", 4), ("High", 8)), rest))

    def second(severity: str, user: str = "u", device: str = "d") -> list[Row]:
        places = (("v", "e", -20), (user, device, 1), (user, device, 2))
        return [
            lead_row(
                f"b{n}",
                ("user", who),
                ("device", place),
                ("file", "b"),
                when=at(minutes=n),
                title="b",
                severity=severity,
            )
            for who, place, n in places
        ]

    found = groups_of_each(
        [
            *({**row, "title": "a", "severity": severity} for row in burst("a", "u", 3, -hours)),
            *second(severity, **rest[shared]),
            WEEK_AGO,
        ]
        for (severity, hours), shared in cases
    )
    for ((severity, _), shared), linked in zip(cases, found, strict=True):
        with subtests.test(shared, severity=severity):
            assert len(linked) == (1 if shared == "both" else 2)


def attack(name: str, user: str, hours: float, devices: Iterable[str]) -> list[Row]:
    """Forty detections of one user, a minute apart, on these devices in turn."""
    places = list(devices)
    return [
        lead_row(
            f"{name}{n:02}",
            ("device", places[n % len(places)]),
            ("user", user),
            when=at(hours, minutes=n),
            title=f"{name}{n}",
        )
        for n in range(40)
    ]


def test_large_attacks_of_different_users_that_meet_on_a_device_stay_apart(subtests: pytest.Subtests) -> None:
    many, few = [f"d{n}" for n in range(20)], ["d0", "e1", "e2", "e3"]
    for pause in (20, 30, 50):
        for first, second in ((many, few), (few, many), (many, ["d0"]), (["d0"], many)):
            with subtests.test(pause=pause, devices=(len(first), len(second))):
                rows = [*attack("a", "u", -pause, first), *attack("b", "v", 0, second)]
                assert len(groups(*rows, WEEK_AGO)) == 2


def test_leads_that_name_hundreds_of_users_and_devices_are_a_story(subtests: pytest.Subtests) -> None:
    for users, devices in ((200, 500), (500, 1), (1, 500), (11, 11)):
        with subtests.test(users=users, devices=devices):
            entities = [*(("device", f"d{n}") for n in range(devices)), *(("user", f"u{n}") for n in range(users))]
            rows = [lead_row(str(n), *entities, when=at(minutes=n)) for n in range(4)]
            assert groups(*rows, WEEK_AGO) == [["0", "1", "2", "3"]]


def test_what_an_account_does_on_other_days_elsewhere_ties_less(subtests: pytest.Subtests) -> None:
    user, server = ("user", "u"), ("device", "d")
    today = [lead_row(f"{n}", user, server, when=at(n * 4), title=f"t{n}") for n in range(2)]

    def before(place: str, account: str = "u", days: Iterable[int] = (-2, -3, -4), **columns: Any) -> list[Row]:
        return [
            lead_row(f"b{day}{n}", ("user", account), ("device", place), when=at(days=day), title=f"t{n}", **columns)
            for day in days
            for n in range(2)
        ]

    cases: dict[str, tuple[list[Row], bool]] = {
        "nothing before": ([], True),
        "on another device": (before("e"), False),
        "on several other devices": ([*before("e", days=[-2, -4]), *before("f", days=[-3])], False),
        "on a single day": (before("e", days=[-2]), True),
        "by another account": (before("e", "v"), True),
        "less severe": (before("e", severity="Low"), False),
        "hours before": (before("e", days=[0]), True),
    }
    found = groups_of_each([*today, *others, WEEK_AGO] for others, _ in cases.values())
    for (name, (_, expected)), linked in zip(cases.items(), found, strict=True):
        with subtests.test(name):
            assert any({"0", "1"} <= set(group) for group in linked) is expected


def outbreak(count: int) -> list[Row]:
    """One file on many devices, six minutes apart."""
    return [
        lead_row(
            f"{n:02}",
            FILE,
            ("device", f"d{n}"),
            ("user", f"u{n}"),
            when=at(-3, minutes=n * 6),
            title="t",
            severity="High",
        )
        for n in range(count)
    ]


def test_a_bystander_on_one_of_many_attacked_devices_is_not_in_the_story(subtests: pytest.Subtests) -> None:
    own = (("device", "d3"), ("user", "u3"))
    cases: dict[str, tuple[int, list[tuple[str, str]], bool]] = {
        "one of many devices": (30, [*own], False),
        "one of a few devices": (4, [*own], True),
        "the file of the others": (30, [*own, FILE], True),
    }
    for name, (count, entities, expected) in cases.items():
        with subtests.test(name):
            bystander = lead_row("bystander", *entities, when=at(-2, minutes=30), title="other")
            (found,) = groups(*outbreak(count), bystander, WEEK_AGO)
            assert len(found) == count + expected
            assert ("bystander" in found) is expected


def activity(
    name: str, hours: float, *entities: tuple[str, str], user: str = "u", severity: str = "Medium"
) -> list[Row]:
    """Three detections of one user on one device, ten minutes apart; the last one is the same in all activities."""
    return [
        lead_row(
            f"{name}{n}",
            ("user", user),
            ("device", "d"),
            *entities,
            when=at(hours, minutes=n * 10),
            title="usual" if n == 2 else f"{name}{n}",
            severity=severity,
        )
        for n in range(3)
    ]


def test_activities_that_reuse_their_own_things_stay_apart(subtests: pytest.Subtests) -> None:
    """What an administrator does on one server twice a day is two stories, if each time has files of its own."""
    cases: dict[str, tuple[list[Row], int]] = {"nothing": ([*activity("a", -8), *activity("b", 0)], 1)}
    for kind in ("file", "host", "address", "session", "app"):
        one, two = (kind, "x"), (kind, "y")
        cases[f"own {kind}"] = [*activity("a", -8, one), *activity("b", 0, two)], 2
        cases[f"one {kind}"] = [*activity("a", -8, one), *activity("b", 0, one)], 1
        cases[f"the {kind} of one of them"] = [*activity("a", -8, one), *activity("b", 0)], 1
        cases[f"a {kind} in common"] = (
            [*activity("a", -8, one, ("file", "c")), *activity("b", 0, two, ("file", "c"))],
            1,
        )
        tools = [{**row, "severity": "Low"} for row in [*activity("c", -8.1, one)[:2], *activity("d", 0.1, two)[:2]]]
        severe = [*activity("a", -8, severity="High"), *activity("b", 0, severity="High")]
        cases[f"cheap alerts with a {kind}"] = [*severe, *tools], 1
    found = groups_of_each([*rows, WEEK_AGO] for rows, _ in cases.values())
    for (name, (_, expected)), linked in zip(cases.items(), found, strict=True):
        with subtests.test(name):
            together = any({"a2", "b2"} <= set(group) for group in linked)
            assert together is (expected == 1)


def test_repeats_of_one_detection_take_in_no_other_one(subtests: pytest.Subtests) -> None:
    """Somebody whose program is detected again and again, or who gets one mail again, has other alerts too."""
    user, hours = ("user", "u"), (-30, -20, -10, 0)
    cases: dict[str, tuple[list[Row], bool]] = {}
    for kind in ("file", "mail"):
        same, different = (
            [lead_row(f"a{hour}", user, (kind, "x"), when=at(hour), title=f"t{hour * several}") for hour in hours]
            for several in (0, 1)
        )
        other = lead_row("other", user, ("device", "elsewhere"), when=at(2), title="other")
        cases[f"repeats of a {kind}"] = [*same, other], False
        cases[f"different detections of a {kind}"] = [*different, other], True
        cases[f"another one of the {kind}"] = [*same, {**other, "title": "t0"}], True
    found = groups_of_each([*rows, WEEK_AGO] for rows, _ in cases.values())
    for (name, (_, expected)), linked in zip(cases.items(), found, strict=True):
        with subtests.test(name):
            assert any({f"a{hour}" for hour in hours} <= set(group) for group in linked)
            assert any({"a0", "other"} <= set(group) for group in linked) is expected
