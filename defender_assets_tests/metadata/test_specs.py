"""Metadata of tables that is known before any run: what a column means, and where the source is."""

from functools import partial
from pathlib import Path

import dagster as dg

from defender_assets.catalog import LEADS, SPECS
from defender_assets.core.lake.lake import Lake
from defender_assets.core.leads import build_leads
from defender_assets.core.schemas import ALERT_INFO
from defender_assets.metadata.code_references import code_references
from defender_assets.metadata.specs import spec_metadata


def described(name: str) -> dict[str, str | None]:
    """The descriptions of a table's columns."""
    schema = spec_metadata(Lake("/lake", ()), name, SPECS[name].columns, "tables.md", build_leads)[
        "dagster/column_schema"
    ]
    assert isinstance(schema, dg.TableSchema)
    return {column.name: column.description for column in schema.columns}


def test_a_column_says_its_meaning_first_and_its_origins_briefly() -> None:
    assert described(ALERT_INFO.name)["Title"] == ALERT_INFO.columns[2].meaning
    assert described(LEADS.name)["portal_url"] == (
        "Page of the alert in Microsoft's portal. From AlertEvidence.AlertId, AlertEvidence.tenant_id, 2 more"
    )


def test_an_asset_refers_to_the_catalog_and_to_the_function_that_makes_it() -> None:
    value = code_references(partial(build_leads, scoring=None))["dagster/code_references"]

    assert isinstance(value, dg.CodeReferencesMetadataValue)
    places = [each for each in value.code_references if isinstance(each, dg.LocalFileCodeReference)]
    assert [Path(each.file_path).name for each in places] == ["catalog.py", "build.py"]
    made_by = Path(places[1].file_path).read_text().splitlines()[(places[1].line_number or 0) - 1]
    assert made_by.startswith("def build_leads")


def test_an_installation_without_the_source_tree_refers_to_nothing(tmp_path: Path) -> None:
    assert code_references(build_leads, tree=tmp_path) == {}
