"""The files of deploy/ agree with the repository's own and with each other. `integration/scale` runs them."""

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # Dagster brings it, without its types

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
OWN = {"storage", "run_launcher", "compute_logs"}
UNITS = sorted(DEPLOY.rglob("*.service"))


def loaded(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


@pytest.mark.parametrize("layout", ["one-host", "several-hosts"])
def test_an_instance_equals_dagster_yaml_except_storage_and_number_of_runs(layout: str) -> None:
    ours, theirs = loaded(ROOT / "dagster.yaml"), loaded(DEPLOY / layout / "dagster.yaml")
    # a storage of its own, for SQLite
    del ours["event_log_storage"]
    assert set(theirs) - set(ours) <= OWN
    for each in (ours, theirs):
        each["concurrency"]["runs"].pop("max_concurrent_runs")
    assert {name: value for name, value in theirs.items() if name not in OWN} == ours


def test_the_chart_values_agree_with_dagster_yaml() -> None:
    ours, values = loaded(ROOT / "dagster.yaml"), loaded(DEPLOY / "kubernetes" / "values.yaml")
    assert (
        values["concurrency"]["runs"]["tagConcurrencyLimits"] == ours["concurrency"]["runs"]["tag_concurrency_limits"]
    )
    for ticks in ("sensor", "schedule"):
        assert values["retention"][ticks]["purgeAfterDays"] == ours["retention"][ticks]["purge_after_days"]
    assert values["pythonLogs"]["managedPythonLoggers"] == ours["python_logs"]["managed_python_loggers"]
    assert values["pythonLogs"]["pythonLogLevel"] == ours["python_logs"]["python_log_level"]
    monitoring, launcher = values["dagsterDaemon"]["runMonitoring"], values["runLauncher"]["config"]["k8sRunLauncher"]
    assert monitoring["enabled"] is ours["run_monitoring"]["enabled"] is True
    assert monitoring["pollIntervalSeconds"] == ours["run_monitoring"]["poll_interval_seconds"]
    longest = launcher["runK8sConfig"]["jobSpecConfig"]["activeDeadlineSeconds"]
    assert longest == ours["run_monitoring"]["max_runtime_seconds"]
    assert values["telemetry"] == ours["telemetry"]
    assert values["additionalInstanceConfig"]["nux"] == ours["nux"]


def test_images_have_the_version_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    (deployment,) = loaded(DEPLOY / "kubernetes" / "values.yaml")["dagster-user-deployments"]["deployments"]
    assert str(deployment["image"]["tag"]) == version
    for name, service in loaded(DEPLOY / "one-host" / "compose.yaml")["services"].items():
        assert name == "postgres" or service["image"] == f"defender-assets:{version}"
    assert f"-t defender-assets:{version}" in (DEPLOY / "Dockerfile").read_text()


def test_a_server_gets_the_tested_versions() -> None:
    def pins(path: Path) -> set[str]:
        return {line.split(" ")[0] for line in path.read_text().splitlines() if "==" in line}

    tested, served = pins(ROOT / "requirements.txt"), pins(DEPLOY / "requirements.txt")
    names = {pin.split("==")[0] for pin in tested}
    assert {pin for pin in served if pin.split("==")[0] in names} <= tested
    assert "://" not in (DEPLOY / "requirements.txt").read_text()


def test_only_processes_that_read_and_write_data_get_the_keys() -> None:
    assert {unit.stem for unit in UNITS if "settings.env" in unit.read_text()} == {"defender-code", "defender-worker"}
    services = loaded(DEPLOY / "one-host" / "compose.yaml")["services"]
    with_keys = {
        name for name, each in services.items() if any("settings" in file for file in each.get("env_file", []))
    }
    assert with_keys == {"code"}


def test_the_web_server_listens_only_on_loopback() -> None:
    unit = (DEPLOY / "one-host" / "defender-webserver.service").read_text()
    assert "--host 127.0.0.1" in unit
    services = loaded(DEPLOY / "one-host" / "compose.yaml")["services"]
    assert {name: each["ports"] for name, each in services.items() if "ports" in each} == {
        "webserver": ["127.0.0.1:3000:3000"]
    }


def test_files_of_deploy_contain_no_secret() -> None:
    for path in [*DEPLOY.rglob("*.yaml"), *DEPLOY.rglob("*.env.example"), *UNITS, DEPLOY / "Dockerfile"]:
        for line in path.read_text().splitlines():
            if "://" in line and "@" in line and not line.startswith("#  docker"):
                assert "CHANGE-ME" in line, f"{path}: {line}"
    ast.parse((DEPLOY / "several-hosts" / "dagster_celery_config.py").read_text())
