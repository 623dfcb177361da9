from datetime import UTC, date, datetime

from defender_assets.core.text import pluralize
from defender_assets.outputs.labels import category_name, clipped, listed, moment_words, product_name

DAY = date(2026, 11, 3)


def test_a_moment_shows_its_date_only_on_another_day() -> None:
    assert moment_words(datetime(2026, 11, 3, 8, 5, tzinfo=UTC), DAY) == "08:05"
    assert moment_words(datetime(2026, 11, 2, 8, 5, tzinfo=UTC), DAY) == "2 Nov 08:05"


def test_names_of_microsoft_become_readable_and_unknown_ones_stay() -> None:
    assert category_name("CommandAndControl") == category_name("Command and control") == "Command and Control"
    assert category_name("SuspiciousActivity") == "Suspicious activity"
    assert category_name("Malware") == "Malware"
    assert product_name("office365") == "Office 365"
    assert product_name("brand new") == "brand new"
    assert product_name(None) == "Other"


def test_counts_have_separators_and_the_right_number() -> None:
    assert pluralize(1, "story", "stories") == "1 story"
    assert pluralize(1200, "lead") == "1,200 leads"


def test_long_lists_and_texts_are_visibly_cut() -> None:
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more"
    assert listed(["a", "b"], 2) == "a, b"
    assert clipped("a long command", 7) == "a long…"
    assert clipped("short", 7) == "short"
