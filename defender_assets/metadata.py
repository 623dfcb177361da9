"""What a materialization tells in the UI: reports of the core as Dagster metadata, and column schemas.

Text that came out of alerts is shown in table cells only, which the UI renders as plain text.
"""

from collections.abc import Iterable, Mapping

import dagster as dg
import polars as pl

from defender_assets.core.derived import DerivedReport
from defender_assets.core.lake import Lake
from defender_assets.core.raw import RawReport
from defender_assets.core.tables import Column
from defender_assets.core.typed import TypedReport

Metadata = Mapping[str, dg.MetadataValue]
CELL = 120


def column_schema(columns: Iterable[Column]) -> dg.TableSchema:
    """Return the columns with types and meanings, as the UI shows them."""
    return dg.TableSchema([dg.TableColumn(c.name, _type_name(c.dtype), description=c.meaning) for c in columns])


def spec_metadata(lake: Lake, name: str, columns: Iterable[Column]) -> dict[str, object]:
    """Return what is known of a table before any run."""
    return {
        "dagster/column_schema": column_schema(columns),
        "dagster/table_name": name,
        "dagster/storage_kind": "delta",
        "location": dg.MetadataValue.text(lake.table_uri(name)),
    }


def raw_metadata(report: RawReport) -> Metadata:
    """Return what came in from the containers."""
    return {
        "new_bytes": dg.MetadataValue.int(report.new_bytes),
        "total_bytes": dg.MetadataValue.int(sum(blob.size for blob in report.listed)),
        "pending_bytes": dg.MetadataValue.int(report.pending_bytes),
        "chunks": dg.MetadataValue.int(report.chunks),
        "batch": dg.MetadataValue.int(report.batch),
        "blobs": dg.MetadataValue.int(len(report.listed)),
        "tenants": dg.MetadataValue.int(len({blob.tenant_id for blob in report.listed})),
        "replaced_blobs": dg.MetadataValue.int(report.replaced_blobs),
    }


def typed_metadata(report: TypedReport, rows_of_day: int) -> Metadata:
    """Return what became of the new lines."""
    metadata: dict[str, dg.MetadataValue] = {
        "dagster/partition_row_count": dg.MetadataValue.int(rows_of_day),
        "new_rows": dg.MetadataValue.int(report.rows),
        "duplicates_dropped": dg.MetadataValue.int(report.duplicates),
        "quarantined_lines": dg.MetadataValue.int(report.tally.quarantined),
        "blank_lines": dg.MetadataValue.int(report.tally.blank),
        "lines": dg.MetadataValue.int(report.tally.lines),
        "values_that_did_not_fit": dg.MetadataValue.int(sum(report.tally.misfits.values())),
        "parsed_up_to_batch": dg.MetadataValue.int(report.batch),
    }
    if report.lag_median is not None and report.lag_p95 is not None:
        metadata["arrival_lag_median_seconds"] = dg.MetadataValue.float(report.lag_median)
        metadata["arrival_lag_p95_seconds"] = dg.MetadataValue.float(report.lag_p95)
    if report.reasons:
        metadata["quarantine_reasons"] = dg.MetadataValue.json(dict(report.reasons))
    if report.tally.misfits:
        metadata["unmapped_fields"] = dg.MetadataValue.json(
            {k[:CELL]: n for k, n in report.tally.misfits.most_common(20)}
        )
    return metadata


def derived_metadata(report: DerivedReport, preview: tuple[str, ...]) -> Metadata:
    """Return the partition's size and version, and its first rows."""
    return {
        "dagster/partition_row_count": dg.MetadataValue.int(report.rows.height),
        "built_from_version": dg.MetadataValue.int(report.version),
        "written_by_this_run": dg.MetadataValue.bool(report.written),
        "preview": table_preview(report.rows.select(preview)),
    }


def table_preview(rows: pl.DataFrame, count: int = 10) -> dg.TableMetadataValue:
    """Return the first rows as a table of plain text."""
    records = [
        dg.TableRecord({name: None if value is None else str(value)[:CELL] for name, value in row.items()})
        for row in rows.head(count).iter_rows(named=True)
    ]
    schema = dg.TableSchema([dg.TableColumn(name, "string") for name in rows.columns])
    return dg.MetadataValue.table(records=records, schema=schema)


def _type_name(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.List):
        return "list of structs" if isinstance(dtype.inner, pl.Struct) else "list of strings"
    return {pl.Datetime: "timestamp (UTC)", pl.String: "string", pl.Binary: "bytes"}.get(
        type(dtype), str(dtype).lower()
    )
