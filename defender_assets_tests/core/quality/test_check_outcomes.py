"""Each account of a day, on a day that adds up and on one made to fail."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from defender_assets.catalog import LEADS
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.lake import Lake
from defender_assets.core.quality.byte_balance import byte_balance
from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.quality.completeness import completeness
from defender_assets.core.quality.drift import drift
from defender_assets.core.quality.freshness import freshness, quiet_or_broken
from defender_assets.core.raw.ingest import RawReport, ingest
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO, Table
from defender_assets.core.tables.build import build_table_day
from defender_assets_tests.support.exports import (
    DAY,
    OTHER_TENANT,
    TENANT,
    Folder,
    blob_path,
    line,
    local_lake,
    properties,
    records,
)

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


class Place:
    """A lake and a directory export, with the steps that a run takes."""

    def __init__(self, root: Path) -> None:
        self.lake: Lake = local_lake(root / "lake")
        self.export = DirectoryExport(root / "export")
        self.folder = Folder(root / "export")

    def arrive(self, table: Table, content: bytes, *, day: date = DAY, tenant: str = TENANT) -> RawReport:
        self.folder.append(table, blob_path(day=day, tenant=tenant), content)
        report = ingest(self.lake, self.export, table, day)
        build_table_day(self.lake, table, day)
        return report

    def balance(self, report: RawReport, now: datetime = NOON) -> CheckOutcome:
        return byte_balance(self.lake, ALERT_INFO, DAY, report.listed, report.pending, now)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def at(moment: str, tenant: str = TENANT, **changes: str) -> bytes:
    return line(DEVICE_INFO, properties(DEVICE_INFO, Timestamp=moment, **changes), tenant=tenant, time=moment)


def test_bytes_balance_with_a_pending_tail(place: Place) -> None:
    report = place.arrive(ALERT_INFO, records(ALERT_INFO, 0, 2) + b"tail")
    found = place.balance(report, datetime.now(UTC))
    assert found.passed
    assert found.facts["bytes_pending"] == 4
    assert found.facts["tails_older_than_a_day"] == []


def test_a_tail_that_waits_for_over_a_day_is_named(place: Place) -> None:
    report = place.arrive(ALERT_INFO, records(ALERT_INFO, 0, 2) + b"tail")
    found = place.balance(report, datetime.now(UTC) + timedelta(days=2))
    assert found.passed
    assert found.facts["tails_older_than_a_day"] == [blob_path()]
    assert "; 1 tail that has waited for its newline for over a day." in found.summary


def test_a_blob_that_raw_lacks_breaks_the_balance(place: Place) -> None:
    report = place.arrive(ALERT_INFO, records(ALERT_INFO, 0, 2))
    place.folder.append(ALERT_INFO, blob_path(hour=9), records(ALERT_INFO, 5, 1))
    report.listed = place.export.blobs_of_day(ALERT_INFO.container, DAY)
    found = place.balance(report)
    assert not found.passed
    assert found.facts["blobs_off_balance"] == [blob_path(hour=9)]


def test_a_hole_in_raw_breaks_the_balance(place: Place) -> None:
    place.arrive(ALERT_INFO, records(ALERT_INFO, 0, 2))
    report = place.arrive(ALERT_INFO, records(ALERT_INFO, 2, 2))
    place.lake.open(ALERT_INFO.raw).delete("byte_start = 0")
    found = place.balance(report)
    assert not found.passed
    assert found.facts["blobs_with_holes"] == [blob_path()]


def test_raw_may_be_further_than_the_listing(place: Place) -> None:
    report = place.arrive(ALERT_INFO, records(ALERT_INFO, 0, 2))
    place.arrive(ALERT_INFO, records(ALERT_INFO, 2, 2))
    assert place.balance(report).passed


def leads(*rows: tuple[str, bool, int, str]) -> pl.DataFrame:
    names = ["alert_id", "has_alert_info", "evidence_count", "device_match"]
    return pl.DataFrame(rows, schema={name: LEADS.schema[name] for name in names}, orient="row")


def test_few_missing_parts_are_always_on_their_way() -> None:
    assert completeness(leads(*[("a", True, 1, "as_of")] * 5, ("b", False, 1, "as_of"))).passed
    assert completeness(leads()).passed


@pytest.mark.parametrize(
    ("bad", "fact"),
    [
        (("x", False, 1, "as_of"), "without_info"),
        (("x", True, 0, "no_device"), "without_evidence"),
        (("x", True, 1, "unknown"), "on_unknown_devices"),
    ],
)
def test_many_missing_parts_are_told_with_samples(bad: tuple[str, bool, int, str], fact: str) -> None:
    found = completeness(leads(*[bad] * 4, ("b", True, 1, "as_of")))
    assert not found.passed
    assert found.facts[fact] == 4
    assert found.facts[f"{fact}_samples"] == ["x"] * 4
    assert fact.replace("_", " ") in found.summary


def test_no_alerts_is_quiet(place: Place) -> None:
    place.arrive(DEVICE_INFO, at("2026-11-03T11:00:00Z"))
    assert quiet_or_broken(place.lake, DAY, NOON).passed


def test_no_heartbeat_for_hours_is_broken(place: Place) -> None:
    place.arrive(DEVICE_INFO, at("2026-11-03T08:00:00Z"))
    found = quiet_or_broken(place.lake, DAY, NOON)
    assert not found.passed
    assert found.facts["silent_minutes"] == {TENANT: 240}


def test_a_tenant_with_alerts_and_never_a_heartbeat_is_broken(place: Place) -> None:
    place.arrive(DEVICE_INFO, at("2026-11-03T11:00:00Z"))
    place.arrive(ALERT_INFO, records(ALERT_INFO, 0, 1, tenant=OTHER_TENANT), tenant=OTHER_TENANT)
    found = quiet_or_broken(place.lake, DAY, NOON)
    assert found.facts["silent_minutes"] == {OTHER_TENANT: None}


def test_a_tenant_that_fell_silent_yesterday_is_broken_today(place: Place) -> None:
    place.arrive(
        DEVICE_INFO, at("2026-11-02T08:00:00Z", OTHER_TENANT), day=DAY - timedelta(days=1), tenant=OTHER_TENANT
    )
    place.arrive(DEVICE_INFO, at("2026-11-03T11:00:00Z"))
    assert list(quiet_or_broken(place.lake, DAY, NOON).facts["silent_minutes"]) == [OTHER_TENANT]


def test_a_past_day_is_measured_at_its_end(place: Place) -> None:
    place.arrive(DEVICE_INFO, at("2026-11-03T23:00:00Z"))
    assert quiet_or_broken(place.lake, DAY, NOON + timedelta(days=9)).passed


def test_freshness_has_a_limit_for_heartbeats_only(place: Place) -> None:
    place.arrive(DEVICE_INFO, at("2026-11-03T08:00:00Z"))
    place.arrive(ALERT_INFO, records(ALERT_INFO, 0, 1))
    late = freshness(place.lake, DEVICE_INFO, DAY, NOON)
    assert not late.passed
    assert late.facts["minutes_behind"] == {TENANT: 240}
    assert freshness(place.lake, DEVICE_INFO, DAY, NOON - timedelta(hours=2)).passed
    assert freshness(place.lake, ALERT_INFO, DAY, NOON + timedelta(hours=5)).passed


def test_a_known_record_is_no_drift(place: Place) -> None:
    place.arrive(ALERT_INFO, records(ALERT_INFO, 0, 1))
    assert drift(place.lake, ALERT_INFO, DAY).passed


def test_new_fields_misfits_and_words_are_named_with_their_first_day(place: Place) -> None:
    changed = line(ALERT_INFO, properties(ALERT_INFO, New=1, MachineGroup=7, Severity="Severe"))
    before, two_before = DAY - timedelta(days=1), DAY - timedelta(days=2)
    place.arrive(ALERT_INFO, line(ALERT_INFO, properties(ALERT_INFO, New=2)), day=two_before)
    place.arrive(ALERT_INFO, line(ALERT_INFO, properties(ALERT_INFO, Old=2)), day=before)
    place.arrive(ALERT_INFO, changed)
    found = drift(place.lake, ALERT_INFO, DAY)
    assert not found.passed
    assert {entry["what"]: entry["first_seen"] for entry in found.facts["found"]} == {
        "field New": two_before.isoformat(),
        "value that does not fit MachineGroup": DAY.isoformat(),
        "Severity 'Severe'": DAY.isoformat(),
    }


def test_names_and_words_that_hide_are_shown_as_escapes(place: Place) -> None:
    hidden = properties(ALERT_INFO, **{"Ev\u202eil": 1, "Severity": "Hi\u202egh"})
    place.arrive(ALERT_INFO, line(ALERT_INFO, hidden))
    found = drift(place.lake, ALERT_INFO, DAY).facts["found"]
    assert {entry["what"] for entry in found} == {"field Ev\\u202eil", "Severity 'Hi\\u202egh'"}
