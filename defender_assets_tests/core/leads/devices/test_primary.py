from defender_assets_tests.support.alert_rows import PC, SERVER, at, beat, entities_of, info, lead_of, machine


def test_the_impacted_device_is_primary_and_all_are_listed() -> None:
    rows = [machine(PC, EvidenceRole="Related", Timestamp=at(-1)), machine(SERVER, DeviceName="srv")]
    lead = lead_of([info()], rows, [beat(PC, at(-2), DeviceName="pc", ExposureLevel="High")])
    assert lead["device_id"] == SERVER
    assert [(entry["device_id"], entry["role"], entry["device_match"]) for entry in lead["devices"]] == [
        (SERVER, "Impacted", "unknown"),
        (PC, "Related", "as_of"),
    ]
    assert [entry["device_name"] for entry in lead["devices"]] == ["srv", "pc"]
    assert {("device", PC), ("device", SERVER)} <= entities_of(lead)


def test_a_single_device_has_no_list() -> None:
    assert lead_of([info()], [machine(), machine(Timestamp=at(1))], [beat()])["devices"] is None


def test_two_ids_of_one_merged_device_are_one_device() -> None:
    lead = lead_of([info()], [machine("old", Timestamp=at(-1)), machine("new")], [beat("old", MergedToDeviceId="new")])
    assert (lead["device_id"], lead["original_device_id"], lead["devices"]) == ("new", "old", None)
