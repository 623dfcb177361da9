import json
from pathlib import Path

import pytest

from defender_assets.core.export import Blob, DirectoryExport
from defender_assets.core.schemas import TABLES
from defender_assets_tests.cli.conftest import Run
from defender_assets_tests.support.days import today
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.exports import Folder, blob_path, records

SMALL = ("--days", "1", "--devices", "4", "--tenants", "1", "--start", "2026-11-01", "--alerts-per-day", "2")


def files_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*.json"))}


def test_an_export_in_a_directory_with_its_ground_truth(run: Run, tmp_path: Path) -> None:
    result = run("simulate", "--out", "export", *SMALL)

    assert result.exit_code == 0
    assert "export/ground_truth.json" in result.stdout
    truth = json.loads((tmp_path / "export" / "ground_truth.json").read_bytes())
    assert DirectoryExport(tmp_path / "export").containers() == sorted(table.container for table in TABLES)
    assert truth["scenario"]["devices"] == 4
    assert f"{sum(truth['alerts'].values())} alerts" in result.stdout


def test_the_same_command_writes_nothing_and_more_days_only_append(run: Run, tmp_path: Path) -> None:
    run("simulate", "--out", "export", *SMALL, "--truth", "truth.json")
    first = files_of(tmp_path / "export")

    again = run("simulate", "--out", "export", *SMALL, "--truth", "truth.json")
    more = run("simulate", "--out", "export", *SMALL, "--days", "2", "--truth", "truth.json")

    assert "; 0 new bytes" in again.stdout
    assert more.exit_code == 0
    second = files_of(tmp_path / "export")
    assert len(second) > len(first)
    assert all(second[name].startswith(content) for name, content in first.items())


def test_another_tenants_export_is_not_mixed_with_made_up_alerts(run: Run, tmp_path: Path) -> None:
    Folder(tmp_path / "export").append(TABLES[0], blob_path(), records(TABLES[0], 0, 1))

    result = run("simulate", "--out", "export", *SMALL)

    assert result.exit_code == 2
    assert "made-up alerts do not belong beside it" in result.stderr
    assert len(files_of(tmp_path / "export")) == 1


def test_other_options_are_not_written_over_an_export(run: Run) -> None:
    run("simulate", "--out", "export", *SMALL)

    result = run("simulate", "--out", "export", *SMALL, "--devices", "5")

    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")


def test_nothing_of_the_future_is_written(run: Run, tmp_path: Path) -> None:
    clean = ("--bad-lines", "0", "--no-faults")
    run("simulate", "--out", "export", *SMALL, "--days", "1000", *clean, "--start", str(today()))

    export = DirectoryExport(tmp_path / "export")
    entries = [entry for table in TABLES for entry in export.all_entries(table.container)]
    days = {entry.day for entry in entries if isinstance(entry, Blob)}
    assert set(days) <= {today()}


@pytest.mark.parametrize(
    "arguments",
    [(), ("--out", "x", "--azure"), ("--out", "x", "--devices", "1"), ("--out", "x", "--days", "0")],
)
def test_options_that_cannot_be_simulated_are_refused(run: Run, arguments: tuple[str, ...]) -> None:
    assert run("simulate", *arguments).exit_code == 2


@pytest.mark.parametrize("settings", [{}, {"AZURE_STORAGE_ACCOUNT_URL": "https://acme.blob.core.windows.net"}])
def test_azure_needs_a_connection_string(run: Run, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    result = run("simulate", "--azure", *SMALL)

    assert result.exit_code == 2
    assert "AZURE_STORAGE_CONNECTION_STRING" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.azure
def test_append_blobs_in_the_account_hold_the_bytes_of_the_directory(
    account: Emulator, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", account.connection_string)

    result = run("simulate", "--azure", *SMALL, "--truth", "truth.json")
    run("simulate", "--out", "export", *SMALL, "--truth", "other.json")

    assert result.exit_code == 0
    assert (tmp_path / "truth.json").read_bytes() == (tmp_path / "other.json").read_bytes()
    written = {}
    with account.service() as service:
        for container in service.list_containers():
            client = service.get_container_client(container.name)
            for blob in client.list_blobs():
                written[f"{container.name}/{blob.name}"] = client.download_blob(blob.name).readall()
    assert written == files_of(tmp_path / "export")


@pytest.mark.azure
def test_a_sas_that_may_not_write_is_one_line(account: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", account.sas_connection_string("rl"))

    result = run("simulate", "--azure", *SMALL)

    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "permission denied" in result.stderr
    assert "the SAS lacks write" in result.stderr
    assert "make a SAS with rwdlac" in result.stderr


def test_a_realistic_tenant_has_its_attacks_in_the_ground_truth(run: Run, tmp_path: Path) -> None:
    options = ("--start", "2026-11-01", "--tenants", "1", "--devices", "4")
    result = run("simulate", "--out", "export", *options, "--days", "3", "--world", "mixed", "--alerts-per-day", "4")

    assert result.exit_code == 0
    truth = json.loads((tmp_path / "export" / "ground_truth.json").read_bytes())
    assert {each["campaign_id"].rpartition("-1-")[0] for each in truth["campaigns"]} == {"campaign", "slow"}


def test_a_world_that_does_not_exist_is_named_with_the_right_ones(run: Run) -> None:
    result = run("simulate", "--out", "export", "--world", "calm")

    assert result.exit_code == 2
    assert "world is calm: it must be one of campaigns, bursts, slow" in result.stderr
