import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from defender_assets.simulator import (
    Scenario,
    export_account,
    export_directory,
    ground_truth,
    simulate,
    write_account,
    write_directory,
)
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.simulated_exports import SCENARIO, appends, blobs

EXPORT = replace(SCENARIO, days=3, devices=20, tenants=1)
SMALL = Scenario(SCENARIO.start, days=1, devices=4, tenants=1, alerts_per_day=2, heartbeat_minutes=240)


def files_of(root: Path) -> dict[tuple[str, str], bytes]:
    return {
        (path.relative_to(root).parts[0], "/".join(path.relative_to(root).parts[1:])): path.read_bytes()
        for path in root.rglob("PT1H.json")
    }


def blobs_of(service: BlobServiceClient) -> dict[tuple[str, str], bytes]:
    return {
        (container.name, blob.name): service.get_blob_client(container.name, blob.name).download_blob().readall()
        for container in service.list_containers()
        for blob in service.get_container_client(container.name).list_blobs()
    }


def test_a_directory_contains_the_blobs_and_the_truth(tmp_path: Path) -> None:
    truth = export_directory(EXPORT, tmp_path)

    assert files_of(tmp_path) == blobs(appends(EXPORT))
    assert json.loads((tmp_path / "ground_truth.json").read_text()) == truth == ground_truth(EXPORT)


def test_a_repeated_write_touches_no_file(tmp_path: Path) -> None:
    export_directory(EXPORT, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}

    assert write_directory(simulate(EXPORT), tmp_path) == 0
    export_directory(EXPORT, tmp_path)

    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before


def test_an_interrupted_directory_is_completed(tmp_path: Path) -> None:
    half = len(appends(EXPORT)) // 2
    write_directory(islice(simulate(EXPORT), half), tmp_path)
    last = appends(EXPORT)[half - 1]
    torn = tmp_path / last.container / last.blob
    torn.write_bytes(torn.read_bytes()[:-7])

    new = write_directory(simulate(EXPORT), tmp_path)

    assert files_of(tmp_path) == blobs(appends(EXPORT))
    assert new == 7 + sum(len(append.data) for append in appends(EXPORT)[half:])


def test_a_directory_grows_with_time_and_days(tmp_path: Path) -> None:
    for hour in (3, 15):
        write_directory(simulate(replace(EXPORT, until=datetime(2026, 1, 1, hour, tzinfo=UTC))), tmp_path)
    write_directory(simulate(replace(EXPORT, days=2)), tmp_path)
    write_directory(simulate(EXPORT), tmp_path)

    assert files_of(tmp_path) == blobs(appends(EXPORT))


def test_another_export_is_not_written_over_the_first(tmp_path: Path) -> None:
    write_directory(simulate(SMALL), tmp_path)
    with pytest.raises(ValueError, match="contains another export"):
        write_directory(simulate(replace(SMALL, alerts_per_day=9)), tmp_path)


@pytest.mark.azure
def test_an_account_contains_append_blobs(account: Emulator) -> None:
    with account.service() as service:
        truth = export_account(SMALL, service)

        assert blobs_of(service) == blobs(appends(SMALL))
        assert truth == ground_truth(SMALL)
        append = appends(SMALL)[0]
        properties = service.get_blob_client(append.container, append.blob).get_blob_properties()
        assert properties.blob_type == "AppendBlob"


@pytest.mark.azure
def test_an_account_is_extended_and_its_bytes_are_kept(account: Emulator) -> None:
    noon = replace(SMALL, until=datetime(2026, 1, 1, 12, 20, tzinfo=UTC))
    with account.service() as service:
        first = write_account(simulate(noon), service)
        second = write_account(simulate(SMALL), service)

        assert blobs_of(service) == blobs(appends(SMALL))
        assert first + second == sum(len(append.data) for append in appends(SMALL))
        assert write_account(simulate(SMALL), service) == 0


@pytest.mark.azure
def test_a_long_append_goes_in_several_blocks(account: Emulator) -> None:
    line = b"x" * (5 * 1024 * 1024) + b"\r\n"
    long = appends(SMALL)[0]._replace(data=line)
    with account.service() as service:
        assert write_account([long], service) == len(line)
        assert blobs_of(service) == {(long.container, long.blob): line}


@pytest.mark.azure
def test_another_export_is_not_appended_to_an_account(account: Emulator) -> None:
    first, second = appends(SMALL)[0]._replace(data=b"one\r\n"), appends(SMALL)[0]._replace(data=b"two\r\n")
    with account.service() as service:
        write_account([first], service)
        with pytest.raises(ValueError, match="contains another export"):
            write_account([second, second], service)
