"""The table of a day's OCSF events."""

from datetime import date

import msgspec
import polars as pl

from defender_assets.core.lake.snapshots import days_between
from defender_assets.outputs.ocsf.event import BY_COPY, event_of
from defender_assets.outputs.ocsf.schema import FINDING_SCHEMA

_AT_ONCE = 500
"""Leads that are Python objects at the same time: the garbage collector looks at each of them again and again."""


def build_findings(day: date, leads: pl.LazyFrame) -> pl.DataFrame:
    """Return a Detection Finding for each lead that was new or changed on the day, muted ones included.

    Args:
        day: the partition to build.
        leads: `device_enriched_leads`, partition D (others are ignored), with any further columns.

    Returns:
        FINDING_SCHEMA, sorted by tenant and finding_uid.
    """
    rows = days_between(leads, day, day).drop(BY_COPY, "entities", strict=False).collect().sort("tenant_id", "lead_id")
    parts = [_findings(day, part) for part in rows.iter_slices(_AT_ONCE)]
    return pl.concat([FINDING_SCHEMA.to_frame(), *parts])


def _findings(day: date, leads: pl.DataFrame) -> pl.DataFrame:
    encoder = msgspec.json.Encoder(order=None)
    findings = []
    for lead in leads.iter_rows(named=True):
        event = event_of(lead)
        findings.append(
            {
                "tenant_id": lead["tenant_id"],
                "export_date": day,
                "event_uid": event["metadata"]["uid"],
                "finding_uid": lead["lead_id"],
                "time": lead["alert_time"],
                **{name: event[name] for name in ("class_uid", "activity_id", "type_uid", "severity_id", "status_id")},
                "event": encoder.encode(event).decode(),
            }
        )
    return pl.DataFrame(findings, schema=FINDING_SCHEMA).with_columns(pl.col("time").dt.truncate("1ms"))
