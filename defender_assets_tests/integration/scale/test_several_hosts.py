"""Several workers on Redis and PostgreSQL, lake and export in an account: one is killed, the tables are exact."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from defender_assets.core.export import Export
from defender_assets.core.lake.lake import Lake
from defender_assets.settings import load_settings
from defender_assets_tests.integration.live.processes import WebServer, wait_for
from defender_assets_tests.integration.scale.exports import Written, assert_exact, matches_truth, write
from defender_assets_tests.integration.scale.hosts import (
    LOG_CONTAINER,
    ONE_HOST,
    SEVERAL_HOSTS,
    Host,
    log_variables,
    running,
)
from defender_assets_tests.integration.scale.servers import run_postgres, run_redis
from defender_assets_tests.support.emulator import Emulator, run_emulator
from defender_assets_tests.support.process_groups import end

pytestmark = pytest.mark.scale

DAYS, TENANTS = 20, 10
WORKERS = ("one", "two", "three")
SLOTS = 2 * len(WORKERS)
"""The sum of all workers' --concurrency, which deploy/several-hosts/dagster.yaml asks for."""
CENTRAL = [ONE_HOST / f"defender-{name}.service" for name in ("code", "daemon", "webserver")]
REMAINING_DAYS = 8


@dataclass(frozen=True)
class Site:
    """The result: `taken` has the run ids by worker, `lost` those of runs that were killed with their worker."""

    host: Host
    logs: Emulator
    server: WebServer
    export: Export
    lake: Lake
    written: Written
    taken: Mapping[str, set[str]]
    lost: set[str]


def status_of(server: WebServer) -> dict[str, str]:
    """The status of each run of `ingest_day`, by run id."""
    return {run["runId"]: run["status"] for run in server.runs() if run["jobName"] == "ingest_day"}


def days_done(server: WebServer) -> set[str]:
    """The days with a successful run."""
    return {run["tags"].get("dagster/partition") for run in server.runs() if run["status"] == "SUCCESS"} - {None}


def processes_of(worker: subprocess.Popen[bytes]) -> set[int]:
    """The process ids of the worker and its children, which share its process group."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(ProcessLookupError):
            if os.getpgid(int(entry.name)) == worker.pid:
                found.add(int(entry.name))
    return found


def messages_of(server: WebServer, run_id: str) -> str:
    """The messages of a run's events."""
    data = server.graphql(
        f'{{ logsForRun(runId: "{run_id}") {{ ... on EventConnection {{ events {{ ... on MessageEvent '
        "{ message } } } } }"
    )
    return " ".join(event.get("message", "") for event in data["logsForRun"]["events"])


def process_of(server: WebServer, run_id: str) -> int:
    """The process id in a run's events; 0 if there is none yet."""
    found = re.search(r"process for run \(pid: (\d+)\)", messages_of(server, run_id))
    return int(found[1]) if found else 0


def running_on(server: WebServer, worker: subprocess.Popen[bytes]) -> set[str]:
    """The runs that the worker is executing."""
    processes = processes_of(worker)
    started = [run for run, status in status_of(server).items() if status == "STARTED"]
    return {run for run in started if process_of(server, run) in processes}


