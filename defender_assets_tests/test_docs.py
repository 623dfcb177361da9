"""What the documents say of the tests and files beside them is true."""

import re
from pathlib import Path

import pytest

from defender_assets.core.leads import LEAD_COLUMNS
from defender_assets.core.stories import STORY_COLUMNS
from defender_assets.settings import VARIABLES

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").glob("*.md")])
TESTS = ROOT / "defender_assets_tests"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_tests_that_are_named_exist(document: Path) -> None:
    text = document.read_text()
    for path, name in re.findall(r"`([a-z_/]+\.py)::(test_\w+)", text):
        assert f"def {name}(" in (TESTS / path).read_text(), f"{path}::{name}"
    for path in re.findall(
        r"`((?:core|shell|live|export|cli|faults|scale|simulator)/[a-z_/]*(?:test_\w+\.py)?)`", text
    ):
        assert (TESTS / path).exists(), path


def test_the_table_of_settings_names_every_variable() -> None:
    for document in ("README.md", ".env.example"):
        text = (ROOT / document).read_text()
        assert [name for name in VARIABLES if name not in text] == [], document


def test_the_tables_of_leads_and_stories_name_each_column_with_its_meaning() -> None:
    text = (ROOT / "docs" / "leads.md").read_text()
    told = re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE)
    assert told == [(column.name, column.meaning) for column in (*LEAD_COLUMNS, *STORY_COLUMNS)]
