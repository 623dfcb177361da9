import pytest

from defender_assets_tests.support.alert_rows import (
    PC,
    SERVER,
    Records,
    at,
    beat,
    entities_of,
    info,
    leads_of_each,
    machine,
    only,
)


def test_one_device_of_a_lead_is_primary_and_several_are_listed(subtests: pytest.Subtests) -> None:
    impacted, single, merged = leads_of_each(
        [
            Records(
                [info()],
                [machine(PC, EvidenceRole="Related", Timestamp=at(-1)), machine(SERVER, DeviceName="srv")],
                [beat(PC, at(-2), DeviceName="pc", ExposureLevel="High")],
            ),
            Records([info()], [machine(), machine(Timestamp=at(1))], [beat()]),
            Records(
                [info()],
                [machine("old", Timestamp=at(-1)), machine("new")],
                [beat("old", MergedToDeviceId="new")],
            ),
        ]
    )
    with subtests.test("the impacted device is primary and all are listed"):
        lead = only(impacted)
        assert lead["device_id"] == SERVER
        assert [(entry["device_id"], entry["role"], entry["device_match"]) for entry in lead["devices"]] == [
            (SERVER, "Impacted", "unknown"),
            (PC, "Related", "as_of"),
        ]
        assert [entry["device_name"] for entry in lead["devices"]] == ["srv", "pc"]
        assert {("device", PC), ("device", SERVER)} <= entities_of(lead)
    with subtests.test("a single device has no list"):
        assert only(single)["devices"] is None
    with subtests.test("two ids of one merged device are one device"):
        lead = only(merged)
        assert (lead["device_id"], lead["original_device_id"], lead["devices"]) == ("new", "old", None)
