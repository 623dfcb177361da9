"""How well stories find the simulator's attacks among unrelated alerts, and how well leads are ordered.

Each world of the simulator (`worlds.WORLDS`) runs through the whole pipeline day by day. The current stories are then
compared with the ground truth, beside simple ways to group alerts, and the order of the leads beside the order by
severity. An alert that no method can tie, because it names nothing, counts like any other. docs/quality.md names the
seeds that were used for tuning; the default seeds are others.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import polars as pl

from benchmarks.arguments import at_least_one
from benchmarks.clusters import Alert, Quality, quality
from benchmarks.ranking import average_precision, first_ten
from defender_assets.catalog import DERIVED, LAKE_TABLES
from defender_assets.core.export import DirectoryExport
from defender_assets.core.identifiers import connected_components
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.queue.build import queue_order
from defender_assets.core.queue.schema import QUEUE_TABLE
from defender_assets.core.raw import ingest
from defender_assets.core.schemas import TABLES
from defender_assets.core.tables import build
from defender_assets.core.words import severity_ranks
from defender_assets.outputs.queries.views import current_leads, current_stories, lead_versions
from defender_assets.simulator import Scenario, causes_of, export_directory
from defender_assets.simulator.export import campaigns_of
from defender_assets.simulator.worlds import WORLDS

START, DAY, HOUR = date(2026, 3, 2), timedelta(days=1), timedelta(hours=1)
HELD_OUT = (*range(1031, 1035), *range(1041, 1045))
_MEASURED_TABLES = ("device_enriched_leads", "lead_stories", QUEUE_TABLE)


@dataclass(frozen=True)
class Order:
    """Quality of one order of the leads."""

    average_precision: float
    first_ten: float
    ceiling: float


@dataclass(frozen=True)
class Found:
    """What was measured on one seed of a world."""

    groups: Mapping[str, Quality]
    whole: Mapping[str, float]
    """Share of the attacks of which every alert that names an entity is in one group."""
    orders: Mapping[str, Order]


def scenario_of(world: str, seed: int) -> Scenario:
    """The scenario of a world's seed."""
    kind = WORLDS[world]
    return Scenario(
        START,
        days=kind.days,
        devices=kind.devices,
        tenants=1,
        alerts_per_day=kind.alerts_per_day,
        heartbeat_minutes=720,
        seed=seed,
        faults=False,
        bad_lines=0,
        world=world,
    )


def run_pipeline(scenario: Scenario, folder: Path) -> Lake:
    """Simulate and materialize the leads and stories of every day, in order."""
    export_directory(scenario, folder / "export")
    lake, export = Lake(str(folder / "lake"), LAKE_TABLES), DirectoryExport(folder / "export")
    derived = [each for each in DERIVED if each.name in _MEASURED_TABLES]
    for number in range(scenario.days + 2):
        day = scenario.start + timedelta(days=number)
        for table in TABLES:
            ingest.ingest(lake, export, table, day)
            build.build_table_day(lake, table, day)
        for each in derived:
            build_partition(lake, each, day)
    return lake


def partitions(leads: pl.DataFrame, stories: pl.DataFrame) -> dict[str, dict[Alert, str]]:
    """The groups of our stories and of the baselines: alert -> name of its group."""
    leads = leads.sort("alert_time", "lead_id")
    grouped = leads.select("tenant_id", "alert_id", "lead_id").join(
        stories.select("tenant_id", "story_id", lead_id="lead_ids").explode("lead_id"), on=["tenant_id", "lead_id"]
    )
    device = leads.with_columns(shared=pl.concat_list("device_id").list.drop_nulls())
    entity = leads.with_columns(shared=_values("entities"))
    return {
        "stories": {(tenant, alert): story for tenant, alert, _, story in grouped.rows()},
        "same device, 24 h": _connected(device, DAY),
        "any shared entity, 1 h": _connected(entity, HOUR),
        "any shared entity, 24 h": _connected(entity, DAY),
    }


def _values(column: str) -> pl.Expr:
    fields = pl.element().struct.field
    return pl.col(column).list.eval(fields("kind") + ":" + fields("value"))


def _connected(leads: pl.DataFrame, window: timedelta) -> dict[Alert, str]:
    shared = leads.select("tenant_id", "alert_id", "alert_time", "shared").explode("shared").drop_nulls("shared")
    key = ["tenant_id", "shared"]
    pairs = shared.sort(*key, "alert_time", "alert_id").with_columns(
        other=pl.col("alert_id").shift(-1).over(key),
        gap=(pl.col("alert_time").shift(-1) - pl.col("alert_time")).over(key),
    )
    pairs = pairs.filter(pl.col("other").is_not_null() & (pl.col("gap") <= window))
    links = (((t, a), (t, b)) for t, a, b in pairs.select("tenant_id", "alert_id", "other").iter_rows())
    return {alert: min(group)[1] for group in connected_components(links) for alert in group}


