"""Which texts are the same text, and which words are the same word."""

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from defender_assets.core.words import comparable, word_key, word_keys

TITLE = "Mail with a bad link was removed"


@pytest.mark.parametrize(
    "spelling",
    [
        TITLE + "\u200b",
        "\ufeff" + TITLE,
        TITLE.replace(" ", "\u00a0"),
        TITLE.replace(" ", "\u202f"),
        TITLE.replace(" ", "\u3000"),
        TITLE.replace(" ", "  "),
        TITLE.replace(" ", "\t\r\n"),
        TITLE.replace("bad", "b\u00adad"),
        TITLE.replace("bad", "\u202ebad\u202c"),
        TITLE.replace("bad", "b\u2060a\u200dd"),
        TITLE.replace("bad", "\uff42\uff41\uff44"),
        TITLE.replace("M", "M\ufe0f"),
        f"\u2028 {TITLE}\x00",
        TITLE.upper(),
    ],
)
def test_spellings_that_look_alike_are_one_text(spelling: str) -> None:
    assert comparable(spelling) == comparable(TITLE)


@pytest.mark.parametrize(
    "other", ["Mail with a bad link wasremoved", "Mail with a bad link was removed!", "M\u0430il", ""]
)
def test_other_texts_stay_apart(other: str) -> None:
    assert comparable(other) != comparable(TITLE)


def test_letters_in_two_encodings_are_one_text() -> None:
    for text in ("Überprüfung", "Straße", "ΣΊΣΥΦΟΣ", "İstanbul"):
        assert comparable(unicodedata.normalize("NFD", text)) == comparable(text)
        assert comparable(text.casefold()) == comparable(text)


@given(st.text())
def test_a_normal_form_is_its_own_normal_form(text: str) -> None:
    assert comparable(comparable(text)) == comparable(text)
    assert word_key(word_key(text)) == word_key(text)


@given(st.lists(st.text(st.characters(codec="utf-8", max_codepoint=0x24F)), min_size=1, max_size=5))
def test_a_column_of_words_has_the_same_keys(words: list[str]) -> None:
    keys = pl.DataFrame({"word": words}).select(word_keys(pl.col("word"))).to_series().to_list()
    assert keys == [word_key(word) for word in words]


@pytest.mark.parametrize("spelling", ["DefenseEvasion", "defense evasion", "DEFENSE-EVASION", "Defense_Evasion\u200b"])
def test_words_are_compared_by_letters_and_digits(spelling: str) -> None:
    assert word_key(spelling) == "defenseevasion"
