"""The metadata of materializations, from the reports of the core.

Text from alerts appears only in table cells, which the UI shows as plain text, and in images, which run no scripts;
never in Markdown. Control and direction characters are escaped.
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
from defender_assets.core.text import escape_control_chars, pluralize
from defender_assets.core.timings import StageTimings
from defender_assets.metadata.charts import bars, by_hour, picture, severity_strip

Metadata = Mapping[str, dg.MetadataValue | str | float]
CELL = 160
"""Characters of a cell: a link to Microsoft's portal fits."""
PREVIEW_ROWS = 10
MOST = 20
INTERNALS = "internals"
"""Name of the table of figures for finding faults. As metadata of its own, Dagster would plot each number."""
_CHARTS = {
    ALERT_INFO.name: ("alerts_by_severity", "Alerts by hour (UTC) and severity"),
    ALERT_EVIDENCE.name: ("alerts_by_entity_type", "Alerts by evidence type"),
    DEVICE_INFO.name: ("devices_by_os", "Devices by operating system"),
}
NO_BLOBS = "no blobs: Microsoft wrote nothing on this day"
NOT_LISTED = "no blobs could be listed: see the check byte_balance"


def raw_metadata(report: RawReport) -> Metadata:
    """Return what arrived from the containers."""
    return {
        "day": _arrival(report),
        "new_bytes": report.new_bytes,
        **({"lost": dg.MetadataValue.json([lost.describe() for lost in report.lost])} if report.lost else {}),
        INTERNALS: _internals(
            report.timings,
            total_bytes=sum(blob.size for blob in report.listed),
            pending_bytes=report.pending_bytes,
            chunks=report.chunks,
            batch=report.batch,
            blobs=len(report.listed),
            tenants=len({blob.tenant_id for blob in report.listed}),
            replaced_blobs=report.replaced_blobs,
            unreadable_parts=len(report.unreadable),
        ),
    }


def empty_metadata() -> Metadata:
    """Return the metadata of an asset on a day without blobs, which needs no run."""
    return {"day": NO_BLOBS, "dagster/partition_row_count": 0}


def typed_metadata(table: Table, report: TypedReport, rows_of_day: int, summary: DailySummary) -> Metadata:
    """Return what became of the new lines, and a summary of the whole day.

    The whole day, because Dagster plots and shows only the last run of a day, which may have had nothing to do.
    """
    metadata: dict[str, dg.MetadataValue | str | float] = {
        "dagster/partition_row_count": rows_of_day,
        "new_rows": report.rows,
        "quarantined_lines": report.tally.quarantined,
    }
    if summary.lag_median is not None and summary.lag_p95 is not None:
        metadata["arrival_lag_median_seconds"] = round(summary.lag_median, 3)
        metadata["arrival_lag_p95_seconds"] = round(summary.lag_p95, 3)
    if summary.counts:
        name, title = _CHARTS[table.name]
        metadata |= {
            name: by_hour(title, summary.hours) if table is ALERT_INFO else bars(title, summary.counts),
            "arrival_lag": bars("Delay from event to export", summary.lags, order=(*LAGS, LONGER)),
            "newest": table_preview(summary.newest),
        }
    if report.reasons:
        metadata["quarantine_reasons"] = counts_table("reason", "lines", report.reasons)
    if report.tally.mismatches:
        metadata["unmapped_fields"] = counts_table("field", "values", report.tally.mismatches)
    metadata[INTERNALS] = _internals(
        report.timings,
        lines=report.tally.lines,
        blank_lines=report.tally.blank,
        duplicates_dropped=report.duplicates,
        values_that_did_not_fit=sum(report.tally.mismatches.values()),
        parsed_up_to_batch=report.batch,
    )
    return metadata


def derived_metadata(report: DerivedReport, preview: pl.DataFrame, extra: Metadata) -> Metadata:
    """Return the partition's size and version, the extra metadata, and the first rows of the preview."""
    return {
        "dagster/partition_row_count": report.rows.height,
        **extra,
        "preview": table_preview(preview),
        INTERNALS: _internals(report.timings, built_from_version=report.version, written_by_this_run=report.written),
    }


