"""Impossible times (`tables.moments`) do not count for the time of an alert, its values, its device or its entities."""

from datetime import UTC, datetime, timedelta

import pytest

from defender_assets.outputs.ocsf.event import event_of
from defender_assets_tests.support.alert_rows import (
    DAY,
    EVE,
    PC,
    Row,
    at,
    beat,
    evidence,
    info,
    lead_of,
    leads_of,
    machine,
)

MIN, MAX = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
IMPOSSIBLE = [MIN, MAX, datetime(1601, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), at(days=2)]
MIDNIGHT = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)


@pytest.mark.parametrize("when", IMPOSSIBLE)
def test_an_impossible_time_changes_no_time_of_the_alert_and_no_value(when: datetime) -> None:
    infos = [info(), info(Title="impossible", Timestamp=when)]
    rows = [
        machine(DeviceName="pc1"),
        machine(DeviceName="impossible", Timestamp=when),
        evidence("File", SHA256="f" * 64, FileName="real.exe"),
        evidence("File", SHA256="f" * 64, FileName="impossible.exe", Timestamp=when),
        evidence("User", AccountName="jane", fields={"LastVerdict": "Clean"}),
        evidence("User", AccountName="jane", fields={"LastVerdict": "Malicious"}, Timestamp=when),
    ]
    lead = lead_of(infos, rows)
    assert (lead["alert_time"], lead["title"], lead["device_name"]) == (at(), "Suspicious activity", "pc1")
    assert ([file["name"] for file in lead["files"]], lead["verdict"]) == (["real.exe"], "Clean")
    assert lead["evidence_count"] == 6


@pytest.mark.parametrize("when", IMPOSSIBLE)
def test_an_alert_without_a_moment_takes_the_begin_of_its_first_day(when: datetime) -> None:
    lead = lead_of([], [machine(Timestamp=when)], [beat(when=at(-13), OSVersion="then"), beat(when=at(-1))])
    assert (lead["alert_time"], lead["device_match"], lead["os_version"]) == (MIDNIGHT, "as_of", "then")
    assert event_of(lead)["time"] == int(MIDNIGHT.timestamp() * 1000)
    first = lead_of([info(Timestamp=when, day=EVE)], [machine(Timestamp=when, Title="later")])
    assert first["alert_time"] == MIDNIGHT - timedelta(days=1)


def test_the_first_copy_of_a_record_decides_whether_it_has_a_moment() -> None:
    copies = [info(Timestamp=at(24), day=day, ours={"record_id": "same"}) for day in (EVE, DAY)]
    assert lead_of(copies, [machine(Timestamp=at(30))])["alert_time"] == at(30)
    assert lead_of(copies[1:], [machine(Timestamp=at(30))])["alert_time"] == at(24)


@pytest.mark.parametrize("when", IMPOSSIBLE)
def test_an_impossible_heartbeat_is_no_state_of_the_device(when: datetime) -> None:
    wrong = beat(when=when, OSVersion="wrong", DeviceType="wrong", ExposureLevel="High")
    lead = lead_of([info()], [machine()], [wrong, beat(when=at(-1), OSVersion="1", ExposureLevel="Low")])
    assert (lead["device_seen_at"], lead["os_version"], lead["device_type"]) == (at(-1), "1", None)
    assert lead["device_changes"] == []
    assert lead_of([info()], [machine()], [wrong])["device_match"] == "unknown"


@pytest.mark.parametrize("when", IMPOSSIBLE)
def test_an_impossible_heartbeat_gives_no_name(when: datetime) -> None:
    beats = [
        beat("d1", at(-1), DeviceName="pc1"),
        beat("d1", when, DeviceName="pc2"),
        beat("d2", when, DeviceName="pc1"),
    ]
    assert lead_of([], [machine(None, DeviceName="pc1")], beats)["device_id"] == "d1"


def test_a_merge_of_an_impossible_time_counts_if_there_is_no_other() -> None:
    wrong = beat("old", MAX, MergedToDeviceId="wrong")
    assert (
        lead_of([info()], [machine("old")], [wrong, beat("old", at(-1), MergedToDeviceId="new")])["device_id"] == "new"
    )
    assert lead_of([info()], [machine("old")], [wrong])["device_id"] == "wrong"


def test_now_is_not_after_the_day_of_the_lead() -> None:
    then, tomorrow = beat(when=at(-1), ExposureLevel="Low"), beat(when=at(13), ExposureLevel="High")
    assert lead_of([info()], [machine()], [then, tomorrow])["device_changes"] == []
    today = beat(when=at(11.9), ExposureLevel="Medium")
    assert [each["now"] for each in lead_of([info()], [machine()], [then, today, tomorrow])["device_changes"]] == [
        "Medium"
    ]
    alert = [info(Timestamp=at(14))], [machine(Timestamp=at(14))]
    lead = lead_of(*alert, [then, today, tomorrow])
    assert (lead["device_match"], lead["exposure_level"], lead["device_changes"]) == ("as_of", "High", None)


def test_a_sensor_is_not_silent_because_another_clock_is_ahead() -> None:
    beats = [beat(when=at(-20)), beat("b" * 40, when=at(20))]
    assert lead_of([info()], [machine()], beats)["device_changes"] == []


def test_an_impossible_heartbeat_makes_no_late_match() -> None:
    rows = [machine(PC, day=EVE)]
    assert leads_of([], rows, [beat(when=MAX)]).is_empty()
    assert lead_of([], rows, [beat(when=MAX, day=EVE), beat(when=at(-30))])["device_match"] == "as_of"


def test_the_typed_values_of_a_lead_are_kept() -> None:
    row: Row = machine(Timestamp=MIN, fields={"LastVerdict": "Malicious"})
    lead = lead_of([info()], [row])
    assert (lead["verdict"], len(lead["sources"])) == ("Malicious", 2)