def orders(leads: pl.DataFrame, queue: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The leads in the order of each way: both are rows of one partition, or the current ones.

    The queue of a day also has leads of earlier days, so only "severity, of the queue" has the ceiling of the queue.
    """
    severity = severity_ranks(pl.col("severity"))
    arbitrary = pl.col("lead_id")
    return {
        "queue": queue_order(queue),
        "risk_score": leads.sort(-pl.col("risk_score"), arbitrary),
        "severity": leads.sort(severity, arbitrary),
        "severity, newest first": leads.sort(severity, -pl.col("alert_time").to_physical(), arbitrary),
        "severity, of the queue": queue.sort(severity, arbitrary),
    }


def measure(world: str, seed: int) -> Found:
    """Run one seed of a world and measure it, for the alerts that arrived after the world's first days."""
    with TemporaryDirectory(prefix="stories-") as folder:
        lake = run_pipeline(scenario_of(world, seed), Path(folder))
        return compare(
            world,
            seed,
            lead_versions(lake).collect(),
            current_leads(lake).collect(),
            current_stories(lake).collect(),
            lake.read(QUEUE_TABLE).collect(),
        )


def compare(
    world: str, seed: int, versions: pl.DataFrame, current: pl.DataFrame, stories: pl.DataFrame, queue: pl.DataFrame
) -> Found:
    """Compare what the pipeline made with the ground truth.

    Args:
        world: the world's name.
        seed: the scenario's seed.
        versions: all rows of the leads.
        current: the current row of each lead.
        stories: the current stories.
        queue: all rows of the queue.
    """
    scenario = scenario_of(world, seed)
    since = scenario.start + WORLDS[world].warm_up * DAY
    first = versions.group_by("tenant_id", "alert_id").agg(day=pl.col("export_date").min())
    counted = set(first.filter(pl.col("day") >= since).select("tenant_id", "alert_id").rows())
    truth = {alert: cause for alert, cause in causes_of(scenario).items() if alert in counted}
    attacks = [{(each.tenant_id, alert.alert_id) for alert in each.alerts} for each in campaigns_of(scenario)]
    # A step of the first days comes back into the queue when its attack goes on: it is as relevant as the others.
    attacked: set[Alert] = set().union(*attacks)
    named = {
        tuple(row) for row in current.filter(pl.col("entities").list.len() > 0).select("tenant_id", "alert_id").rows()
    }
    groups = partitions(current, stories)
    kept = pl.DataFrame(list(counted), schema=["tenant_id", "alert_id"], orient="row")
    current = current.join(kept, on=["tenant_id", "alert_id"])
    days = [
        versions.filter(pl.col("export_date") == day) for day in sorted(set(versions["export_date"])) if day >= since
    ]
    of_days: dict[str, list[list[bool]]] = defaultdict(list)
    for rows in days:
        for name, ordered in orders(rows, queue.filter(pl.col("export_date") == rows["export_date"][0])).items():
            of_days[name].append(_relevant(ordered, attacked))
    return Found(
        {name: quality(found, truth) for name, found in groups.items()},
        {name: _whole(found, [attack & counted for attack in attacks], named) for name, found in groups.items()},
        {
            name: Order(average_precision(_relevant(ordered, attacked)), *first_ten(of_days[name]))
            for name, ordered in orders(current, _latest(queue).join(kept, on=["tenant_id", "alert_id"])).items()
        },
    )


def _latest(queue: pl.DataFrame) -> pl.DataFrame:
    return queue.sort("export_date").unique(["tenant_id", "lead_id"], keep="last", maintain_order=True)


def _relevant(ordered: pl.DataFrame, attacked: set[Alert]) -> list[bool]:
    return [alert in attacked for alert in ordered.select("tenant_id", "alert_id").iter_rows()]


def _whole(found: Mapping[Alert, str], attacks: Iterable[set[Alert]], named: set[tuple[str, ...]]) -> float:
    tied = [[alert for alert in attack if alert in named] for attack in attacks]
    tied = [alerts for alerts in tied if len(alerts) > 1]
    whole = [len({found.get(alert, alert) for alert in alerts}) == 1 for alerts in tied]
    return mean(whole) if whole else 1.0


def _lines(world: str, found: Mapping[int, Found]) -> Iterator[str]:
    yield f"{world}: {WORLDS[world].meaning} (seeds {', '.join(map(str, found))})"
    yield f"  {'':<26}{'precision':>10}{'recall':>10}{'F1':>10}{'ARI':>10}{'whole':>10}{'worst F1':>10}"
    for name in next(iter(found.values())).groups:
        each = [one.groups[name] for one in found.values()]
        means = [mean(values) for values in zip(*each, strict=True)]
        figures = [*means, mean(one.whole[name] for one in found.values()), min(one.f1 for one in each)]
        yield f"  {name:<26}" + "".join(f"{value:>10.3f}" for value in figures)
    yield f"  {'':<26}{'AP':>10}{'first 10':>10}{'ceiling':>10}{'worst AP':>10}"
    for name in next(iter(found.values())).orders:
        ways = [one.orders[name] for one in found.values()]
        figures = [
            mean(one.average_precision for one in ways),
            mean(one.first_ten for one in ways),
            mean(one.ceiling for one in ways),
            min(one.average_precision for one in ways),
        ]
        yield f"  {name:<26}" + "".join(f"{value:>10.3f}" for value in figures)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks stories", description=__doc__)
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=list(WORLDS))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(HELD_OUT))
    parser.add_argument("--workers", type=at_least_one, default=2)
    options = parser.parse_args(arguments)
    with ProcessPoolExecutor(options.workers) as pool:
        runs = {(world, seed): pool.submit(measure, world, seed) for world in options.worlds for seed in options.seeds}
        for world in options.worlds:
            found = {seed: runs[world, seed].result() for seed in options.seeds}
            print("\n".join(_lines(world, found)), flush=True)
