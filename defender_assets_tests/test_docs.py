"""The documents agree with the tests, files and code that they name."""

import re
from pathlib import Path

import pytest

from defender_assets.catalog import SPECS
from defender_assets.core.schemas import ALERT_EVIDENCE, DEVICE_INFO
from defender_assets.settings import VARIABLES
from defender_assets_tests.support.doc_tables import rewritten

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").glob("*.md")])
TESTS = ROOT / "defender_assets_tests"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_to_headings_lead_to_one(document: Path) -> None:
    # the strict build of the site does not check them
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)", document.read_text())
    assert [link for link in links if link[1] not in headings(document.parent / link[0] if link[0] else document)] == []


def headings(document: Path) -> set[str]:
    """The link targets of a document's headings, on the site and on a forge."""
    texts = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    targets = (re.sub(r"\]\([^)]*\)|[^\w\s-]", "", text) for text in texts)
    return {re.sub(r"\s+", "-", text.strip().lower()) for text in targets}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_referenced_tests_exist(document: Path) -> None:
    text = document.read_text()
    for path, name in re.findall(r"`([a-z_/]+\.py)::(test_\w+)", text):
        assert f"def {name}(" in (TESTS / path).read_text(), f"{path}::{name}"
    for path in re.findall(
        r"`((?:assets|core|cli|faults|integration|metadata|outputs|sensors|simulator|support)/[a-z_/]*(?:test_\w+\.py)?)`",
        text,
    ):
        assert (TESTS / path).exists() or (ROOT / "defender_assets" / path).exists(), path


def test_the_table_of_settings_names_every_variable() -> None:
    for document in ("README.md", ".env.example"):
        text = (ROOT / document).read_text()
        assert [name for name in VARIABLES if name not in text] == [], document


@pytest.mark.parametrize("document", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_tables_agree_with_the_code(document: Path) -> None:
    text = document.read_text()
    assert text == rewritten(text), "`python -m defender_assets_tests.support.doc_tables` updates them"


def test_every_table_has_its_columns_in_a_document() -> None:
    documented = {
        name
        for path in (ROOT / "docs").glob("*.md")
        for name in re.findall(r"^## Columns of `(\w+)`", path.read_text(), re.MULTILINE)
    }
    same_columns = {ALERT_EVIDENCE.raw, DEVICE_INFO.raw}  # the same columns as the first raw table
    assert documented == set(SPECS) - same_columns
