"""How well stories find the simulator's attacks among unrelated alerts, compared with simple ways to group alerts.

A busy tenant (`Scenario.busy`) is simulated, its export runs through the whole pipeline day by day, and the current
stories are compared with the ground truth. Prevalence can only be measured after some days, so the first two do not
count. docs/leads.md names the seeds on which the weights were tuned; the default seeds are others.
"""

import argparse
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from itertools import repeat
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import polars as pl

from benchmarks.clusters import Alert, Quality, quality
from defender_assets.catalog import DERIVED, LAKE_TABLES
from defender_assets.core.export import DirectoryExport
from defender_assets.core.identifiers import connected_components
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.raw import ingest
from defender_assets.core.schemas import TABLES
from defender_assets.core.tables import build
from defender_assets.outputs.queries.views import current_leads, current_stories, lead_versions
from defender_assets.simulator import Scenario, causes_of, export_directory

START, HELD_OUT, DAY = date(2026, 3, 2), range(401, 409), timedelta(days=1)
_EVER = timedelta(days=10_000)


def scenario_of(seed: int, *, devices: int = 300, alerts_per_day: float = 40, days: int = 9) -> Scenario:
    """The busy tenant of a seed: an attack begins on each of its days but the last two."""
    return Scenario(
        START,
        days=days,
        devices=devices,
        tenants=1,
        alerts_per_day=alerts_per_day,
        campaigns_per_tenant=days - 2,
        heartbeat_minutes=720,
        seed=seed,
        faults=False,
        bad_lines=0,
        busy=True,
    )


def run_pipeline(scenario: Scenario, folder: Path) -> Lake:
    """Simulate and materialize every day, in order."""
    export_directory(scenario, folder / "export")
    lake, export = Lake(str(folder / "lake"), LAKE_TABLES), DirectoryExport(folder / "export")
    for number in range(scenario.days + 2):
        day = scenario.start + timedelta(days=number)
        for table in TABLES:
            ingest.ingest(lake, export, table, day)
            build.build_table_day(lake, table, day)
        for derived in DERIVED:
            build_partition(lake, derived, day)
    return lake


def partitions(lake: Lake) -> dict[str, dict[Alert, str]]:
    """The groups of our stories and of the baselines: alert -> name of its group."""
    leads = current_leads(lake).collect().sort("alert_time", "lead_id")
    stories = current_stories(lake).select("tenant_id", "story_id", lead_id="lead_ids").explode("lead_id").collect()
    grouped = leads.select("tenant_id", "alert_id", "lead_id").join(stories, on=["tenant_id", "lead_id"])
    ours = {(tenant, alert): story for tenant, alert, _, story in grouped.rows()}
    return {
        "stories": ours,
        "same device, 24 h": _connected(leads.with_columns(shared=pl.concat_list("device_id").list.drop_nulls()), DAY),
        "any shared entity": _connected(leads.with_columns(shared=_values("entities")), None),
        "any shared entity, 24 h": _connected(leads.with_columns(shared=_values("entities")), DAY),
    }


def _values(column: str) -> pl.Expr:
    fields = pl.element().struct.field
    return pl.col(column).list.eval(fields("kind") + ":" + fields("value"))


def _connected(leads: pl.DataFrame, window: timedelta | None) -> dict[Alert, str]:
    shared = leads.select("tenant_id", "alert_id", "alert_time", "shared").explode("shared").drop_nulls("shared")
    key = ["tenant_id", "shared"]
    pairs = shared.sort(*key, "alert_time", "alert_id").with_columns(
        other=pl.col("alert_id").shift(-1).over(key),
        gap=(pl.col("alert_time").shift(-1) - pl.col("alert_time")).over(key),
    )
    pairs = pairs.filter(pl.col("other").is_not_null() & (pl.col("gap") <= (window or _EVER)))
    links = (((t, a), (t, b)) for t, a, b in pairs.select("tenant_id", "alert_id", "other").iter_rows())
    return {alert: min(group)[1] for group in connected_components(links) for alert in group}


def measure(scenario: Scenario, warm_up: int) -> dict[str, Quality]:
    """The quality of each way for one scenario, for the alerts that arrived after the first `warm_up` days."""
    with TemporaryDirectory(prefix="stories-") as folder:
        lake = run_pipeline(scenario, Path(folder))
        since = scenario.start + warm_up * DAY
        first = lead_versions(lake).group_by("tenant_id", "alert_id").agg(day=pl.col("export_date").min())
        counted = set(first.filter(pl.col("day") >= since).select("tenant_id", "alert_id").collect().rows())
        truth = {alert: cause for alert, cause in causes_of(scenario).items() if alert in counted}
        return {name: quality(found, truth) for name, found in partitions(lake).items()}


def _lines(found: Mapping[int, Mapping[str, Quality]]) -> Iterator[str]:
    yield f"{'':<26}{'precision':>10}{'recall':>10}{'F1':>10}{'ARI':>10}"
    for seed, ways in found.items():
        for name, measured in ways.items():
            yield f"{f'{seed} {name}':<26}" + "".join(f"{value:>10.3f}" for value in measured)
    for name in next(iter(found.values())):
        means = [mean(values) for values in zip(*(ways[name] for ways in found.values()), strict=True)]
        yield f"{f'mean {name}':<26}" + "".join(f"{value:>10.3f}" for value in means)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks stories", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(HELD_OUT))
    parser.add_argument("--devices", type=int, default=300)
    parser.add_argument("--alerts-per-day", type=float, default=40)
    parser.add_argument("--days", type=int, default=9)
    parser.add_argument("--warm-up", type=int, default=2, help="first days whose alerts do not count")
    options = vars(parser.parse_args(arguments))
    seeds, warm_up = options.pop("seeds"), options.pop("warm_up")
    with ProcessPoolExecutor(max_workers=1) as pool:
        scenarios = [scenario_of(seed, **options) for seed in seeds]
        found = dict(zip(seeds, pool.map(measure, scenarios, repeat(warm_up)), strict=True))
    print("\n".join(_lines(found)))
    print("target: F1 of stories at least 0.90 and 0.05 above the best other way; precision at least 0.95")
