"""What a materialization tells: the reports of the core as Dagster metadata.

Text that came out of alerts stands in table cells, which the UI shows as plain text, and in pictures, which run
nothing; never in Markdown. Control and direction characters are shown as escapes.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime

import dagster as dg
import polars as pl

from defender_assets.core.enums import SEVERITIES
from defender_assets.core.pipeline.derived_table import DerivedReport
from defender_assets.core.raw.ingest import RawReport
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, Table
from defender_assets.core.tables.build import TypedReport
from defender_assets.core.tables.daily_summary import LAGS, LONGER, DailySummary
from defender_assets.core.text import escape_control_chars
from defender_assets.core.timings import StageTimings
from defender_assets.metadata.charts import bars, by_hour, picture

Metadata = Mapping[str, dg.MetadataValue]
CELL = 120
MOST = 20
_PICTURES = {
    ALERT_INFO.name: ("alerts_by_severity", "Alerts by hour (UTC) and severity"),
    ALERT_EVIDENCE.name: ("alerts_by_entity_type", "Alerts by type of their evidence"),
    DEVICE_INFO.name: ("devices_by_os", "Devices by operating system"),
}
NO_BLOBS = "no blobs: Microsoft wrote nothing that arrived on this day"


def raw_metadata(report: RawReport) -> Metadata:
    """Return what came in from the containers."""
    return {
        **_came(report),
        "new_bytes": dg.MetadataValue.int(report.new_bytes),
        "total_bytes": dg.MetadataValue.int(sum(blob.size for blob in report.listed)),
        "pending_bytes": dg.MetadataValue.int(report.pending_bytes),
        "chunks": dg.MetadataValue.int(report.chunks),
        "batch": dg.MetadataValue.int(report.batch),
        "blobs": dg.MetadataValue.int(len(report.listed)),
        "tenants": dg.MetadataValue.int(len({blob.tenant_id for blob in report.listed})),
        "replaced_blobs": dg.MetadataValue.int(report.replaced_blobs),
        **_phases(report.timings),
    }


def empty_metadata() -> Metadata:
    """Return what is told of a partition of any asset on a day without blobs, which no run needs to build."""
    return {"day": dg.MetadataValue.text(NO_BLOBS), "dagster/partition_row_count": dg.MetadataValue.int(0)}


def typed_metadata(table: Table, report: TypedReport, rows_of_day: int, seen: DailySummary) -> Metadata:
    """Return what became of the new lines, and the day so far: how late it came, pictures, the newest rows.

    The day is told whole, for Dagster plots and shows the last run of each, which may have had nothing to do.
    """
    metadata: dict[str, dg.MetadataValue] = {
        "dagster/partition_row_count": dg.MetadataValue.int(rows_of_day),
        "new_rows": dg.MetadataValue.int(report.rows),
        "duplicates_dropped": dg.MetadataValue.int(report.duplicates),
        "quarantined_lines": dg.MetadataValue.int(report.tally.quarantined),
        "blank_lines": dg.MetadataValue.int(report.tally.blank),
        "lines": dg.MetadataValue.int(report.tally.lines),
        "values_that_did_not_fit": dg.MetadataValue.int(sum(report.tally.mismatches.values())),
        "parsed_up_to_batch": dg.MetadataValue.int(report.batch),
    }
    if seen.lag_median is not None and seen.lag_p95 is not None:
        metadata["arrival_lag_median_seconds"] = dg.MetadataValue.float(round(seen.lag_median, 3))
        metadata["arrival_lag_p95_seconds"] = dg.MetadataValue.float(round(seen.lag_p95, 3))
    metadata |= _phases(report.timings)
    if seen.words:
        name, title = _PICTURES[table.name]
        metadata |= {
            name: by_hour(title, seen.hours) if table is ALERT_INFO else bars(title, seen.words),
            "arrival_lag": bars("Arrival behind event time", seen.lags, order=(*LAGS, LONGER)),
            "newest": table_preview(seen.newest),
        }
    if report.reasons:
        metadata["quarantine_reasons"] = counts_table("reason", "lines", report.reasons)
    if report.tally.mismatches:
        metadata["unmapped_fields"] = counts_table("field", "values", report.tally.mismatches)
    return metadata


def derived_metadata(report: DerivedReport, preview: tuple[str, ...], told: Metadata) -> Metadata:
    """Return the partition's size and version, what is told of it besides, and at the end its rows of highest score.

    The first column of the preview is what the rows are ordered by.
    """
    return {
        "dagster/partition_row_count": dg.MetadataValue.int(report.rows.height),
        **told,
        "built_from_version": dg.MetadataValue.int(report.version),
        "written_by_this_run": dg.MetadataValue.bool(report.written),
        **_phases(report.timings),
        "preview": table_preview(report.rows.select(preview).sort(preview[0], descending=True, nulls_last=True)),
    }


def leads_metadata(report: DerivedReport, _day: date) -> Metadata:
    """Return the leads in numbers that are worth a plot over the days, and the hours of their alerts."""
    leads = report.rows
    severities = dict(leads.group_by("severity").len().iter_rows())
    hours = leads.group_by(pl.col("alert_time").dt.hour().cast(pl.Int64), "severity").len()
    counts = {(hour, severity or "(none)"): count for hour, severity, count in hours.drop_nulls("alert_time").rows()}
    return {
        **{f"leads_{word.lower()}": dg.MetadataValue.int(severities.get(word, 0)) for word in SEVERITIES},
        "leads_new": dg.MetadataValue.int(leads.filter(pl.col("change") == "new").height),
        "devices_hit": dg.MetadataValue.int(leads.select("tenant_id", "device_id").drop_nulls().n_unique()),
        "highest_risk": dg.MetadataValue.int(int(leads["risk_score"].max() or 0)),  # type: ignore[arg-type]
        **({"alerts_by_hour": by_hour("Alerts by hour (UTC) and severity", counts)} if counts else {}),
    }


def brief_metadata(report: DerivedReport, day: date) -> Metadata:
    """Return the picture of a day's brief, and how the page is opened; nothing where there is no brief."""
    if report.rows.is_empty():
        return {}
    return {
        "picture": picture("Leads by hour and severity", report.rows["picture"].item()),
        "open_with": dg.MetadataValue.text(f"defender-assets brief --day {day} --out brief-{day}.html"),
    }


