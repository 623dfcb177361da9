from datetime import date, timedelta

from defender_assets.core.leads import ALERT_LOOKBACK_DAYS, DEVICE_LOOKBACK_DAYS
from defender_assets_tests.support.alert_rows import (
    ALERT,
    DAY,
    EVE,
    OTHER_TENANT,
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


def ago(days: int) -> date:
    return DAY - timedelta(days=days)


def changes(infos: list[Row], evidences: list[Row], beats: list[Row] | None = None) -> dict[str, str]:
    leads = leads_of(infos, evidences, beats or [])
    return dict(leads.select("alert_id", "change").iter_rows())


def test_an_alert_of_the_day_is_new() -> None:
    assert changes([info()], [machine()]) == {ALERT: "new"}


def test_info_without_evidence_and_evidence_without_info_are_leads() -> None:
    assert changes([info("da1_1")], [machine(alert="da2_1")]) == {"da1_1": "new", "da2_1": "new"}
    assert lead_of([info()])["has_alert_info"] is True
    assert lead_of([], [machine()])["has_alert_info"] is False


def test_a_record_of_an_earlier_day_in_either_table_makes_it_updated() -> None:
    assert changes([info()], [machine(day=ago(30))]) == {ALERT: "updated"}
    assert changes([info(day=ago(3))], [machine()]) == {ALERT: "updated"}


def test_a_record_before_the_look_back_is_not_read() -> None:
    assert ALERT_LOOKBACK_DAYS == 30
    lead = lead_of([info(day=ago(31), Timestamp=at(days=-31))], [machine()])
    assert (lead["change"], lead["has_alert_info"], lead["alert_time"]) == ("new", False, at())


def test_records_of_later_days_are_not_read() -> None:
    lead = lead_of([info()], [machine(day=DAY + timedelta(days=1))], [beat(day=DAY + timedelta(days=1))])
    assert (lead["evidence_count"], lead["device_match"]) == (0, "no_device")


def test_an_alert_without_a_record_on_the_day_gets_no_row() -> None:
    assert changes([info(day=EVE)], [machine(day=ago(2))]) == {}


def test_a_re_delivery_alone_issues_nothing() -> None:
    copies = [info(day=EVE), info(day=DAY)]
    assert changes(copies, [machine(day=ago(20)), machine(day=DAY)]) == {}


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


def test_a_device_that_becomes_known_a_day_later_updates_the_lead() -> None:
    late = beat(when=at(-20), OSVersion="11")
    assert changes([info(day=EVE)], [machine(day=EVE)], [late]) == {ALERT: "updated"}
    assert lead_of([info(day=EVE)], [machine(day=EVE)], [late])["os_version"] == "11"


def test_a_device_named_by_a_host_can_become_known_late_too() -> None:
    row = evidence("File", day=EVE, fields={"Host": {"MachineId": PC}, "LastVerdict": "Malicious"})
    lead = lead_of([], [row], [beat(when=at(-20))])
    assert (lead["device_match"], lead["verdict"]) == ("as_of", "Malicious")


def test_a_late_device_rebuilds_the_whole_alert() -> None:
    row = machine(day=EVE, fields={"LastVerdict": "Malicious"})
    lead = lead_of([info(day=EVE)], [row], [beat(when=at(-20))])
    assert (lead["verdict"], lead["title"], lead["evidence_count"]) == ("Malicious", "Suspicious activity", 1)


def test_a_device_can_become_known_through_a_merge() -> None:
    beats = [beat("new", at(-30), day=EVE), beat("new", at(5), MergedDeviceIds=["old"])]
    lead = lead_of([info(day=EVE)], [machine("old", day=EVE)], beats)
    assert (lead["device_id"], lead["device_match"]) == ("new", "as_of")


def test_a_device_known_before_updates_nothing() -> None:
    beats = [beat(when=at(-40), day=EVE), beat(when=at(-20))]
    assert changes([info(day=EVE)], [machine(day=EVE)], beats) == {}


def test_a_device_that_stays_unknown_updates_nothing() -> None:
    assert changes([info(day=EVE)], [machine(day=EVE)], [beat("other")]) == {}


def test_the_wait_for_a_device_is_one_day() -> None:
    assert changes([info(day=ago(2))], [machine(day=ago(2))], [beat(when=at(-60))]) == {}


def test_an_alert_whose_record_came_again_on_the_day_before_still_waits() -> None:
    copies = [machine(day=ago(2)), machine(day=EVE)]
    assert changes([info(day=ago(2))], copies, [beat(when=at(-60))]) == {ALERT: "updated"}


def test_devices_are_looked_for_in_their_own_look_back() -> None:
    assert DEVICE_LOOKBACK_DAYS == 7
    for days, match in ((7, "as_of"), (8, "unknown")):
        assert lead_of([info()], [machine()], [beat(when=at(days=-days), day=ago(days))])["device_match"] == match
