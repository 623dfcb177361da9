"""HTTP faults while the account is read, and in a lake in Azure; each ends with the truth."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from defender_assets.core.azure.account import from_connection_string
from defender_assets.core.errors import DefenderAssetsError, ExportError, LakeError
from defender_assets.core.lake.lake import Lake
from defender_assets.core.schemas import ALERT_INFO
from defender_assets_tests.faults.proxy import HttpFault, Proxy
from defender_assets_tests.faults.reading import THREE
from defender_assets_tests.faults.scenario_setup import NEXT_HOUR, ScenarioSetup
from defender_assets_tests.support.exhaustive import some_of

pytestmark = [pytest.mark.azure, pytest.mark.long]


def refusal(status: int, times: int) -> HttpFault:
    return HttpFault("refuse", status, times, headers={"Retry-After": "1"} if status in {429, 503} else {})


# the SDK retries server errors, five attempts in all, but not client errors
STATUSES = {f"a {status}": refusal(status, 1) for status in (409, 412, 416, 429, 500, 503)}
LASTING = {f"9 times a {status}": refusal(status, 9) for status in (500, 503)}
CONNECTIONS = {
    "no answer": HttpFault("drop"),
    "9 times no answer": HttpFault("drop", times=9),
    "a body cut off": HttpFault("cut"),
    "3 late answers": HttpFault("delay", times=3),
}
SHORT = {"a short body": HttpFault("short"), "3 short bodies": HttpFault("short", times=3)}
READ = STATUSES | LASTING | CONNECTIONS | SHORT
LISTED = STATUSES | LASTING | CONNECTIONS
COMMITTED = {
    **{name: fault for name, fault in STATUSES.items() if name != "a 416"},
    "no answer": HttpFault("drop"),
    "landed, and a 500": HttpFault("land", 500),
    "landed, and a 503": HttpFault("land", 503, headers={"Retry-After": "1"}),
    "landed, and a 409": HttpFault("land", 409),
    "landed, and a 412": HttpFault("land", 412),
    "landed, and no answer": HttpFault("land_and_drop"),
}
# one of each kind: a conflict, a throttled and a failed request, one that fails for long, a lost connection
TRIED_OF_READ = {"a 412", "a 416", "a 429", "a 500", "9 times a 503", "no answer", "a body cut off", "a short body"}
TRIED_OF_LISTED = {"a 409", "a 429", "a 503", "9 times a 500", "no answer", "a body cut off"}
LAKE_READ = ("a 429", "a 500", "a 503", "no answer", "a body cut off", "3 late answers")


def run_until_success(run: Callable[[], Sequence[object]], *expected: type[Exception]) -> int:
    """Repeat the run until it reads everything, as retries and the sensor do; return the number of other runs."""
    for failed in range(12):
        try:
            unreadable = run()
        except expected:
            continue
        if not unreadable:
            return failed
    raise AssertionError("the run never succeeds")


@pytest.mark.parametrize("fault", some_of(READ, TRIED_OF_READ.__contains__))
def test_a_fault_of_a_range_read_is_recovered_by_later_runs(
    azure_setup: ScenarioSetup, proxy: Proxy, fault: str
) -> None:
    azure_setup.write(*THREE)
    azure_setup.write(*THREE, slot=NEXT_HOUR)
    proxy.set_fault(replace(READ[fault], of="range"))
    run_until_success(azure_setup.run, ExportError)
    assert proxy.hits()
    azure_setup.truth.check()


@pytest.mark.parametrize("fault", some_of(LISTED, TRIED_OF_LISTED.__contains__))
def test_a_fault_of_a_listing_is_recovered_by_later_runs(azure_setup: ScenarioSetup, proxy: Proxy, fault: str) -> None:
    azure_setup.write(*THREE)
    proxy.set_fault(replace(LISTED[fault], of="list"))
    run_until_success(azure_setup.run, ExportError)
    assert proxy.hits()
    azure_setup.truth.check()


@pytest.fixture
def azure_lake(azure_setup: ScenarioSetup, proxy: Proxy) -> ScenarioSetup:
    """The setup with its lake in Azure behind the proxy, and lines to process."""
    account = from_connection_string("DEFENDER_LAKE_CONNECTION_STRING", proxy.emulator.connection_string)
    azure_setup.lake = azure_setup.truth.lake = Lake("az://lake/tables", azure_setup.lake.tables, account)
    azure_setup.write(*THREE)
    azure_setup.run()
    return azure_setup


def test_faults_of_commits_in_azure_end_with_the_truth(azure_lake: ScenarioSetup, proxy: Proxy) -> None:
    # raw, quarantine and the rows in turn
    for number, (name, fault) in enumerate(COMMITTED.items()):
        azure_lake.write(*THREE, first=number)
        proxy.set_fault(replace(fault, of="commit", skip=number % 3))
        run_until_success(azure_lake.run, LakeError)
        assert proxy.hits(), name
        azure_lake.truth.check_raw(ALERT_INFO)
    azure_lake.truth.check()


def test_faults_of_reading_a_lake_in_azure_end_with_the_truth(azure_lake: ScenarioSetup, proxy: Proxy) -> None:
    for first, (name, fault) in enumerate((name, READ[name]) for name in LAKE_READ):
        azure_lake.write(*THREE, first=first)
        proxy.set_fault(replace(fault, of="lake"))
        run_until_success(azure_lake.run, DefenderAssetsError)
        assert proxy.hits(), name
    azure_lake.truth.check()
