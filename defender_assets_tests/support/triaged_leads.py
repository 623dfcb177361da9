"""Leads in a lake, and statements about them, without any export."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from defender_assets.catalog import LEADS
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.triage.schema import VERDICT_SCHEMA
from defender_assets.core.triage.statements import STATED_LEAD, Statement, state_statements
from defender_assets_tests.support.exports import DAY, TENANT

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)


def put(lake: Lake, name: str, day: date, *rows: Mapping[str, Any]) -> None:
    """Replace the rows of a day; what a row does not say is null."""
    target = lake.fenced(name, day)
    said = [{"tenant_id": TENANT, "export_date": day, **row} for row in rows]
    frame = pl.DataFrame(said, schema=target.spec.schema)
    lake.commit(target, Commit([frame], target.version + 1, replaces=""))


def lead(lead_id: str, version: str | None = "v1", **columns: Any) -> dict[str, Any]:
    """A row of `device_enriched_leads`."""
    said = {"lead_id": lead_id, "alert_id": f"da-{lead_id}", "lead_version": version, "title": f"Title of {lead_id}"}
    return said | {"severity": "Medium", "detection_source": "EDR", "risk_score": 40, "alert_time": NOW} | columns


def put_leads(lake: Lake, *rows: Mapping[str, Any], day: date = DAY) -> None:
    put(lake, LEADS.name, day, *rows)


def stated_leads(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """What statements keep of these leads."""
    said = [{"tenant_id": TENANT, "priority": row.get("risk_score"), **row} for row in rows]
    schema = {name: VERDICT_SCHEMA[name] for name in STATED_LEAD}
    return pl.DataFrame([{name: row.get(name) for name in STATED_LEAD} for row in said], schema=schema)


def state(lake: Lake, row: Mapping[str, Any], author: str = "ana", **said: Any) -> int:
    """Make a statement about a lead; return its sequence."""
    made = state_statements(
        lake, [Statement(row.get("tenant_id", TENANT), row["lead_id"], **said)], stated_leads(row), author
    )
    return int(made["sequence"].item())


def close(lake: Lake, row: Mapping[str, Any], verdict: str = "false_positive", **said: Any) -> int:
    return state(lake, row, state="closed", verdict=verdict, **said)