def leads_metadata(report: DerivedReport, _day: date) -> Metadata:
    """Return the leads by severity, which are worth plotting over time, a sentence, and two pictures."""
    leads = report.rows
    severities = dict(leads.group_by("severity").len().iter_rows())
    hours = leads.group_by(pl.col("alert_time").dt.hour().cast(pl.Int64), "severity").len()
    counts = {(hour, severity or "(none)"): count for hour, severity, count in hours.drop_nulls("alert_time").rows()}
    return {
        **{f"leads_{name.lower()}": severities.get(name, 0) for name in SEVERITIES},
        "day": (
            f"{pluralize(leads.height, 'lead')}, {leads.filter(pl.col('change') == 'new').height} of them new, on "
            f"{pluralize(leads.select('tenant_id', 'device_id').drop_nulls().n_unique(), 'device')}; "
            f"the highest risk is {int(leads['risk_score'].max() or 0)}"  # type: ignore[arg-type]
        ),
        "leads_by_severity": severity_strip("Leads by severity", severities),
        **({"alerts_by_hour": by_hour("Alerts by hour (UTC) and severity", counts)} if counts else {}),
    }


def queue_metadata(report: DerivedReport, _day: date) -> Metadata:
    """Return a sentence about the queue."""
    in_stories, entries = report.rows["story_id"].count(), pluralize(report.rows.height, "lead")
    highest = int(report.rows["priority"].max() or 0)  # type: ignore[arg-type]
    return {"day": f"{entries}, {in_stories} of them in stories; the highest priority is {highest}"}


def brief_metadata(report: DerivedReport, day: date) -> Metadata:
    """Return the chart of a day's brief and the command that writes the page, or nothing if there is no brief."""
    if report.rows.is_empty():
        return {}
    return {
        "picture": picture("Leads by hour and severity", report.rows["picture"].item()),
        "open_with": f"defender-assets brief --day {day} --out brief-{day}.html",
    }


def _arrival(report: RawReport) -> str:
    """Return what arrived, so that a day without blobs differs from a run that found nothing new."""
    total = f"{sum(blob.size for blob in report.listed):,}"
    if not report.kept:
        return "past retention (DEFENDER_RETENTION_DAYS): nothing was read"
    if not report.listed:
        return NOT_LISTED if report.unreadable else NO_BLOBS
    return (
        f"{report.new_bytes:,} new bytes of {total}"
        if report.new_bytes
        else f"nothing new: all {total} bytes are in raw"
    )


def figures(metadata: Mapping[str, dg.MetadataValue]) -> dict[str, object]:
    """Return the values of a materialization by name, those of its internals included."""
    values: dict[str, object] = {name: value.value for name, value in metadata.items() if name != INTERNALS}
    table = metadata.get(INTERNALS)
    records = table.records if isinstance(table, dg.TableMetadataValue) else []
    return values | {str(record.data["figure"]): record.data["value"] for record in records}


def _internals(timings: StageTimings, **values: float) -> dg.MetadataValue:
    seconds = {
        "seconds": round(timings.total, 3),
        **{f"seconds_{name}": round(took, 3) for name, took in timings.seconds.items()},
    }
    records = [dg.TableRecord({"figure": name, "value": value}) for name, value in (values | seconds).items()]
    return dg.MetadataValue.table(records, dg.TableSchema([dg.TableColumn(name) for name in ("figure", "value")]))


def table_preview(rows: pl.DataFrame, count: int = PREVIEW_ROWS) -> dg.TableMetadataValue:
    """Return the first rows as a table of plain text; times are UTC, in seconds."""
    records = [
        dg.TableRecord({name: _cell(value) for name, value in row.items()})
        for row in rows.head(count).iter_rows(named=True)
    ]
    schema = dg.TableSchema([dg.TableColumn(name, "string") for name in rows.columns])
    return dg.MetadataValue.table(records=records, schema=schema)


def counts_table(name: str, count: str, counts: Mapping[str, int]) -> dg.TableMetadataValue:
    """Return the names with the highest counts as a table of two columns."""
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return table_preview(pl.DataFrame(most, schema={name: pl.String, count: pl.Int64}, orient="row"), MOST)


def _cell(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    return escape_control_chars(str(value)[:CELL])[:CELL]
