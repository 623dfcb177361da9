"""The cost of the states: the first rows of `leads` with and without 100,000 statements, in the emulator's account."""

import argparse
import time
from datetime import UTC, date, datetime, timedelta

import polars as pl

from defender_assets.catalog import LAKE_TABLES, LEADS
from defender_assets.core.azure.account import from_connection_string
from defender_assets.core.lake.compaction import compact
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.triage.schema import VERDICT_SCHEMA, VERDICTS_TABLE
from defender_assets.core.triage.states import in_state, with_states
from defender_assets.outputs.queries import views
from defender_assets_tests.support.emulator import run_emulator

FIRST, DAYS, COMMITS = date(2026, 11, 1), 20, 25
NOW = datetime(2026, 11, 21, tzinfo=UTC)
TENANT = "11111111-2222-4333-8444-555555555555"


def fill(lake: Lake, leads: int, statements: int) -> None:
    """Write leads on DAYS days, and statements about the first of them in COMMITS commits, then compact these."""
    rows = pl.DataFrame({"number": range(leads)}).with_columns(
        tenant_id=pl.lit(TENANT),
        lead_id=pl.format("{}", pl.col("number").hash(1)),
        title=pl.format("Detection {}", pl.col("number") % 200),
        lead_version=pl.lit("v1"),
        risk_score=pl.col("number") % 100,
        alert_time=pl.lit(NOW),
    )
    lead_id = rows["lead_id"]
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        target = lake.fenced(LEADS.name, day)
        of_day = rows.filter(pl.col("number") % DAYS == number).with_columns(export_date=pl.lit(day))
        lake.commit(target, Commit([_all_columns(of_day, target.spec.schema)], 1))
    for number in range(COMMITS):
        target = lake.fenced(VERDICTS_TABLE, None)
        said = pl.DataFrame({"number": range(number, statements, COMMITS)}).with_columns(
            tenant_id=pl.lit(TENANT),
            lead_id=lead_id.gather(pl.arange(number, statements, COMMITS, eager=True) % leads),
            state=pl.when(pl.col("number") % 3 == 0).then(pl.lit("in_progress")).otherwise(pl.lit("closed")),
            verdict=pl.when(pl.col("number") % 3 == 0).then(None).otherwise(pl.lit("false_positive")),
            lead_version=pl.when(pl.col("number") % 50 == 0).then(pl.lit("v0")).otherwise(pl.lit("v1")),
            stated_at=pl.lit(NOW),
            comment=pl.lit("a comment of usual length, with the number of a ticket: CHG-1742"),
            sequence=pl.lit(number + 1, pl.Int64),
        )
        lake.commit(target, Commit([_all_columns(said, VERDICT_SCHEMA)], number + 1))
    compact(lake, VERDICTS_TABLE)


def _all_columns(rows: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in rows.columns]
    return rows.with_columns(missing).select(schema.names()).cast(schema)


def measured(lake: Lake, *, states: bool) -> tuple[float, float]:
    """Return how many seconds, and CPU seconds of this process, the first rows of `leads` take: the best of five."""
    taken = []
    for _ in range(5):
        start, cpu = time.perf_counter(), time.process_time()
        rows = views.current_leads(lake)
        if states:
            rows = in_state(with_states(rows, views.lead_states(lake)), "open")
        views.collected(lake, rows.head(26))
        taken.append((time.perf_counter() - start, time.process_time() - cpu))
    return min(taken)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=50_000)
    parser.add_argument("--statements", type=int, default=100_000)
    given = parser.parse_args(arguments)
    with run_emulator() as emulator:
        lake = Lake("az://lake/tables", LAKE_TABLES, from_connection_string("TEST", emulator.connection_string))
        fill(lake, given.leads, given.statements)
        found = {states: measured(lake, states=states) for states in (False, True)}
    print(f"{given.leads:,} leads, {given.statements:,} statements")
    for states, (wall, cpu) in found.items():
        print(f"  {'with' if states else 'without'} states: {wall:.2f} s, {cpu:.2f} CPU seconds")
