"""Times that no alert and no heartbeat can have."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from defender_assets.core.moments import FIRST_DAY, moment
from defender_assets.outputs.ocsf.event import event_of
from defender_assets_tests.support.alert_rows import (
    DAY,
    EVE,
    PC,
    SERVER,
    Row,
    at,
    beat,
    evidence,
    info,
    lead_of,
    machine,
)

LIMIT = datetime(2026, 3, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
IMPOSSIBLE = [
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1601, 1, 1, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2000, 1, 1, tzinfo=UTC) - MICROSECOND,
    LIMIT,
    datetime(2062, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
]
impossible = pytest.mark.parametrize("when", IMPOSSIBLE)


def moments(first_day: pl.Expr | None, *rows: tuple[date, datetime]) -> list[datetime | None]:
    days, times = zip(*rows, strict=True)
    types: dict[str, pl.DataType] = {"export_date": pl.Date(), "Timestamp": pl.Datetime("us", "UTC")}
    frame = pl.DataFrame({"export_date": days, "Timestamp": times}, schema_overrides=types)
    same = frame.with_columns(tenant_id=pl.lit("t"), record_id=pl.lit("r"))
    return same.select(moment(first_day)).to_series().to_list()


@impossible
def test_an_impossible_time_is_no_moment(when: datetime) -> None:
    assert moments(None, (DAY, when)) == [None]


@pytest.mark.parametrize("when", [datetime(2000, 1, 1, tzinfo=UTC), LIMIT - MICROSECOND, at()])
def test_other_times_are_moments(when: datetime) -> None:
    assert moments(None, (DAY, when)) == [when]


def test_of_several_copies_the_earliest_day_decides() -> None:
    assert moments(FIRST_DAY, (DAY, LIMIT), (DAY + timedelta(days=1), LIMIT)) == [None, None]
    assert moments(FIRST_DAY, (DAY, at()), (DAY + timedelta(days=9), at())) == [at(), at()]


@impossible
def test_an_alert_keeps_the_time_of_its_other_records(when: datetime) -> None:
    lead = lead_of([info()], [machine(), evidence("File", Timestamp=when, SHA256="f" * 64)], [beat(when=at(-3))])
    assert (lead["alert_time"], lead["device_match"], lead["device_age_seconds"]) == (at(), "as_of", 3 * 3600)
    assert lead["evidence_count"] == 2


@impossible
def test_an_alert_without_a_moment_has_the_start_of_its_first_day(when: datetime) -> None:
    lead = lead_of([info(Timestamp=when, day=EVE)], [machine(Timestamp=LIMIT)], [beat(when=at(-40))])
    assert lead["alert_time"] == datetime(2026, 3, 9, tzinfo=UTC)
    assert lead["device_match"] == "as_of"
    assert event_of(lead)["time"] == 1_773_014_400_000


@impossible
def test_a_record_of_an_impossible_time_is_never_the_newest(when: datetime) -> None:
    lead = lead_of([info(Title="right"), info(Title="wrong", Timestamp=when)], [])
    assert lead["title"] == "right"
    rows = [machine(PC, DeviceName="right"), machine(PC, DeviceName="wrong", Timestamp=when)]
    assert lead_of([], rows)["device_name"] == "right"


@impossible
def test_a_heartbeat_of_an_impossible_time_does_not_count(when: datetime) -> None:
    wrong = beat(when=when, OSVersion="wrong", DeviceType="wrong")
    lead = lead_of([info()], [machine()], [wrong, beat(when=at(-1), OSVersion="right")])
    assert (lead["os_version"], lead["device_type"], lead["device_changes"]) == ("right", None, [])
    assert lead_of([info()], [machine()], [wrong])["device_match"] == "unknown"


@impossible
def test_a_name_of_an_impossible_heartbeat_does_not_count(when: datetime) -> None:
    row = machine(None, DeviceName="pc.corp.example")
    assert lead_of([info()], [row], [beat(when=when, DeviceName="pc.corp.example")])["device_match"] == "unknown"


@impossible
def test_a_merge_of_an_impossible_time_is_the_oldest(when: datetime) -> None:
    beats = [beat("a", when, MergedToDeviceId="wrong"), beat("a", at(-1), MergedToDeviceId="right")]
    assert lead_of([info()], [machine("a")], beats)["device_id"] == "right"
    assert lead_of([info()], [machine("a")], beats[:1])["device_id"] == "wrong"


def test_a_heartbeat_that_came_again_is_judged_by_its_first_day() -> None:
    early = beat(when=at(11), day=DAY - timedelta(days=2), OSVersion="wrong")
    again = {**early, "export_date": DAY}
    rows: list[Row] = [early, again, beat(when=at(-1), OSVersion="right")]
    lead = lead_of([info()], [machine()], rows)
    assert (lead["os_version"], lead["device_changes"]) == ("right", [])


def heartbeat_changes(*beats: Row) -> list[Any]:
    return [change["what"] for change in lead_of([info()], [machine()], beats)["device_changes"] or []]


def test_now_is_not_later_than_the_end_of_the_day() -> None:
    known = beat(when=at(-1), OSVersion="1")
    assert heartbeat_changes(known, beat(when=at(11), OSVersion="2")) == ["os_version"]
    assert heartbeat_changes(known, beat(when=at(12), OSVersion="2")) == []
    assert heartbeat_changes(beat(when=at(13), OSVersion="2")) == []


def test_the_newest_heartbeat_of_a_tenant_is_a_moment() -> None:
    quiet = beat(when=at(-30), day=EVE)
    early = beat(SERVER, at(11), day=DAY - timedelta(days=3))
    assert heartbeat_changes(quiet, early, {**early, "export_date": DAY}) == []
    assert heartbeat_changes(quiet, beat(SERVER, at(11))) == ["heartbeat"]
