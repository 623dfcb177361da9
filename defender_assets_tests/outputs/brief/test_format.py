from datetime import date

import pytest

from defender_assets.outputs.brief.format import day_words, kind_of, span_words


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
def test_a_span_has_at_most_two_units(seconds: float, words: str) -> None:
    assert span_words(seconds) == words


def test_a_day_in_words() -> None:
    assert day_words(date(2026, 11, 3)) == "Tuesday 3 November 2026"


@pytest.mark.parametrize(
    ("severity", "kind"),
    [("High", "high"), ("informational", "informational"), ("Critical", "other"), (None, "other")],
)
def test_an_unknown_severity_is_other(severity: str | None, kind: str) -> None:
    assert kind_of(severity) == kind
