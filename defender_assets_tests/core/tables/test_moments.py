from datetime import UTC, datetime

import pytest

from defender_assets.core.schemas import DEVICE_INFO
from defender_assets.core.tables.moments import with_moments
from defender_assets_tests.support.alert_rows import DAY, EVE, OTHER_TENANT, Row, at, beat, frame

MIN, MAX = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 12, tzinfo=UTC)


def moments(*rows: Row) -> list[datetime | None]:
    return with_moments(frame(DEVICE_INFO, rows), EVE, DAY).collect()["Timestamp"].to_list()


@pytest.mark.parametrize(
    ("when", "is_moment"),
    [
        (MIN, False),
        (MAX, False),
        (datetime(1601, 1, 1, tzinfo=UTC), False),
        (datetime(1970, 1, 1, tzinfo=UTC), False),
        (datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), False),
        (datetime(2000, 1, 1, tzinfo=UTC), True),
        (at(), True),
        (MIDNIGHT.replace(day=11, hour=23, minute=59, second=59, microsecond=999999), True),
        (MIDNIGHT, False),
    ],
)
def test_a_moment_is_from_2000_on_and_before_the_second_day_after_its_arrival(when: datetime, is_moment: bool) -> None:
    assert moments(beat(when=when)) == [when if is_moment else None]


def test_of_several_copies_the_earliest_day_decides() -> None:
    same: Row = {"ours": {"record_id": "same"}}
    rows = [beat(when=at(24), day=DAY, **same), beat(when=at(24), day=EVE, **same)]
    assert moments(*rows) == moments(*reversed(rows)) == [None, None]
    assert moments(rows[0], beat(when=at(24), day=EVE, ours={"record_id": "another"})) == [at(24), None]


def test_a_copy_in_another_tenant_is_another_record() -> None:
    same: Row = {"ours": {"record_id": "same"}}
    other: Row = {"ours": {"record_id": "same", "tenant_id": OTHER_TENANT}}
    assert moments(beat(when=at(24), **same), beat(when=at(24), day=EVE, **other)) == [at(24), None]
