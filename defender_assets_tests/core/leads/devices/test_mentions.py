from collections.abc import Iterable

import polars as pl

from defender_assets.core.leads.devices.mentions import named_devices, rank_devices
from defender_assets.core.leads.entities.additional_fields import with_fields
from defender_assets.core.schemas import ALERT_EVIDENCE
from defender_assets_tests.support.alert_rows import PC, SERVER, Row, at, evidence, frame, machine


def named(rows: Iterable[Row]) -> pl.DataFrame:
    return rank_devices(named_devices(with_fields(frame(ALERT_EVIDENCE, rows).collect())))


def ids(*rows: Row) -> list[str]:
    return named(rows)["original_device_id"].to_list()


def test_a_machine_row_names_the_device() -> None:
    assert ids(machine(PC)) == [PC]


def test_the_entity_type_is_compared_without_case() -> None:
    assert ids(evidence("mAcHiNe", DeviceId=PC)) == [PC]


def test_ids_are_compared_in_lower_case() -> None:
    assert ids(machine("ABC"), machine("abc", EvidenceRole="Related")) == ["abc"]


def test_without_a_machine_row_the_host_of_another_entity_names_it() -> None:
    assert ids(evidence("User"), evidence("File", fields={"Host": {"MachineId": PC}})) == [PC]


def test_the_host_of_a_process_is_found_deeper() -> None:
    assert ids(evidence("Process", fields={"ImageFile": {"Host": {"MachineId": PC}}})) == [PC]
    assert ids(evidence("Process", fields={"ParentProcess": {"ImageFile": {"Host": {"MachineId": PC}}}})) == [PC]
    assert ids(evidence("Process", fields={"X": {"Y": [{"Host": {"MachineId": PC}}]}})) == [PC]


def test_a_machine_row_without_device_id_is_read_from_its_additional_fields() -> None:
    assert ids(machine(None, fields={"Type": "host", "MachineId": PC})) == [PC]


def test_hosts_are_ignored_if_a_machine_row_names_a_device() -> None:
    assert ids(machine(PC), evidence("File", fields={"Host": {"MachineId": SERVER}})) == [PC]


def test_an_alert_without_any_device_has_none() -> None:
    assert ids(evidence("User", AccountName="jane"), machine(None), machine("-")) == []


def test_an_impacted_device_comes_first_then_the_earlier_then_the_smaller_id() -> None:
    related = machine("1", EvidenceRole="Related", Timestamp=at(-5))
    rows = [related, machine("4"), machine("3"), machine("5", Timestamp=at(-1)), machine("2", EvidenceRole=None)]
    assert ids(*rows) == ["5", "3", "4", "1", "2"]


def test_a_device_impacted_in_any_version_is_impacted() -> None:
    rows = [machine(PC, Timestamp=at(-1)), machine(PC, EvidenceRole="Related")]
    assert named(rows)["role"].to_list() == ["Impacted"]


def test_the_newest_evidence_gives_the_name() -> None:
    rows = [
        machine(PC, DeviceName="old", Timestamp=at(-1)),
        machine(PC, DeviceName="new"),
        machine(PC, Timestamp=at(1)),
    ]
    assert named(rows)["evidence_name"].to_list() == ["new"]
