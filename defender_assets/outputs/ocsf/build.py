"""The table of a day's OCSF events."""

from collections.abc import Sequence
from datetime import date

import msgspec
import polars as pl

from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.lake.snapshots import Change, days_between
from defender_assets.outputs.ocsf.event import BY_COPY, event_of
from defender_assets.outputs.ocsf.schema import FINDING_SCHEMA

_AT_ONCE = 500
"""Leads that are Python objects at the same time: the garbage collector looks at each of them again and again."""


def build_findings(day: date, leads: pl.LazyFrame) -> pl.DataFrame:
    """Return a Detection Finding for each lead that was new or changed on the day, muted ones included.

    `leads` are rows of `device_enriched_leads`, with any further columns; other days are ignored.

    Returns:
        FINDING_SCHEMA, sorted by tenant and finding_uid.
    """
    return _findings_of(day, _read(days_between(leads, day, day)))


def update_findings(
    day: date, findings: pl.DataFrame, changes: Sequence[Change], leads: pl.LazyFrame
) -> pl.DataFrame | None:
    """Return what `build_findings` would: findings of leads that are as they were stay, the others are made.

    Return None if the leads have other columns than they had, or did not change.

    `findings` are the day's rows as `build_findings` made them of the leads before. `changes` have one entry: all of
    the day's leads, then and now.
    """
    (change,) = changes
    if change.removed is None:
        return None
    then, now = _read(change.removed), _read(days_between(leads, day, day))
    if then.schema != now.schema:
        return None
    same = _equal_rows(then, now)
    kept = findings.select(FINDING_SCHEMA.names()).join(
        same, left_on=["tenant_id", "finding_uid"], right_on=LEAD_KEY, how="semi"
    )
    made = _findings_of(day, now.join(same, on=LEAD_KEY, how="anti", maintain_order="left"))
    if kept.height + made.height != now.height:
        return None
    return pl.concat([kept, made]).sort("tenant_id", "finding_uid")


def _read(leads: pl.LazyFrame) -> pl.DataFrame:
    """Return the columns of leads that an event can have, in order of the findings."""
    return leads.drop(BY_COPY, "entities", strict=False).collect().sort(LEAD_KEY)


def _equal_rows(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Return LEAD_KEY of the leads that have equal values in both frames, which have the same columns."""
    both = one.select(LEAD_KEY).join(other.select(LEAD_KEY), on=LEAD_KEY, how="inner")
    one, other = (both.join(rows, on=LEAD_KEY, how="left", maintain_order="left") for rows in (one, other))
    equal = pl.select(pl.all_horizontal(one[name].eq_missing(other[name]) for name in one.columns)).to_series()
    return both.filter(equal)


def _findings_of(day: date, leads: pl.DataFrame) -> pl.DataFrame:
    parts = [_findings(day, part) for part in leads.iter_slices(_AT_ONCE)]
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