def _came(report: RawReport) -> Metadata:
    """Return in words what the day is: no blobs is another thing than nothing new."""
    held = sum(blob.size for blob in report.listed)
    if not report.kept:
        words = "no longer kept (DEFENDER_RETENTION_DAYS): nothing was read"
    elif not report.listed:
        words = NO_BLOBS
    elif report.new_bytes:
        words = f"{report.new_bytes:,} new bytes of {held:,}"
    else:
        words = f"nothing new: all {held:,} bytes were here before"
    return {"day": dg.MetadataValue.text(words)}


def _phases(timings: StageTimings) -> Metadata:
    """Return the seconds of the whole and of each phase."""
    return {
        "seconds": dg.MetadataValue.float(round(timings.total, 3)),
        **{f"seconds_{name}": dg.MetadataValue.float(round(took, 3)) for name, took in timings.seconds.items()},
    }


def table_preview(rows: pl.DataFrame, count: int = 10) -> dg.TableMetadataValue:
    """Return the first rows as a table of plain text; times are in UTC, to the second."""
    records = [
        dg.TableRecord({name: _cell(value) for name, value in row.items()})
        for row in rows.head(count).iter_rows(named=True)
    ]
    schema = dg.TableSchema([dg.TableColumn(name, "string") for name in rows.columns])
    return dg.MetadataValue.table(records=records, schema=schema)


def counts_table(name: str, count: str, counts: Mapping[str, int]) -> dg.TableMetadataValue:
    """Return the most frequent words with their counts as a table of these two columns."""
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return table_preview(pl.DataFrame(most, schema={name: pl.String, count: pl.Int64}, orient="row"), MOST)


def _cell(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    return escape_control_chars(str(value)[:CELL])[:CELL]
