"""Metadata and tags of an asset that are known before any run: columns, lineage, location, documentation page."""

from collections.abc import Iterable, Mapping

import dagster as dg

from defender_assets.core.lake.lake import Lake
from defender_assets.core.schemas import Column

SHOWN_ORIGINS = 3
"""Upstream columns named in a column's description; the column lineage has all of them."""

OWNERS = ["team:security-data"]

LAYERS = {"export": "bytes-as-written", "tables": "one-row-per-record", "leads": "for-analysts"}
"""The `layer` tag of each asset group."""


def spec_metadata(lake: Lake, name: str, columns: Iterable[Column], page: str) -> dict[str, object]:
    """Return the metadata of a table; `page` is its file in docs/.

    Dagster+ draws the column lineage. The open-source UI does not, so column descriptions name the origins as well.
    """
    columns = tuple(columns)
    metadata: dict[str, object] = {
        "dagster/column_schema": _schema(columns),
        "dagster/table_name": name,
        "dagster/storage_kind": "delta",
        "location": dg.MetadataValue.text(lake.table_uri(name)),
        "docs": dg.MetadataValue.text(f"docs/{page}"),
    }
    if any(column.origins for column in columns):
        metadata["dagster/column_lineage"] = _column_lineage(columns)
    return metadata


def spec_tags(group: str, *, layer: str = "") -> dict[str, str]:
    """Return the tags by which the catalog can be filtered; by default the group decides the layer."""
    return {"layer": layer or LAYERS[group], "source": "microsoft-defender", "personal-data": "yes"}


def _schema(columns: Iterable[Column]) -> dg.TableSchema:
    return dg.TableSchema(
        [dg.TableColumn(column.name, column.type_name, description=_description(column)) for column in columns]
    )


def _description(column: Column) -> str:
    if not column.origins:
        return column.meaning
    origins = [f"{origin.table}.{origin.column}" for origin in column.origins]
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
