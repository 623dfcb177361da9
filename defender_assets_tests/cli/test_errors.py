import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from defender_assets.cli.errors import Commands
from defender_assets.cli.output import prepare_streams
from defender_assets_tests.cli.conftest import AN_ID, Run
from defender_assets_tests.support.exports import local_lake
from defender_assets_tests.support.triaged_leads import lead, put_leads
from defender_assets_tests.support.unprivileged import unprivileged_folder

KEY = "c2VjcmV0LWtleS1vZi10aGUtYWNjb3VudA=="
ACCOUNT = f"DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={KEY};EndpointSuffix=core.windows.net"

WRONG = [
    ({"DEFENDER_START_DATE": "yesterday"}, "DEFENDER_START_DATE"),
    ({"DEFENDER_LOOKBACK_DAYS": "-1"}, "DEFENDER_LOOKBACK_DAYS"),
    ({"AZURE_STORAGE_CONNECTION_STRING": KEY}, "AZURE_STORAGE_CONNECTION_STRING"),
    ({"AZURE_STORAGE_CONNECTION_STRING": ACCOUNT, "DEFENDER_EXPORT_DIR": "export"}, "keep one of them"),
    ({"AZURE_STORAGE_ACCOUNT_URL": "http://acme.blob.core.windows.net"}, "plain http"),
    ({"DEFENDER_LAKE_URI": "s3://bucket/lake"}, "DEFENDER_LAKE_URI"),
    ({"DEFENDER_EXPORT_DIR": "https://acme.blob.core.windows.net"}, "DEFENDER_EXPORT_DIR"),
]


@pytest.mark.parametrize("command", ["check", "leads", "stories", "quarantine"])
@pytest.mark.parametrize(("settings", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_wrong_setting_is_one_line_without_a_secret(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str, settings: dict[str, str], message: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    result = run(command)

    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert KEY not in result.output


def test_a_bug_keeps_its_traceback_without_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", ACCOUNT)

    @click.group(cls=Commands)
    def group() -> None:
        pass

    @group.command()
    def broken() -> None:
        raise RuntimeError(f"refused {KEY}\x1b[31m and https://acme.blob.core.windows.net/c?sig=abc%2Fdef")

    result = CliRunner().invoke(group, ["broken"])

    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "RuntimeError: refused ***" in result.stderr
    for secret in (KEY, "abc%2Fdef", "\x1b"):
        assert secret not in result.stderr


def test_a_lake_that_cannot_be_read_is_one_line(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("DEFENDER_LAKE_URI", str(tmp_path / "file" / "lake"))

    result = run("check")

    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "cannot" in result.stderr


@pytest.mark.parametrize("arguments", [["leads", "--day", "01.02.2026"], ["leads", "--format", "xml"], ["unknown"]])
def test_a_wrong_argument_is_reported_with_the_usage(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)

    assert result.exit_code == 2
    assert "Usage:" in result.stderr


def test_help_loads_nothing_heavy_and_no_command() -> None:
    script = (
        "import sys; from click.testing import CliRunner; from defender_assets.cli import main; "
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0; "
        "needless = {'dagster', 'polars', 'deltalake', 'azure', 'defender_assets.cli.leads'}; "
        "print(sorted(needless & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_no_identity_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_URL", "https://acme.blob.core.windows.net")
    monkeypatch.setenv("DEFENDER_LAKE_URI", "az://lake/tables")
    # these credentials need neither the network nor another program, and none are set
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")

    result = run("leads")

    assert result.exit_code == 2
    assert "no Entra identity found" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", [["leads"], ["simulate", "--azure"], ["check"], ["init"]])
def test_every_command_names_a_variable_that_is_no_setting_in_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("DEFENDER_LAKE_URL", KEY)

    result = run(*command)

    assert result.stderr.splitlines()[0] == (
        "warning: DEFENDER_LAKE_URL (environment) is no setting and has no effect: the nearest one is DEFENDER_LAKE_URI"
    )
    assert result.stderr.count("DEFENDER_LAKE_URL") == 1
    assert KEY not in result.output


@pytest.mark.parametrize("closed", ["stdin", "stdout", "stderr"])
def test_a_stream_that_the_caller_has_closed_is_an_empty_one(closed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, closed, None)

    prepare_streams()

    with getattr(sys, closed) as stream:
        assert stream.name == os.devnull
        assert stream.read() == "" if closed == "stdin" else stream.write("lost")


def test_what_a_user_may_not_read_is_named_with_the_permission_that_is_missing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # modules are loaded before: below, this process may not read where they are
    for command in (("leads",), ("sql", "SELECT * FROM leads"), ("check",)):
        run(*command)
    with unprivileged_folder() as folder:
        lake = local_lake(folder / "lake")
        put_leads(lake, lead(AN_ID))
        (folder / ".env").write_text("")
        monkeypatch.chdir(folder)
        monkeypatch.setenv("DEFENDER_LAKE_URI", lake.uri)
        table = folder / "lake" / "device_enriched_leads"
        (file,) = table.glob("export_date=*/*.parquet")
        for hidden in (folder / "lake", table, table / "_delta_log", file.parent, file, folder / ".env"):
            mode = hidden.stat().st_mode
            hidden.chmod(0)
            for command in (("leads",), ("sql", "SELECT * FROM leads")):
                result = run(*command)
                assert result.exit_code == 2
                (line,) = result.stderr.splitlines()
                assert "Permission denied" in line, hidden
                assert "give this user read permission" in line, hidden
            hidden.chmod(mode)
        assert run("leads").exit_code == 0
