"""Metadata and tags of an asset that are known before any run: columns, lineage, location, documentation page."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import dagster as dg

from defender_assets.core.lake.lake import Lake
from defender_assets.core.schemas import TABLES, Column
from defender_assets.metadata.code_references import code_references

DOCS = "https://github.com/defender-assets/defender-assets/blob/main/docs"
"""Address of the documents."""

SHOWN_ORIGINS = 2
"""Upstream columns named in a column's description; the column lineage has all of them."""

# Microsoft's names are shorter and known to readers
_SHORT = {table.name: table.hunting_name for table in TABLES}
_CONTENT = "content"

OWNERS = ["team:security-data"]

LAYERS = {"export": "bytes-as-written", "tables": "one-row-per-record", "leads": "for-analysts"}
"""The `layer` tag of each asset group."""


def spec_metadata(
    lake: Lake, name: str, columns: Iterable[Column], page: str, made_by: Callable[..., Any]
) -> dict[str, object]:
    """Return the metadata of a table; `page` is its file in docs/, `made_by` the function that makes it.

    Dagster+ draws the column lineage. The open-source UI does not, so column descriptions name the origins as well.
    """
    columns = tuple(columns)
    metadata: dict[str, object] = {
        "dagster/column_schema": _schema(columns),
        "dagster/table_name": name,
        "dagster/storage_kind": "delta",
        "dagster/uri": lake.table_uri(name),
        "docs": docs(page),
        **code_references(made_by),
    }
    if any(column.origins for column in columns):
        metadata["dagster/column_lineage"] = _column_lineage(columns)
    return metadata


def docs(page: str) -> dg.MetadataValue:
    """Return the link to a file in docs/."""
    return dg.MetadataValue.url(f"{DOCS}/{page}")


def spec_tags(group: str, *, layer: str = "") -> dict[str, str]:
    """Return the tags by which the catalog can be filtered; by default the group decides the layer."""
    return {"layer": layer or LAYERS[group], "source": "microsoft-defender", "personal-data": "yes"}


def _schema(columns: Iterable[Column]) -> dg.TableSchema:
    return dg.TableSchema(
        [dg.TableColumn(column.name, column.type_name, description=_description(column)) for column in columns]
    )


def _description(column: Column) -> str:
    """Return the meaning, then where it comes from, unless it is parsed from raw: that is said of the table."""
    origins = [
        f"{_SHORT.get(origin.table, origin.table)}.{origin.column}"
        for origin in column.origins
        if origin.column != _CONTENT
    ]
    if not origins:
        return column.meaning
    if len(origins) > SHOWN_ORIGINS:
        origins[SHOWN_ORIGINS:] = [f"{len(origins) - SHOWN_ORIGINS} more"]
    return f"{column.meaning}. From {', '.join(origins)}"


def _column_lineage(columns: Iterable[Column]) -> dg.MetadataValue:
    deps: Mapping[str, list[dg.TableColumnDep]] = {
        column.name: [
            dg.TableColumnDep(asset_key=dg.AssetKey(origin.table), column_name=origin.column)
            for origin in column.origins
        ]
        for column in columns
    }
    return dg.MetadataValue.column_lineage(dg.TableColumnLineage(deps_by_column=deps))
