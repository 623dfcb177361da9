import csv
import io
import json

import polars as pl
import pytest

from defender_assets.cli.csv_safety import spreadsheet_cell
from defender_assets.cli.output import write_csv
from defender_assets.core.text import escape_control_chars, visible_bytes
from defender_assets_tests.support.hostile_text import HOSTILE_TITLE, dangerous_in


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, 'quotes' and [markup]", "plain text, 'quotes' and [markup]"),
        ("Ünïcode 日本語 😀", "Ünïcode 日本語 😀"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31mred", r"\x9b31mred"),
        ("two\r\nlines\tand more", r"two\x0d\x0alines\x09and more"),
        ("gnp\u202eexe", r"gnp\u202eexe"),
        ("zero\u200bwidth, \ufeffmark", r"zero\u200bwidth, \ufeffmark"),
        ("line\u2028separator", r"line\u2028separator"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("Hangul fillers \u3164\u115f\u1160\uffa0", r"Hangul fillers \u3164\u115f\u1160\uffa0"),
        ("empty Braille \u2800, joiner \u034f", r"empty Braille \u2800, joiner \u034f"),
        ("selectors \ufe0f\ufe00\U000e0100\u180b", r"selectors \ufe0f\ufe00\U000e0100\u180b"),
        (
            "Khmer \u17b4, note \U0001d159, reserved \u2065\ufff0",
            r"Khmer \u17b4, note \U0001d159, reserved \u2065\ufff0",
        ),
        ("", ""),
    ],
)
def test_characters_that_a_terminal_acts_on_or_hides_are_escaped(text: str, shown: str) -> None:
    assert escape_control_chars(text) == shown


def test_bytes_that_are_not_text_are_escaped() -> None:
    assert visible_bytes(b"{\xff\x00\xc3\xa9") == r"{\xff\x00é"


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\xa0=1", "\u200b=1", "＝1", HOSTILE_TITLE],  # noqa: RUF001 (full-width on purpose)
)
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    cell = spreadsheet_cell(text)

    assert cell.startswith("'")
    assert not dangerous_in(cell)


@pytest.mark.parametrize("separator", [";", ",", "|", "\t", "; ", ';"', ",\u3000", '";" "'])
@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "＝1"])  # noqa: RUF001 (full-width on purpose)
def test_a_formula_behind_a_separator_of_another_locale_gets_an_apostrophe(separator: str, formula: str) -> None:
    cell = spreadsheet_cell(f"report{separator}{formula}")

    assert cell.endswith(f"'{formula}")
    assert cell.count("'") == 1


def test_every_cell_is_quoted_and_lists_stay_json(capsys: pytest.CaptureFixture[str]) -> None:
    row = {
        "title": ["a;=1"],
        "number": [-7],
        "empty": [None],
        "list": [[{"name": '=1","=2', "points": -3}, {"name": None, "points": -1}]],
    }

    frame = pl.DataFrame(row)
    write_csv(frame.columns, frame.iter_rows())

    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("""\"a;'=1","-7","","[""")
    (found,) = csv.DictReader(io.StringIO("\n".join(lines)))
    assert json.loads(found["list"]) == [{"name": "'=1\",\"'=2", "points": -3}, {"name": None, "points": -1}]


@pytest.mark.parametrize("text", ["", "a=b", "1-2", " plain", "'=already", "a; b - c", "x,y=1", "rock|roll"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert spreadsheet_cell(text) == text
