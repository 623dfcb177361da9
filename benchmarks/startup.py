"""What a start costs: imports, definitions, commands, a tick, and a run of a day with nothing new; in CPU seconds.

With `--against CHECKOUT…`, other checkouts of the project, each with its own `.venv`, are measured in alternation, and
the ratio of each pair is printed. Each side has a lake and a Dagster instance, made by its own code of the same export.
"""

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from subprocess import PIPE, Popen
from subprocess import run as run_command
from tempfile import TemporaryDirectory

import dagster as dg
import yaml  # type: ignore[import-untyped]  # Dagster brings it, without its types
from dagster._cli.job import execute_launch_command
from dagster_shared.cli import WorkspaceOpts

from benchmarks.arguments import at_least_one
from benchmarks.installation import Installation, cpu_of_ended_children
from benchmarks.processes import cost
from defender_assets.simulator import Scenario, simulate, write_directory
from defender_assets_tests.support.days import day_before
from defender_assets_tests.support.waiting import wait_until

DAYS = 4
JOB = "ingest_day"
# runs start at once, without a queue
NO_QUEUE = {"module": "dagster._core.run_coordinator", "class": "DefaultRunCoordinator"}
COMMANDS = (("--help",), ("leads",), ("stories",), ("check",))

_TICKS = """
import json, os, sys, time
import dagster as dg
from defender_assets.definitions import defs
loaded = defs()
sensor = loaded.resolve_sensor_def("new_blobs_sensor")
spent = []
with dg.DagsterInstance.from_config(os.environ["DAGSTER_HOME"]) as instance:
    for _ in range(int(sys.argv[1])):
        before = time.process_time()
        context = dg.build_sensor_context(
            instance=instance, definitions=loaded, resources=dict(loaded.resources), sensor_name=sensor.name
        )
        with context:
            found = sensor.evaluate_tick(context)
        spent.append(time.process_time() - before)
        days = [request.partition_key for request in found.run_requests or () if request.partition_key]
        if days:
            raise SystemExit(f"behind: {days}")
first, *later = spent
print(json.dumps([first, sorted(later)[len(later) // 2]]))
"""


@dataclass(frozen=True)
class Side:
    """A checkout with its installation, whose code server runs."""

    name: str
    at: Installation
    instance: dg.DagsterInstance = field(repr=False)
    server: Popen[bytes] = field(repr=False)

    def code(self, text: str, *arguments: str) -> float:
        """Return the CPU seconds of a process that runs Python code."""
        command = [str(self.at.python), "-c", text, *arguments]
        # `check` has 1 where something needs attention, such as a stale export
        return cost(command, folder=self.at.folder, environment=self.at.environment, codes=(0, 1)).cpu

    def command(self, *arguments: str) -> float:
        """Return the CPU seconds of a command of the project."""
        return self.code("from defender_assets.cli import main; main()", *arguments)

    def run(self, day: date) -> float:
        """Return the CPU seconds of the process of a day's run, as the code server starts it."""
        before = cpu_of_ended_children(self.server)
        launched = execute_launch_command(
            instance=self.instance,
            workspace_opts=WorkspaceOpts(workspace=[str(self.at.workspace)]),
            job_name=JOB,
            tags=json.dumps({"dagster/partition": day.isoformat()}),
        )
        wait_until(
            lambda: cpu_of_ended_children(self.server) > before, "the end of the run", self.at.log_tails, pause=0.2
        )
        found = self.instance.get_run_by_id(launched.run_id)
        if found is None or found.status != dg.DagsterRunStatus.SUCCESS:
            raise RuntimeError(f"{self.name}: {found and found.status}\n{self.at.log_tails()}")
        return cpu_of_ended_children(self.server) - before

    def ticks(self, number: int) -> tuple[float, float]:
        """Return the CPU seconds of the first tick of a process, and of a later one."""
        command = [str(self.at.python), "-c", _TICKS, str(number)]
        done = run_command(command, cwd=self.at.folder, env=self.at.environment, stdout=PIPE, check=True)
        first, later = json.loads(done.stdout.splitlines()[-1])
        return first, later


