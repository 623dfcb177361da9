"""What is known of a table before any run: its columns, where they come from, where it lies, which page tells more."""

from collections.abc import Iterable, Mapping

import dagster as dg

from defender_assets.core.lake.lake import Lake
from defender_assets.core.schemas import Column

SHOWN_ORIGINS = 3
"""So many upstream columns stand in a column's description; all of them are in the column lineage."""

LAYERS = {"export": "bytes-as-written", "tables": "one-row-per-record", "leads": "for-analysts"}
"""What each group holds."""


def spec_metadata(lake: Lake, name: str, columns: Iterable[Column], page: str) -> dict[str, object]:
    """Return what is known of a table before any run.

    Dagster+ draws the column lineage; the open-source UI does not, so the descriptions of the columns tell it as well.

    Args:
        lake: where the table lies.
        name: of the table.
        columns: of the table.
        page: in docs/, where more is told.
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


def spec_tags(group: str) -> dict[str, str]:
    """Return the tags by which assets are found in the catalogue."""
    return {"layer": LAYERS[group], "source": "microsoft-defender", "personal-data": "yes"}


def _schema(columns: Iterable[Column]) -> dg.TableSchema:
    return dg.TableSchema(
        [dg.TableColumn(column.name, column.type_name, description=_described(column)) for column in columns]
    )


def _described(column: Column) -> str:
    if not column.origins:
        return column.meaning
    shown = [f"{origin.table}.{origin.column}" for origin in column.origins[:SHOWN_ORIGINS]]
    more = [f"{len(column.origins) - SHOWN_ORIGINS} more"] if len(column.origins) > SHOWN_ORIGINS else []
    return f"{column.meaning}. From {', '.join([*shown, *more])}"


def _column_lineage(columns: Iterable[Column]) -> dg.MetadataValue:
    deps: Mapping[str, list[dg.TableColumnDep]] = {
        column.name: [
            dg.TableColumnDep(asset_key=dg.AssetKey(origin.table), column_name=origin.column)
            for origin in column.origins
        ]
        for column in columns
    }
    return dg.MetadataValue.column_lineage(dg.TableColumnLineage(deps_by_column=deps))
