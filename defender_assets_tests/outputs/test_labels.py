from datetime import UTC, date, datetime

import pytest

from defender_assets.core.text import pluralize
from defender_assets.outputs.labels import (
    category_name,
    clipped,
    day_words,
    kind_of,
    listed,
    moment_words,
    product_name,
    span_words,
)

DAY = date(2026, 11, 3)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (5400, "1 h 30 min"),
        (86_400, "1 d"),
        (101_000, "1 d 4 h"),
        (-120, "-2 min"),
    ],
)
def test_a_span_is_told_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert span_words(seconds) == words


def test_a_moment_of_another_day_names_it() -> None:
    assert moment_words(datetime(2026, 11, 3, 8, 5, tzinfo=UTC), DAY) == "08:05"
    assert moment_words(datetime(2026, 11, 2, 8, 5, tzinfo=UTC), DAY) == "2 Nov 08:05"
    assert day_words(DAY) == "Tuesday 3 November 2026"


def test_words_of_microsoft_become_readable_and_unknown_ones_stay() -> None:
    assert category_name("CommandAndControl") == "Command and control"
    assert category_name("Malware") == "Malware"
    assert product_name("office365") == "Office 365"
    assert product_name("brand new") == "brand new"
    assert product_name(None) == "Other"
    assert [kind_of(word) for word in ("High", "informational", "Critical", None)] == [
        "high",
        "informational",
        "other",
        "other",
    ]


def test_lists_and_numbers_and_long_texts_are_cut_and_say_so() -> None:
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more"
    assert listed(["a", "b"], 2) == "a, b"
    assert pluralize(1, "story", "stories") == "1 story"
    assert pluralize(1200, "lead") == "1,200 leads"
    assert clipped("a long command", 7) == "a long…"
    assert clipped("short", 7) == "short"