def measured(side: Side) -> Iterator[tuple[str, float]]:
    """Yield each figure of a side once: its name and CPU seconds."""
    yield "import dagster", side.code("import dagster")
    yield "import the definitions", side.code("import defender_assets.definitions")
    loading = "from defender_assets.definitions import defs; defs().get_repository_def()"
    yield "load the definitions", side.code(loading)
    yield "run of a day with nothing new", side.run(day_before(1))
    first, later = side.ticks(11)
    yield "first tick of a process", first
    yield "each further tick", later
    for arguments in COMMANDS:
        yield " ".join(["defender-assets", *arguments]), side.command(*arguments)


def instance_of(checkout: Path) -> str:
    """Return the checkout's `dagster.yaml` without the queue."""
    own = yaml.safe_load((checkout / "dagster.yaml").read_text())
    kept = {name: value for name, value in own.items() if name not in {"concurrency", "run_queue"}}
    return json.dumps({**kept, "run_coordinator": NO_QUEUE})


@contextmanager
def sides(root: Path, checkouts: Sequence[Path]) -> Iterator[list[Side]]:
    """Start the code server of each checkout and bring each lake up to date."""
    days = [day_before(back) for back in range(DAYS - 1, -1, -1)]
    scenario = Scenario(
        days[0], days=DAYS, devices=20, tenants=1, alerts_per_day=8, campaigns_per_tenant=3, until=datetime.now(UTC)
    )
    write_directory(simulate(scenario), root / "export")
    with ExitStack() as stack:
        found: list[Side] = []
        for checkout in checkouts:
            folder = root / f"side-{len(found)}"
            settings = {
                "DEFENDER_EXPORT_DIR": str(root / "export"),
                "DEFENDER_LAKE_URI": str(folder / "lake"),
                "DEFENDER_START_DATE": days[0].isoformat(),
            }
            at = Installation(folder, settings, checkout, checkout / ".venv/bin/python", instance_of(checkout))
            at.prepare()
            instance = stack.enter_context(dg.DagsterInstance.from_config(str(at.home)))
            found.append(Side(checkout.name, at, instance, stack.enter_context(at.code_server())))
            for day in days:
                found[-1].run(day)
        yield found


def show(measured_sides: Sequence[Side], found: Sequence[Mapping[str, Sequence[float]]]) -> None:
    """Print the medians of the first side and, for each other one, its medians and the ratios with their range."""
    own, *others = found
    names = [f"{side.name[:11]:>12}{'ratio':>8}{'from':>7}{'to':>7}" for side in measured_sides[1:]]
    print(f"{'':<34}{'CPU-s':>10}" + "".join(names))
    for name, spent in own.items():
        row = f"{name:<34}{median(spent):>10.2f}"
        for other in others:
            ratios = [one / theirs for one, theirs in zip(spent, other[name], strict=True)]
            row += f"{median(other[name]):>12.2f}{median(ratios):>8.2f}{min(ratios):>7.2f}{max(ratios):>7.2f}"
        print(row)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks startup", description=__doc__)
    parser.add_argument("--rounds", type=at_least_one, default=7)
    parser.add_argument("--against", type=Path, nargs="+", default=[], metavar="CHECKOUT", help="each with a .venv")
    options = parser.parse_args(arguments)
    checkouts = [Path.cwd(), *(checkout.resolve() for checkout in options.against)]
    with TemporaryDirectory(prefix="startup-") as folder, sides(Path(folder), checkouts) as all_sides:
        found: list[dict[str, list[float]]] = [{} for _ in all_sides]
        for number in range(options.rounds):
            order = list(zip(all_sides, found, strict=True))
            for side, figures in order if number % 2 else reversed(order):
                for name, seconds in measured(side):
                    figures.setdefault(name, []).append(seconds)
            print(f"round {number + 1} of {options.rounds}, load {os.getloadavg()[0]:.0f}", flush=True)
        print(f"CPU seconds of the whole process; a tick without its imports. Medians of {options.rounds}")
        show(all_sides, found)
