"""Assembling the definitions; loading them reads only the settings."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from defender_assets.core.errors import SettingsError
from defender_assets.definitions import build_defs
from defender_assets.settings import DEMO, DEMO_SCENARIO, READING_DEMO, load_settings
from defender_assets_tests.support.dagster_project import DagsterProject, metadata_of
from defender_assets_tests.support.days import yesterday
from defender_assets_tests.support.waiting import HANG_SECONDS

BROKEN = {"DEFENDER_START_DATE": "no day at all", "AZURE_STORAGE_CONNECTION_STRING": "AccountKey=c2VjcmV0"}


ACCOUNT_URL = "https://acc.blob.core.windows.net"
NEEDED_BY_SOME = {
    "azure",
    "duckdb",
    "jinja2",
    "llvmlite",
    "mcp",
    "msal",
    "numba",
    "numpy",
    "requests",
    "rich",
    "tomlkit",
}


def python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_SECONDS,
    )


def test_the_definitions_can_be_loaded(project: DagsterProject) -> None:
    dg.Definitions.validate_loadable(project.definitions())


def test_definitions_can_be_loaded_with_every_kind_of_settings() -> None:
    key = "AccountName=acc;AccountKey=a2V5"
    for environ in (
        {},
        {"AZURE_STORAGE_CONNECTION_STRING": key, "DEFENDER_LAKE_URI": "az://lake/tables"},
        {"AZURE_STORAGE_ACCOUNT_URL": "https://acc.blob.core.windows.net"},
        {"DEFENDER_LAKE_URI": "abfss://lake@acc.dfs.core.windows.net/tables"},
    ):
        dg.Definitions.validate_loadable(build_defs(load_settings(environ)))


@pytest.mark.parametrize(("environ", "seconds"), [({}, 10), ({"DEFENDER_SENSOR_SECONDS": "30"}, 30)])
def test_the_setting_decides_how_often_the_sensor_ticks(environ: dict[str, str], seconds: int) -> None:
    sensor = build_defs(load_settings(environ)).resolve_sensor_def("new_blobs_sensor")
    assert sensor.minimum_interval_seconds == seconds


def test_importing_the_definitions_reads_no_environment() -> None:
    code = "import defender_assets.definitions as d; print(type(d.defs).__name__)"
    done = python(code, **BROKEN)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == "LazyDefinitions"


@pytest.mark.parametrize(
    ("environ", "loaded"), [({}, []), ({"AZURE_STORAGE_ACCOUNT_URL": ACCOUNT_URL}, ["azure", "requests"])]
)
def test_loading_the_definitions_imports_no_library_that_only_some_runs_need(
    environ: dict[str, str], loaded: list[str]
) -> None:
    code = (
        "import gc, sys, defender_assets.definitions as d; d.defs().get_repository_def(); "
        f"print(*sorted({{name.partition('.')[0] for name in sys.modules}} & {NEEDED_BY_SOME!r}), gc.isenabled(), "
        "'azure.identity' in sys.modules)"
    )
    assert python(code, **environ).stdout.split() == [*loaded, "True", "False"]


def test_loading_names_the_wrong_setting_without_secrets() -> None:
    done = python("import defender_assets.definitions as d; d.defs()", **BROKEN)
    assert done.returncode == 1
    assert "SettingsError: AZURE_STORAGE_CONNECTION_STRING holds neither AccountName nor BlobEndpoint" in done.stderr
    assert "c2VjcmV0" not in done.stderr


def test_the_settings_are_those_of_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DEFENDER_LOOKBACK_DAYS=many")
    with pytest.raises(SettingsError, match="DEFENDER_LOOKBACK_DAYS is 'many'"):
        build_defs(load_settings())


def test_loading_them_says_once_that_the_demo_is_read_and_which_variable_is_no_setting(tmp_path: Path) -> None:
    (tmp_path / DEMO).mkdir(parents=True)
    (tmp_path / DEMO_SCENARIO).write_text('{"start": "2026-11-01"}')
    logged = "import logging; logging.basicConfig(level=logging.INFO); "
    done = python(f"{logged}import defender_assets.definitions as d; d.defs(); d.defs()", DEFENDER_START_DAY="a_value")
    assert done.returncode == 0, done.stderr
    demo, unknown = done.stderr.splitlines()
    assert demo == f"INFO:dagster.builtin:{READING_DEMO}"
    assert unknown.startswith("WARNING:dagster.builtin:DEFENDER_START_DAY (environment) is no setting")
    assert "DEFENDER_START_DATE" in unknown
    assert "a_value" not in done.stderr


def test_resources_can_be_replaced(project: DagsterProject, tmp_path: Path) -> None:
    project.put(yesterday())
    replaced = project.with_resources(lake=project.settings.__class__(lake_uri=str(tmp_path / "other")).lake())
    result = replaced.run(yesterday())
    assert result.success
    assert metadata_of(result, "device_enriched_leads")["dagster/partition_row_count"] == 2
    assert (tmp_path / "other" / "device_enriched_leads" / "_delta_log").is_dir()
    assert not (tmp_path / "lake").exists()
