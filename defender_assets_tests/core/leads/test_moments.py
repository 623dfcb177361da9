"""Impossible times (`tables.moments`) do not count for the time of an alert, its values, its device or its entities."""

from datetime import UTC, datetime, timedelta

import pytest

from defender_assets.outputs.ocsf.event import event_of
from defender_assets_tests.support.alert_rows import (
    DAY,
    EVE,
    PC,
    Records,
    at,
    beat,
    evidence,
    info,
    lead_of,
    leads_of_each,
    machine,
    only,
)

MIN, MAX = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
IMPOSSIBLE = [MIN, MAX, datetime(1601, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), at(days=2)]
MIDNIGHT = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)


def test_an_impossible_time_changes_no_time_of_the_alert_and_no_value(subtests: pytest.Subtests) -> None:
    cases = [
        Records(
            [info(), info(Title="impossible", Timestamp=when)],
            [
                machine(DeviceName="pc1"),
                machine(DeviceName="impossible", Timestamp=when),
                evidence("File", SHA256="f" * 64, FileName="real.exe"),
                evidence("File", SHA256="f" * 64, FileName="impossible.exe", Timestamp=when),
                evidence("User", AccountName="jane", fields={"LastVerdict": "Clean"}),
                evidence("User", AccountName="jane", fields={"LastVerdict": "Malicious"}, Timestamp=when),
            ],
        )
        for when in IMPOSSIBLE
    ]
    for when, leads in zip(IMPOSSIBLE, leads_of_each(cases), strict=True):
        with subtests.test(when=when):
            lead = only(leads)
            assert (lead["alert_time"], lead["title"], lead["device_name"]) == (at(), "Suspicious activity", "pc1")
            assert ([file["name"] for file in lead["files"]], lead["verdict"]) == (["real.exe"], "Clean")
            assert lead["evidence_count"] == 6


def test_an_alert_without_a_moment_takes_the_begin_of_its_first_day(subtests: pytest.Subtests) -> None:
    beats = [beat(when=at(-13), OSVersion="then"), beat(when=at(-1))]
    of_today = [Records([], [machine(Timestamp=when)], beats) for when in IMPOSSIBLE]
    of_eve = [Records([info(Timestamp=when, day=EVE)], [machine(Timestamp=when, Title="later")]) for when in IMPOSSIBLE]
    leads = leads_of_each([*of_today, *of_eve])
    for when, today, since_eve in zip(IMPOSSIBLE, leads[: len(IMPOSSIBLE)], leads[len(IMPOSSIBLE) :], strict=True):
        with subtests.test("of today", when=when):
            lead = only(today)
            assert (lead["alert_time"], lead["device_match"], lead["os_version"]) == (MIDNIGHT, "as_of", "then")
            assert event_of(lead)["time"] == int(MIDNIGHT.timestamp() * 1000)
        with subtests.test("of the day before", when=when):
            assert only(since_eve)["alert_time"] == MIDNIGHT - timedelta(days=1)


def test_the_first_copy_of_a_record_decides_whether_it_has_a_moment() -> None:
    copies = [info(Timestamp=at(24), day=day, ours={"record_id": "same"}) for day in (EVE, DAY)]
    rows = [machine(Timestamp=at(30))]
    both, later = leads_of_each([Records(copies, rows), Records(copies[1:], rows)])
    assert (only(both)["alert_time"], only(later)["alert_time"]) == (at(30), at(24))


def test_an_impossible_heartbeat_is_no_state_of_the_device(subtests: pytest.Subtests) -> None:
    wrong = [beat(when=when, OSVersion="wrong", DeviceType="wrong", ExposureLevel="High") for when in IMPOSSIBLE]
    right = beat(when=at(-1), OSVersion="1", ExposureLevel="Low")
    beats = [*([row, right] for row in wrong), *([row] for row in wrong)]
    leads = leads_of_each(Records([info()], [machine()], rows) for rows in beats)
    for when, both, alone in zip(IMPOSSIBLE, leads[: len(wrong)], leads[len(wrong) :], strict=True):
        with subtests.test("beside a possible one", when=when):
            lead = only(both)
            assert (lead["device_seen_at"], lead["os_version"], lead["device_type"]) == (at(-1), "1", None)
            assert lead["device_changes"] == []
        with subtests.test("alone", when=when):
            assert only(alone)["device_match"] == "unknown"


def test_an_impossible_heartbeat_gives_no_name(subtests: pytest.Subtests) -> None:
    cases = [
        Records(
            evidences=[machine(None, DeviceName="pc1")],
            beats=[
                beat("d1", at(-1), DeviceName="pc1"),
                beat("d1", when, DeviceName="pc2"),
                beat("d2", when, DeviceName="pc1"),
            ],
        )
        for when in IMPOSSIBLE
    ]
    for when, leads in zip(IMPOSSIBLE, leads_of_each(cases), strict=True):
        with subtests.test(when=when):
            assert only(leads)["device_id"] == "d1"


def test_a_merge_of_an_impossible_time_counts_if_there_is_no_other() -> None:
    wrong, right = beat("old", MAX, MergedToDeviceId="wrong"), beat("old", at(-1), MergedToDeviceId="new")
    both, alone = leads_of_each(Records([info()], [machine("old")], beats) for beats in ([wrong, right], [wrong]))
    assert (only(both)["device_id"], only(alone)["device_id"]) == ("new", "wrong")


def test_now_is_not_after_the_day_of_the_lead() -> None:
    then, tomorrow = beat(when=at(-1), ExposureLevel="Low"), beat(when=at(13), ExposureLevel="High")
    today = beat(when=at(11.9), ExposureLevel="Medium")
    unchanged, changed, late = leads_of_each(
        [
            Records([info()], [machine()], [then, tomorrow]),
            Records([info()], [machine()], [then, today, tomorrow]),
            Records([info(Timestamp=at(14))], [machine(Timestamp=at(14))], [then, today, tomorrow]),
        ]
    )
    assert only(unchanged)["device_changes"] == []
    assert [each["now"] for each in only(changed)["device_changes"]] == ["Medium"]
    lead = only(late)
    assert (lead["device_match"], lead["exposure_level"], lead["device_changes"]) == ("as_of", "High", None)


def test_a_sensor_is_not_silent_because_another_clock_is_ahead() -> None:
    beats = [beat(when=at(-20)), beat("b" * 40, when=at(20))]
    assert lead_of([info()], [machine()], beats)["device_changes"] == []


def test_an_impossible_heartbeat_makes_no_late_match() -> None:
    rows = [machine(PC, day=EVE)]
    impossible, late = leads_of_each(
        [
            Records([], rows, [beat(when=MAX)]),
            Records([], rows, [beat(when=MAX, day=EVE), beat(when=at(-30))]),
        ]
    )
    assert impossible.is_empty()
    assert only(late)["device_match"] == "as_of"


def test_the_typed_values_of_a_lead_are_kept() -> None:
    lead = lead_of([info()], [machine(Timestamp=MIN, fields={"LastVerdict": "Malicious"})])
    assert (lead["verdict"], len(lead["sources"])) == ("Malicious", 2)
