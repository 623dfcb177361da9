from datetime import timedelta

from defender_assets.core.lake.snapshots import days_between
from defender_assets.core.schemas import ALERT_INFO
from defender_assets.core.tables.deduplication import distinct_records
from defender_assets_tests.support.alert_rows import DAY, EVE, OTHER_TENANT, frame, info


def test_a_range_of_days_includes_both_ends() -> None:
    days = [DAY - timedelta(days=n) for n in range(5)]
    rows = frame(ALERT_INFO, [info(f"da{n}", day=day) for n, day in enumerate(days)])
    kept = days_between(rows, days[3], days[1]).collect()
    assert sorted(kept["export_date"].to_list()) == sorted(days[1:4])


def test_the_copy_on_the_earlier_day_is_kept() -> None:
    copies = frame(ALERT_INFO, [info(day=DAY), info(day=EVE)])
    assert distinct_records(copies).collect()["export_date"].to_list() == [EVE]


def test_copies_on_one_day_are_one_record() -> None:
    copies = frame(ALERT_INFO, [info(ours={"blob": "b"}), info(ours={"blob": "a"})])
    assert distinct_records(copies).collect()["blob"].to_list() == ["a"]


def test_two_tenants_never_share_a_record() -> None:
    rows = [info(ours={"record_id": "x"}), info(tenant=OTHER_TENANT, ours={"record_id": "x"})]
    assert distinct_records(frame(ALERT_INFO, rows)).collect().height == 2
