import os
import socket
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient
from hypothesis import given
from hypothesis import strategies as st

from defender_assets_tests.support.emulator import Emulator, EmulatorError, azurite_command, run_emulator
from defender_assets_tests.support.waiting import HANG_SECONDS


@pytest.mark.azure
def test_an_append_blob_grows_and_reads_back(account: Emulator) -> None:
    with account.service() as service:
        container = service.create_container("grows")
        blob = container.get_blob_client("y=2026/PT1H.json")
        blob.create_append_blob()
        blob.append_block(b"one\r\n")
        created = blob.get_blob_properties().creation_time
        blob.append_block(b"two\r\n")

        assert blob.download_blob().readall() == b"one\r\ntwo\r\n"
        assert blob.download_blob(offset=5, length=5).readall() == b"two\r\n"
        assert blob.get_blob_properties().creation_time == created


@pytest.mark.azure
@pytest.mark.parametrize("container", ["first", "second"])
def test_each_test_gets_an_empty_account(account: Emulator, container: str) -> None:
    with account.service() as service:
        assert list(service.list_containers()) == []
        service.create_container(container)


@pytest.mark.azure
def test_a_sas_grants_its_permissions_and_no_others(account: Emulator) -> None:
    with account.service() as service:
        service.create_container("guarded")

    with BlobServiceClient.from_connection_string(account.sas_connection_string("rl")) as reader:
        assert [container.name for container in reader.list_containers()] == ["guarded"]
        with pytest.raises(HttpResponseError) as refused:
            reader.delete_container("guarded")
    assert refused.value.status_code == 403


@pytest.mark.azure
def test_nothing_listens_after_the_end_of_the_emulator() -> None:
    with run_emulator() as running, socket.create_connection(("127.0.0.1", running.port), timeout=HANG_SECONDS):
        pass

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", running.port), timeout=HANG_SECONDS)


def test_a_missing_emulator_is_an_error_that_names_the_fix(tmp_path: Path) -> None:
    with pytest.raises(EmulatorError, match="make setup"):
        azurite_command({"DEFENDER_TEST_AZURITE": str(tmp_path / "absent")})


def test_an_emulator_that_ends_at_once_is_an_error_that_shows_its_words(tmp_path: Path) -> None:
    script = tmp_path / "broken.js"
    script.write_text("console.error('no memory left'); process.exit(3)")

    with (
        pytest.raises(EmulatorError, match=r"code 3:\nno memory left"),
        run_emulator({**os.environ, "DEFENDER_TEST_AZURITE": str(script)}),
    ):
        pass


def test_the_emulators_key_is_not_in_its_repr() -> None:
    assert "c2VjcmV0" not in repr(Emulator(port=1, account_key="c2VjcmV0"))


@given(st.text())
def test_properties_run_in_isolation_too(text: str) -> None:
    assert not [name for name in os.environ if name.startswith("DEFENDER_")]
