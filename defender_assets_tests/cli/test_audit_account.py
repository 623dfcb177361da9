"""`audit` against the emulator's account: export and lake in Azure, and no secret in what it prints or writes."""

from pathlib import Path

import pytest

from defender_assets.cli.audit import DIFFERENCE
from defender_assets.cli.errors import CliError
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import DEVICE_INFO
from defender_assets.core.tables.build import build_table_day
from defender_assets.settings import load_settings
from defender_assets_tests.cli.conftest import Run
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.exports import DAY, blob_path, records

pytestmark = pytest.mark.azure


def test_an_account_is_audited_and_its_key_is_nowhere(
    account: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def audited(exit_code: int, *arguments: str) -> str:
        result = run("audit", *arguments)
        assert result.exit_code == exit_code, result.output
        assert account.account_key not in result.output
        return result.output

    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", account.connection_string)
    monkeypatch.setenv("DEFENDER_LAKE_URI", "az://lake/tables")
    settings = load_settings()
    with account.service() as service:
        container = service.create_container(DEVICE_INFO.container)
        blob = container.get_blob_client(blob_path())
        blob.create_append_blob()
        blob.append_block(records(DEVICE_INFO, 0, 2))
        ingest(settings.lake(), settings.export(), DEVICE_INFO, DAY)
        build_table_day(settings.lake(), DEVICE_INFO, DAY)
        blob.append_block(b"a tail")
        out = tmp_path / "certificate.json"
        assert "6 bytes pending" in audited(0, "--out", str(out))
        assert account.account_key not in out.read_text()
        audited(0, "--verify", str(out))
        audited(0, "--verify", str(out), "--against", "export")
        # a recreated blob is another generation, which raw has not read
        blob.delete_blob()
        blob.create_append_blob()
        blob.append_block(records(DEVICE_INFO, 5, 2))
        assert blob_path() in audited(DIFFERENCE, "--verify", str(out), "--against", "export")
    account.clear()
    audited(0)
    monkeypatch.setenv(
        "AZURE_STORAGE_CONNECTION_STRING", account.connection_string.replace(account.account_key, "a2V5")
    )
    refused = run("audit")
    assert refused.exit_code == CliError.exit_code
    assert "a2V5" not in refused.output
