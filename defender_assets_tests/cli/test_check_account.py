import re
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.pipeline.transport import HttpTransport

from defender_assets.core.export.azure import AzureExport
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO
from defender_assets_tests.cli.conftest import Run, checked
from defender_assets_tests.support.days import today
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.exports import OTHER_TENANT, TENANT, blob_path, records

pytestmark = pytest.mark.azure

OTHER_KEY = "b3RoZXIta2V5LW9mLW5vLWFjY291bnQtYXQtYWxs"


@pytest.fixture
def filled(account: Emulator) -> Emulator:
    """The account with an export of one container, an append blob as Microsoft writes it."""
    with account.service() as service:
        container = service.create_container(ALERT_INFO.container)
        blob = container.get_blob_client(blob_path(day=today()))
        blob.create_append_blob()
        blob.append_block(records(ALERT_INFO, 0, 5))
    return account


def use(monkeypatch: pytest.MonkeyPatch, connection_string: str, **settings: str) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection_string)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("auth_method", ["key", "sas"])
def test_the_right_credentials(filled: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch, auth_method: str) -> None:
    use(monkeypatch, filled.connection_string if auth_method == "key" else filled.sas_connection_string("rl"))

    found = checked(run, 0, filled.account_key, "sig=")

    containers = {each["container"]: each for each in found["export"]["containers"]}
    assert containers[ALERT_INFO.container]["sample"]["good"] == 5
    assert containers[DEVICE_INFO.container]["exists"] is False
    assert found["settings"][0]["name"] == "AZURE_STORAGE_CONNECTION_STRING"


def test_an_account_without_containers_is_merely_empty(
    account: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, account.connection_string)

    found = checked(run, 0)

    assert [each["exists"] for each in found["export"]["containers"]] == [False, False, False]
    assert sum("Streaming API" in note for note in found["notes"]) == 1
    (advice,) = [note for note in found["notes"] if "24 hours" in note]
    assert "Microsoft.Insights" in advice
    assert "trusted Microsoft services" in advice


def test_a_wrong_key_is_one_line(filled: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, filled.connection_string.replace(filled.account_key, OTHER_KEY))

    found = checked(run, 2, OTHER_KEY, filled.account_key)

    assert len(found["errors"]) == 1
    assert "key is refused" in found["errors"][0]
    assert not found["export"]["reachable"]
    assert found["lake"]["writable"]


def test_a_sas_that_may_not_list_is_one_line(filled: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, filled.sas_connection_string("r"))

    found = checked(run, 2, "sig=")

    assert "permission denied" in found["errors"][0]


def test_a_sas_that_may_not_read_is_one_line(filled: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, filled.sas_connection_string("l"))

    assert "permission denied" in checked(run, 2, "sig=")["errors"][0]


def test_an_expired_sas_is_one_line(filled: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, filled.sas_connection_string("rl", timedelta(hours=-1)))

    assert "the SAS expired on 20" in checked(run, 2, "sig=")["errors"][0]


def test_a_sas_that_expires_soon_or_allows_too_much_is_reported(
    filled: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, filled.sas_connection_string("rwdl", timedelta(days=2)))

    found = checked(run, 1, "sig=")

    assert any("the SAS ends on 20" in line for line in found["attention"])
    assert any("more than is needed (delete, write)" in line for line in found["notes"])


def test_a_wrong_clock_is_reported(filled: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, filled.connection_string)
    assert abs(checked(run, 0)["export"]["clock_ahead_seconds"]) < 60

    monkeypatch.setattr(AzureExport, "service_time", lambda *_: datetime.now(UTC) - timedelta(minutes=10))

    assert any(re.search(r"\b6\d\d seconds ahead", line) for line in checked(run, 1)["attention"])


def test_a_start_long_before_the_first_blob_is_reported(
    filled: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for start, noted in ((today() - timedelta(days=31), True), (today() - timedelta(days=30), False)):
        use(monkeypatch, filled.connection_string, DEFENDER_START_DATE=start.isoformat())
        assert any(f"DEFENDER_START_DATE={today()} hides them" in note for note in checked(run, 0)["notes"]) == noted


def test_an_account_that_receives_nothing_any_more_needs_attention(
    filled: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with filled.service() as service:
        service.create_container(DEVICE_INFO.container)
        blob = service.get_blob_client(DEVICE_INFO.container, blob_path(today()))
        blob.create_append_blob()
        blob.append_block(records(DEVICE_INFO, 0, 1))
    use(monkeypatch, filled.connection_string)

    assert any("is the export still on" in line for line in checked(run, 1)["attention"])


def test_two_tenants_are_named(filled: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with filled.service() as service:
        blob = service.get_blob_client(ALERT_INFO.container, blob_path(today(), tenant=OTHER_TENANT))
        blob.create_append_blob()
        blob.append_block(records(ALERT_INFO, 0, 1, tenant=OTHER_TENANT))
    use(monkeypatch, filled.connection_string)

    assert checked(run, 0)["export"]["tenants"] == sorted([TENANT, OTHER_TENANT])


def test_no_such_account_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch, closed_port: int) -> None:
    # between the SDK's tries
    monkeypatch.setattr(HttpTransport, "sleep", lambda *_: None)
    address = f"http://127.0.0.1:{closed_port}/acme"
    use(monkeypatch, f"AccountName=acme;AccountKey={OTHER_KEY};BlobEndpoint={address}")

    found = checked(run, 2, OTHER_KEY)

    assert "nothing listens there; is the emulator running?" in found["errors"][0]


def test_a_lake_in_the_account_is_tried_and_left_unchanged(
    filled: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, filled.connection_string, DEFENDER_LAKE_URI="az://lake/tables")

    found = checked(run, 0, filled.account_key)

    assert found["lake"]["writable"]
    with filled.service() as service:
        assert list(service.get_container_client("lake").list_blobs()) == []


def test_a_lake_that_may_only_be_read_is_one_line(filled: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, filled.sas_connection_string("rl"), DEFENDER_LAKE_URI="az://lake/tables")

    found = checked(run, 2, "sig=")

    assert found["export"]["reachable"]
    assert not found["lake"]["writable"]
    (error,) = found["errors"]
    assert "the SAS lacks write, delete, add, create: make a SAS with rwdlac" in error


def test_a_lake_with_a_wrong_key_is_explained(filled: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = filled.connection_string.replace(filled.account_key, OTHER_KEY)
    use(monkeypatch, filled.connection_string, DEFENDER_LAKE_URI="az://lake", DEFENDER_LAKE_CONNECTION_STRING=wrong)

    (error,) = checked(run, 2, OTHER_KEY)["errors"]

    assert "the key is refused" in error
    assert "Kernel" not in error


def test_a_proxy_of_the_environment_does_not_hide_the_emulator(
    filled: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    use(monkeypatch, filled.connection_string, HTTP_PROXY=f"http://127.0.0.1:{closed_port}")

    assert checked(run, 0)["export"]["reachable"]


def test_leads_of_an_empty_lake_in_the_account(filled: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, filled.connection_string, DEFENDER_LAKE_URI="az://lake/tables")

    result = run("leads")

    assert result.exit_code == 3
    assert "Nothing was materialized yet" in result.stdout
    assert "from .env in the working directory." in result.stdout


def test_leads_of_a_lake_with_a_wrong_key_are_one_line(
    filled: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = filled.connection_string.replace(filled.account_key, OTHER_KEY)
    use(monkeypatch, wrong, DEFENDER_LAKE_URI="az://lake/tables")

    result = run("leads")

    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert OTHER_KEY not in result.output
