"""Dagster's event log on SQLite with the database of all runs kept open: the same files, events and live logs."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log.sqlite import sqlite_event_log

from defender_assets import event_log
from defender_assets.cli.dagster_home import prepare_home
from defender_assets.event_log import OpenEventLog
from defender_assets_tests.support.waiting import wait_until

KEY = dg.AssetKey("counted")


@dg.asset(name="counted")
def counted(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    context.log.info("counting")
    return dg.MaterializeResult(metadata={"count": 1}, tags={"mark": "1"})


@contextmanager
def ours(home: Path) -> Iterator[dg.DagsterInstance]:
    """The instance of the package's dagster.yaml."""
    with dg.DagsterInstance.from_config(str(prepare_home(home))) as instance:
        assert isinstance(instance.event_log_storage, OpenEventLog)
        yield instance


@contextmanager
def dagsters(home: Path) -> Iterator[dg.DagsterInstance]:
    """The instance of a dagster.yaml without a storage, as an older version wrote it."""
    home.mkdir(exist_ok=True)
    (home / "older.yaml").write_text("telemetry: {enabled: false}\n")
    with dg.DagsterInstance.from_config(str(home), "older.yaml") as instance:
        assert not isinstance(instance.event_log_storage, OpenEventLog)
        yield instance


def run(instance: dg.DagsterInstance) -> str:
    return dg.materialize([counted], instance=instance).run_id


def runs_of(instance: dg.DagsterInstance) -> list[str]:
    """The runs that materialized the asset, the newest first."""
    return [record.run_id for record in instance.fetch_materializations(KEY, limit=100).records]


def event_types(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    return [record.event_log_entry.dagster_event_type or "" for record in instance.get_records_for_run(run_id).records]


def test_the_history_of_dagsters_own_storage_goes_on_and_back(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with dagsters(home) as before:
        first = run(before)
    with ours(home) as now:
        second = run(now)
        assert runs_of(now) == [second, first]
        assert event_types(now, second) == event_types(now, first)
    with dagsters(home) as after:
        assert runs_of(after) == [second, first]
        latest = after.get_latest_materialization_event(KEY)
        assert latest is not None
        assert latest.run_id == second


def test_a_temporary_instance_has_its_own_log(tmp_path: Path) -> None:
    config, elsewhere = prepare_home(tmp_path / "config"), tmp_path / "temporary"
    elsewhere.mkdir()
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(elsewhere), config_dir=str(config))) as instance:
        run(instance)
    assert (elsewhere / "history" / "runs" / "index.db").exists()
    assert not (config / "history").exists()


def test_a_run_keeps_the_database_of_all_runs_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    class Counted(sqlite3.Connection):
        def __init__(self, database: str, *arguments: Any, **options: Any) -> None:
            opened.append(Path(database).name)
            super().__init__(database, *arguments, **options)

    def connect(*given: Any, **options: Any) -> sqlite3.Connection:
        return plain_connect(*given, factory=Counted, **options)

    plain_connect = sqlite3.connect
    monkeypatch.setattr(sqlite3.dbapi2, "connect", connect)
    counts = []
    for instance_of in (ours, dagsters):
        with instance_of(tmp_path / instance_of.__name__) as instance:
            run(instance)
            opened.clear()
            run(instance)
            counts.append(opened.count("index.db"))
    # one for each asset with tags, to ask for the table of tags
    assert 2 * counts[0] < counts[1]


def test_another_process_sees_the_events_of_a_run_when_they_happen(tmp_path: Path) -> None:
    seen: list[str] = []
    with ours(tmp_path / "home") as worker, ours(tmp_path / "home") as web_server:
        job = dg.Definitions(assets=[counted], jobs=[dg.define_asset_job("count")]).resolve_job_def("count")
        created = worker.create_run_for_job(job)
        web_server.watch_event_logs(created.run_id, None, lambda entry, _: seen.append(entry.message))
        worker.report_engine_event("first", created)
        wait_until(lambda: "first" in seen, "the first event")
        worker.report_engine_event("second", created)
        wait_until(lambda: "second" in seen, "the second event")


def test_threads_and_other_processes_write_at_the_same_time(tmp_path: Path) -> None:
    home = tmp_path / "home"

    def report(instance: dg.DagsterInstance, number: int) -> None:
        instance.report_runless_asset_event(dg.AssetMaterialization(KEY, metadata={"number": number}))

    with ours(home) as one, ours(home) as two, dagsters(home) as third, ThreadPoolExecutor(6) as pool:
        instances = (one, two, third)
        list(pool.map(lambda number: report(instances[number % 3], number), range(30)))
        for instance in instances:
            records = instance.fetch_materializations(KEY, limit=100).records
            found = [record.asset_materialization for record in records]
            numbers: list[Any] = [each.metadata["number"].value for each in found if each]
            assert sorted(numbers) == list(range(30))


def test_a_log_that_was_wiped_goes_on(tmp_path: Path) -> None:
    with ours(tmp_path / "home") as instance:
        wiped = run(instance)
        instance.wipe()
        assert event_types(instance, wiped) == []
        assert runs_of(instance) == []
        second = run(instance)
        assert runs_of(instance) == [second]


def test_a_process_reads_more_runs_than_it_remembers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "MOST_ENGINES", 2)
    with ours(tmp_path / "home") as instance:
        shown = [run(instance) for _ in range(3)]
        assert event_types(instance, shown[0]) == event_types(instance, shown[2])
        assert runs_of(instance) == shown[::-1]


def test_a_process_that_finds_its_databases_loads_no_version_of_the_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ours(tmp_path / "home") as instance:
        first = run(instance)
    with ours(tmp_path / "home") as instance:
        monkeypatch.setattr(sqlite_event_log, "check_alembic_revision", refuse)
        assert runs_of(instance) == [first]
        assert event_types(instance, first)


def refuse(*_: object) -> NoReturn:
    raise AssertionError
