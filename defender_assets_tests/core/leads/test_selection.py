from datetime import date, timedelta

import pytest

from defender_assets.core.leads import ALERT_LOOKBACK_DAYS, DEVICE_LOOKBACK_DAYS
from defender_assets_tests.support.alert_rows import (
    ALERT,
    DAY,
    EVE,
    OTHER_TENANT,
    PC,
    Records,
    at,
    beat,
    evidence,
    info,
    lead_of,
    leads_of,
    leads_of_each,
    machine,
    only,
)


def ago(days: int) -> date:
    return DAY - timedelta(days=days)


LATE = beat(when=at(-20), OSVersion="11")

CASES: dict[str, tuple[Records, dict[str, str]]] = {
    "an alert of the day is new": (Records([info()], [machine()]), {ALERT: "new"}),
    "info without evidence and evidence without info are leads": (
        Records([info("da1_1")], [machine(alert="da2_1")]),
        {"da1_1": "new", "da2_1": "new"},
    ),
    "evidence of an earlier day makes it updated": (Records([info()], [machine(day=ago(30))]), {ALERT: "updated"}),
    "info of an earlier day makes it updated": (Records([info(day=ago(3))], [machine()]), {ALERT: "updated"}),
    "an alert without a record on the day gets no row": (Records([info(day=EVE)], [machine(day=ago(2))]), {}),
    "a re-delivery alone issues nothing": (
        Records([info(day=EVE), info(day=DAY)], [machine(day=ago(20)), machine(day=DAY)]),
        {},
    ),
    "a device that becomes known a day later updates the lead": (
        Records([info(day=EVE)], [machine(day=EVE)], [LATE]),
        {ALERT: "updated"},
    ),
    "a device known before updates nothing": (
        Records([info(day=EVE)], [machine(day=EVE)], [beat(when=at(-40), day=EVE), beat(when=at(-20))]),
        {},
    ),
    "a device that stays unknown updates nothing": (Records([info(day=EVE)], [machine(day=EVE)], [beat("other")]), {}),
    "the wait for a device is one day": (
        Records([info(day=ago(2))], [machine(day=ago(2))], [beat(when=at(-60))]),
        {},
    ),
    "an alert whose record came again on the day before still waits": (
        Records([info(day=ago(2))], [machine(day=ago(2)), machine(day=EVE)], [beat(when=at(-60))]),
        {ALERT: "updated"},
    ),
}


def test_an_alert_gets_a_row_if_it_is_new_or_changed(subtests: pytest.Subtests) -> None:
    records = [records for records, _ in CASES.values()]
    for (name, (_, expected)), leads in zip(CASES.items(), leads_of_each(records), strict=True):
        with subtests.test(name):
            assert dict(leads.select("alert_id", "change").iter_rows()) == expected


def test_a_lead_says_whether_its_alert_info_is_there() -> None:
    with_info, without = leads_of_each([Records([info()]), Records([], [machine()])])
    assert (only(with_info)["has_alert_info"], only(without)["has_alert_info"]) == (True, False)


def test_a_record_outside_the_look_back_is_not_read(subtests: pytest.Subtests) -> None:
    assert ALERT_LOOKBACK_DAYS == 30
    tomorrow = DAY + timedelta(days=1)
    before, after = leads_of_each(
        [
            Records([info(day=ago(31), Timestamp=at(days=-31))], [machine()]),
            Records([info()], [machine(day=tomorrow)], [beat(day=tomorrow)]),
        ]
    )
    with subtests.test("before it"):
        lead = only(before)
        assert (lead["change"], lead["has_alert_info"], lead["alert_time"]) == ("new", False, at())
    with subtests.test("of a later day"):
        lead = only(after)
        assert (lead["evidence_count"], lead["device_match"]) == (0, "no_device")


def test_a_re_delivery_with_a_new_record_counts_once() -> None:
    lead = lead_of([info(day=EVE), info()], [machine(day=EVE), machine(), machine(Timestamp=at(1))])
    assert (lead["change"], lead["evidence_count"]) == ("updated", 2)


def test_the_same_alert_id_in_two_tenants_is_two_leads() -> None:
    leads = leads_of([info(), info(tenant=OTHER_TENANT, Title="other")], [machine(day=EVE)])
    assert sorted(leads.select("tenant_id", "change", "title", "evidence_count").rows()) == [
        (info()["tenant_id"], "updated", "Suspicious activity", 1),
        (OTHER_TENANT, "new", "other", 0),
    ]
    assert leads["lead_id"].n_unique() == 2


def test_a_device_can_become_known_late(subtests: pytest.Subtests) -> None:
    host = {"Host": {"MachineId": PC}, "LastVerdict": "Malicious"}
    merged = [beat("new", at(-30), day=EVE), beat("new", at(5), MergedDeviceIds=["old"])]
    known, named_by_host, whole, through_merge = leads_of_each(
        [
            Records([info(day=EVE)], [machine(day=EVE)], [LATE]),
            Records([], [evidence("File", day=EVE, fields=host)], [LATE]),
            Records([info(day=EVE)], [machine(day=EVE, fields={"LastVerdict": "Malicious"})], [LATE]),
            Records([info(day=EVE)], [machine("old", day=EVE)], merged),
        ]
    )
    with subtests.test("the lead has its state"):
        assert only(known)["os_version"] == "11"
    with subtests.test("a device named by a host"):
        lead = only(named_by_host)
        assert (lead["device_match"], lead["verdict"]) == ("as_of", "Malicious")
    with subtests.test("the whole alert is rebuilt"):
        lead = only(whole)
        assert (lead["verdict"], lead["title"], lead["evidence_count"]) == ("Malicious", "Suspicious activity", 1)
    with subtests.test("through a merge"):
        lead = only(through_merge)
        assert (lead["device_id"], lead["device_match"]) == ("new", "as_of")


def test_devices_are_looked_for_in_their_own_look_back() -> None:
    assert DEVICE_LOOKBACK_DAYS == 7
    inside, outside = leads_of_each(
        Records([info()], [machine()], [beat(when=at(days=-days), day=ago(days))]) for days in (7, 8)
    )
    assert (only(inside)["device_match"], only(outside)["device_match"]) == ("as_of", "unknown")