def can_be_killed(server: WebServer, worker: subprocess.Popen[bytes]) -> bool:
    """Whether the worker executes a run, and no run has left the queue of which it is not known who executes it."""
    return bool(running_on(server, worker)) and "STARTING" not in status_of(server).values()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("several")
    with run_postgres() as database, run_redis() as redis, run_emulator() as emulator, ExitStack() as stack:
        written = write(emulator, DAYS, TENANTS)
        settings = {
            "AZURE_STORAGE_CONNECTION_STRING": emulator.connection_string,
            "DEFENDER_LAKE_URI": "az://lake/tables",
            "DEFENDER_START_DATE": written.days[0].isoformat(),
        }
        dagster = {
            "DAGSTER_POSTGRES_URL": database,
            "CELERY_BROKER_URL": f"{redis}/0",
            "CELERY_RESULT_BACKEND": f"{redis}/1",
            **log_variables(emulator.account_name, emulator.account_key),
        }
        with emulator.service() as service:
            service.create_container(LOG_CONTAINER)
        host = Host(folder, settings, dagster, SEVERAL_HOSTS, emulator, SLOTS)
        host.prepare()
        ours = load_settings(settings, folder)
        lake, export = ours.lake(), ours.export()
        with running(host, CENTRAL) as server:
            workers: dict[str, subprocess.Popen[bytes]] = {}
            for name in WORKERS:
                workers[name] = host.start_unit(SEVERAL_HOSTS / "defender-worker.service", name)
                stack.callback(end, workers[name])
            began = time.monotonic()
            wait_for(lambda: len(days_done(server)) >= DAYS - REMAINING_DAYS, "most days", host)
            wait_for(lambda: can_be_killed(server, workers["one"]), "a run on the first worker", host, 0.1)
            processes = {name: processes_of(worker) for name, worker in workers.items()}
            # the worker and its children: no process remains to report the end of its runs
            end(workers["one"], signal.SIGKILL)
            died = time.monotonic()
            started = {run for run, status in status_of(server).items() if status == "STARTED"}
            lost = {run for run in started if process_of(server, run) in processes["one"]}
            wait_for(lambda: matches_truth(lake, export, written), "the truth", host, 2)
            print(f"{died - began:.0f} s to the kill, {time.monotonic() - died:.0f} s from it to the truth")  # noqa: T201 (figures of docs/scale.md)
            wait_for(lambda: "STARTED" not in status_of(server).values(), "the end of all runs", host)
            process_ids = {run: process_of(server, run) for run in status_of(server)}
            taken = {
                name: {run for run, process in process_ids.items() if process in before | processes_of(workers[name])}
                for name, before in processes.items()
            }
            yield Site(host, emulator, server, export, lake, written, taken, lost)


def test_the_days_spread_over_all_workers(site: Site) -> None:
    assert all(site.taken[name] for name in WORKERS), site.taken
    # every run of a day was on a worker, none on the host of the code server
    assert set().union(*site.taken.values()) == set(status_of(site.server))


def failed_runs(site: Site) -> set[str]:
    return {run for run, status in status_of(site.server).items() if status == "FAILURE"}


def test_only_runs_that_the_monitoring_ended_failed_those_of_the_killed_worker_included(site: Site) -> None:
    assert site.lost
    assert failed_runs(site) >= site.lost
    # on a busy machine a run of a living worker may take longer than the maximum of this test as well
    ended = re.compile("exceeding maximum runtime of|timed out due to taking longer than")
    failed = {run: messages_of(site.server, run) for run in failed_runs(site)}
    assert {run: messages for run, messages in failed.items() if not ended.search(messages)} == {}


def test_no_day_is_behind_and_only_a_day_of_a_failed_run_may_lack_a_successful_one(site: Site) -> None:
    # a run that is killed after its last commit has left nothing to do, so nothing is requested again
    unfinished = {day.isoformat() for day in site.written.days} - days_done(site.server)
    ended = failed_runs(site)
    assert unfinished <= {run["tags"]["dagster/partition"] for run in site.server.runs() if run["runId"] in ended}
    assert matches_truth(site.lake, site.export, site.written)


def test_the_tables_are_exact_after_the_kill(site: Site, tmp_path: Path) -> None:
    assert_exact(site.lake, site.export, site.written, tmp_path)


def test_no_file_of_the_host_contains_a_key_or_password(site: Site) -> None:
    urls = [value for value in site.host.dagster.values() if "@" in value]
    secrets = {url.split("@")[0].split(":")[-1] for url in urls} | {site.host.dagster["COMPUTE_LOGS_KEY"]}
    assert len(secrets) == 3, "passwords of PostgreSQL and Redis, and the key of the emulator's account"
    assert site.host.dagster["COMPUTE_LOGS_KEY"] in site.host.settings["AZURE_STORAGE_CONNECTION_STRING"]
    for file in site.host.folder.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert [secret for secret in secrets if secret.encode() in content] == [], file


def test_what_a_run_prints_is_in_the_container(site: Site) -> None:
    with site.logs.service() as service:
        names = [blob.name for blob in service.get_container_client(LOG_CONTAINER).list_blobs()]
    printed = {run for run in status_of(site.server) if any(run in name for name in names)}
    # of a run that was ended, what it printed since the last upload is lost
    assert printed >= set(status_of(site.server)) - failed_runs(site)
