"""What a run prints on one host is read on another, through the container that deploy/ configures."""

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest
import yaml  # type: ignore[import-untyped]  # Dagster brings it, without its types
from dagster._core.instance.ref import configurable_class_data

from defender_assets_tests.integration.live.processes import REPOSITORY, Installation, web_server
from defender_assets_tests.integration.scale.hosts import (
    DEPLOY,
    LOG_CONTAINER,
    SEVERAL_HOSTS,
    emulated_logs,
    log_variables,
)
from defender_assets_tests.support.emulator import Emulator, run_emulator
from defender_assets_tests.support.waiting import HANG_SECONDS

pytestmark = pytest.mark.scale

KEY = "c2VjcmV0LWtleS1vZi1ubyBhY2NvdW50"
PRINTED = "ended days without blobs"
VALUES = DEPLOY / "kubernetes" / "values.yaml"


@dataclass(frozen=True)
class LoggingHost(Installation):
    """A host with temporary files of its own; `dagster` is the folder of runs that all hosts share."""

    dagster: Path = field(kw_only=True)

    @property
    def home(self) -> Path:
        return self.dagster

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "TMPDIR": str(self.folder)}

    def sweep(self) -> str:
        """Run the sweep, and return what it printed on this host's terminal."""
        process = self.start("run", "dagster", "job", "execute", "-m", self.definitions, "-j", "sweep_older_days")
        assert process.wait(HANG_SECONDS) == 0, self.log_tails()
        return (self.folder / "run.log").read_text()


@dataclass(frozen=True)
class Hosts:
    worker: LoggingHost
    central: LoggingHost
    key: str


def hosts(folder: Path, account: str, key: str, endpoint: str) -> Hosts:
    home = folder / "dagster"
    home.mkdir()
    (folder / "export").mkdir()
    section = yaml.safe_load((SEVERAL_HOSTS / "dagster.yaml").read_text())["compute_logs"]
    ours = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())
    (home / "dagster.yaml").write_text(yaml.safe_dump({**ours, "compute_logs": emulated_logs(section, endpoint)}))
    settings = {
        "DEFENDER_EXPORT_DIR": str(folder / "export"),
        "DEFENDER_LAKE_URI": str(folder / "lake"),
        **log_variables(account, key),
    }
    worker, central = (LoggingHost(folder / name, settings, dagster=home) for name in ("worker", "central"))
    for host in (worker, central):
        host.folder.mkdir()
        (host.folder / "workspace.yaml").write_text((REPOSITORY / "workspace.yaml").read_text())
    return Hosts(worker, central, key)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with run_emulator() as running:
        with running.service() as service:
            service.create_container(LOG_CONTAINER)
        yield running


def test_the_web_server_of_one_host_shows_what_a_run_of_another_one_printed(tmp_path: Path, emulator: Emulator) -> None:
    both = hosts(tmp_path, emulator.account_name, emulator.account_key, emulator.account_url)
    both.worker.sweep()

    with web_server(both.central) as server:
        (run,) = server.runs()
        assert run["status"] == "SUCCESS"
        events = server.graphql(
            f'{{ logsForRun(runId: "{run["runId"]}") {{ ... on EventConnection {{ events {{ __typename '
            "... on MessageEvent { message } ... on LogsCapturedEvent { fileKey } } } } }"
        )["logsForRun"]["events"]
        (captured,) = [event for event in events if event["__typename"] == "LogsCapturedEvent"]
        log_key = json.dumps([run["runId"], "compute_logs", captured["fileKey"]])
        logs = server.graphql(f"{{ capturedLogs(logKey: {log_key}) {{ stdout stderr }} }}")["capturedLogs"]
        place = server.graphql(f"{{ capturedLogsMetadata(logKey: {log_key}) {{ stderrDownloadUrl }} }}")
        shown = server.graphql("{ instance { info } }")["instance"]["info"]

    assert PRINTED in logs["stderr"]
    assert "ADLSComputeLogManager" in shown
    signed = place["capturedLogsMetadata"]["stderrDownloadUrl"]
    with urllib.request.urlopen(signed, timeout=HANG_SECONDS) as response:  # noqa: S310 (the emulator)
        assert PRINTED.encode() in response.read()
    assert both.key not in json.dumps([events, logs, shown, signed])
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or both.key.encode() not in file.read_bytes(), file


def test_an_account_for_logs_that_does_not_answer_fails_no_run(
    tmp_path: Path, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = hosts(tmp_path, "acme", KEY, f"http://127.0.0.1:{closed_port}/acme")

    printed = both.worker.sweep()

    for name, value in both.worker.settings.items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.from_config(str(both.worker.home)) as instance:
        (run,) = instance.get_runs()
        events = [str(entry) for entry in instance.all_logs(run.run_id)]
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert any("Exception while cleaning up compute log capture" in event for event in events)
    assert KEY not in printed + "".join(events)


def test_the_chart_has_the_same_logs_and_all_its_processes_their_key(monkeypatch: pytest.MonkeyPatch) -> None:
    values = yaml.safe_load(VALUES.read_text())
    custom = values["computeLogManager"]["config"]["customComputeLogManager"]
    for name, value in log_variables("acme", KEY).items():
        monkeypatch.setenv(name, value)

    # the chart writes these three into dagster.yaml as they are
    manager = configurable_class_data(custom).rehydrate()

    assert type(manager).__name__ == custom["class"] == "ADLSComputeLogManager"
    assert custom == yaml.safe_load((SEVERAL_HOSTS / "dagster.yaml").read_text())["compute_logs"]
    secret = values["dagsterWebserver"]["envSecrets"]
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    assert values["dagsterDaemon"]["envSecrets"] == secret
    assert all(each in deployment["envSecrets"] for each in secret)
    assert KEY not in VALUES.read_text()
