"""Each quality check, on a day that passes and on a day that fails."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from defender_assets.catalog import LEADS
from defender_assets.core.export import DirectoryExport
from defender_assets.core.export.listing import list_day, list_table_day
from defender_assets.core.lake.lake import Lake
from defender_assets.core.quality import drift as drift_module
from defender_assets.core.quality.byte_balance import byte_balance, byte_balance_without_run
from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.quality.completeness import completeness
from defender_assets.core.quality.drift import drift
from defender_assets.core.quality.freshness import freshness
from defender_assets.core.quality.pulse import hour_of
from defender_assets.core.quality.signs import Signs, TenantSigns, read_signs
from defender_assets.core.raw.ingest import RawReport, ingest
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, TABLES, Table
from defender_assets.core.tables.build import build_table_day
from defender_assets_tests.support.exports import (
    DAY,
    TENANT,
    Folder,
    blob_path,
    line,
    local_lake,
    properties,
    records,
)

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


class SmallLake:
    """A lake and a directory export, with the steps of a run."""

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
def small_lake(tmp_path: Path) -> SmallLake:
    return SmallLake(tmp_path)


def at(moment: str, tenant: str = TENANT, **changes: str) -> bytes:
    return line(DEVICE_INFO, properties(DEVICE_INFO, Timestamp=moment, **changes), tenant=tenant, time=moment)


def test_bytes_balance_with_a_pending_tail(small_lake: SmallLake) -> None:
    report = small_lake.arrive(ALERT_INFO, records(ALERT_INFO, 0, 2) + b"tail")
    outcome = small_lake.balance(report, datetime.now(UTC))
    assert outcome.passed
    assert outcome.facts["bytes_pending"] == 4
    assert outcome.facts["tails_older_than_a_day"] == []


def test_a_tail_that_waits_for_over_a_day_is_listed(small_lake: SmallLake) -> None:
    report = small_lake.arrive(ALERT_INFO, records(ALERT_INFO, 0, 2) + b"tail")
    outcome = small_lake.balance(report, datetime.now(UTC) + timedelta(days=2))
    assert outcome.passed
    assert outcome.facts["tails_older_than_a_day"] == [blob_path()]
    assert "; 1 tail has waited for its newline for over a day." in outcome.summary


def test_a_blob_that_raw_lacks_breaks_the_balance(small_lake: SmallLake) -> None:
    report = small_lake.arrive(ALERT_INFO, records(ALERT_INFO, 0, 2))
    small_lake.folder.append(ALERT_INFO, blob_path(hour=9), records(ALERT_INFO, 5, 1))
    report.listed = list_day(small_lake.export, ALERT_INFO.container, DAY).blobs
    outcome = small_lake.balance(report)
    assert not outcome.passed
    assert outcome.facts["blobs_off_balance"] == [blob_path(hour=9)]


def test_a_hole_in_raw_breaks_the_balance(small_lake: SmallLake) -> None:
    small_lake.arrive(ALERT_INFO, records(ALERT_INFO, 0, 2))
    report = small_lake.arrive(ALERT_INFO, records(ALERT_INFO, 2, 2))
    small_lake.lake.open(ALERT_INFO.raw).delete("byte_start = 0")
    outcome = small_lake.balance(report)
    assert not outcome.passed
    assert outcome.facts["blobs_with_holes"] == [blob_path()]


def test_raw_may_be_newer_than_the_listing(small_lake: SmallLake) -> None:
    report = small_lake.arrive(ALERT_INFO, records(ALERT_INFO, 0, 2))
    small_lake.arrive(ALERT_INFO, records(ALERT_INFO, 2, 2))
    assert small_lake.balance(report).passed


def leads(*rows: tuple[str, bool, int, str]) -> pl.DataFrame:
    names = ["alert_id", "has_alert_info", "evidence_count", "device_match"]
    return pl.DataFrame(rows, schema={name: LEADS.schema[name] for name in names}, orient="row")


def test_a_few_incomplete_leads_are_normal() -> None:
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
def test_many_incomplete_leads_fail_with_samples(bad: tuple[str, bool, int, str], fact: str) -> None:
    outcome = completeness(leads(*[bad] * 4, ("b", True, 1, "as_of")))
    assert not outcome.passed
    assert outcome.facts[fact] == 4
    assert outcome.facts[f"{fact}_samples"] == ["x"] * 4
    assert fact.replace("_", " ") in outcome.summary


def test_freshness_has_a_limit_for_heartbeats_only(small_lake: SmallLake) -> None:
    for hour in range(8):
        small_lake.folder.append(DEVICE_INFO, blob_path(hour=hour), at(f"2026-11-03T{hour:02}:00:00Z"))
    small_lake.arrive(DEVICE_INFO, at("2026-11-03T08:00:00Z"))
    small_lake.arrive(ALERT_INFO, records(ALERT_INFO, 0, 1))
    late = freshness(small_lake.lake, DEVICE_INFO, DAY, NOON)
    assert not late.passed
    assert late.facts["minutes_behind"] == {TENANT: 240}
    assert "The newest heartbeat of 1 tenant is further behind than usual" in late.summary
    assert freshness(small_lake.lake, DEVICE_INFO, DAY, NOON - timedelta(hours=2, minutes=1)).passed
    assert freshness(small_lake.lake, ALERT_INFO, DAY, NOON + timedelta(hours=5)).passed
    assert freshness(small_lake.lake, DEVICE_INFO, DAY + timedelta(days=1), NOON).passed


def test_freshness_says_whether_a_silence_is_the_reason(small_lake: SmallLake) -> None:
    for hour in range(8):
        moment = f"2026-11-03T{hour:02}:30:00Z"
        small_lake.folder.append(DEVICE_INFO, blob_path(hour=hour), at(moment, ReportId=f"{hour}"))
    small_lake.arrive(DEVICE_INFO, at("2026-11-03T08:30:00Z"))

    def is_silence(*hours: int, now: datetime = NOON) -> bool:
        known = read_signs(small_lake.lake, NOON)[TENANT].by_table[DEVICE_INFO.name]
        arrived = Signs(known.hours | {hour_of(NOON.replace(hour=hour)) for hour in hours})
        signs = {TENANT: TenantSigns({DEVICE_INFO.name: arrived})}
        outcome = freshness(small_lake.lake, DEVICE_INFO, DAY, now, lambda: signs)
        assert not outcome.passed
        return outcome.silence

    assert is_silence()
    # the newest record may have arrived in the next hour
    assert is_silence(9)
    # the silence has just ended
    assert is_silence(11)
    # what arrived two hours before, at the latest, has not been read
    assert is_silence(10, 11)
    assert not is_silence(10, 11, now=NOON + timedelta(hours=1))


def test_heartbeats_of_a_tenant_with_pauses_may_be_as_late_as_usual(small_lake: SmallLake) -> None:
    for day in (DAY - timedelta(days=1), DAY):
        small_lake.arrive(DEVICE_INFO, at(f"{day}T08:00:00Z", ReportId=str(day)), day=day)
    assert freshness(small_lake.lake, DEVICE_INFO, DAY, NOON + timedelta(hours=12)).passed


@pytest.mark.parametrize(("tail", "balanced"), [(b"", True), (b"tail", True), (b"line\n", None), (b"\n", None)])
def test_without_a_run_a_tail_is_pending_and_a_line_is_undecided(
    small_lake: SmallLake, tail: bytes, balanced: bool | None
) -> None:
    small_lake.arrive(ALERT_INFO, records(ALERT_INFO, 0, 2))
    small_lake.folder.append(ALERT_INFO, blob_path(), tail)
    listed = list_table_day(small_lake.export, ALERT_INFO, DAY).blobs
    outcome = byte_balance_without_run(small_lake.lake, small_lake.export, ALERT_INFO, DAY, listed, NOON)
    assert (outcome.passed if outcome else None) == balanced
    small_lake.lake.open(ALERT_INFO.raw).delete("true")
    outcome = byte_balance_without_run(small_lake.lake, small_lake.export, ALERT_INFO, DAY, listed, NOON)
    assert outcome is None


def test_without_a_run_blobs_that_cannot_be_read_are_undecided(small_lake: SmallLake) -> None:
    small_lake.arrive(ALERT_INFO, records(ALERT_INFO, 0, 2))
    small_lake.folder.append(ALERT_INFO, blob_path(), b"tail")
    listed = list_table_day(small_lake.export, ALERT_INFO, DAY).blobs
    (small_lake.folder.root / ALERT_INFO.container / blob_path()).unlink()
    assert byte_balance_without_run(small_lake.lake, small_lake.export, ALERT_INFO, DAY, listed, NOON) is None


def test_without_a_run_a_hole_in_raw_fails(small_lake: SmallLake) -> None:
    for first in (0, 2):
        small_lake.arrive(ALERT_INFO, records(ALERT_INFO, first, 2))
    small_lake.lake.open(ALERT_INFO.raw).delete("byte_start = 0")
    small_lake.folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 4, 1))
    listed = list_table_day(small_lake.export, ALERT_INFO, DAY).blobs
    outcome = byte_balance_without_run(small_lake.lake, small_lake.export, ALERT_INFO, DAY, listed, NOON)
    assert outcome is not None
    assert not outcome.passed


def test_a_known_record_is_no_drift(small_lake: SmallLake) -> None:
    small_lake.arrive(ALERT_INFO, records(ALERT_INFO, 0, 1))
    assert drift(small_lake.lake, ALERT_INFO, DAY).passed


def test_new_fields_mismatches_and_values_are_listed_with_their_first_day(small_lake: SmallLake) -> None:
    changed = line(ALERT_INFO, properties(ALERT_INFO, New=1, MachineGroup=7, Severity="Severe"))
    before, two_before = DAY - timedelta(days=1), DAY - timedelta(days=2)
    small_lake.arrive(ALERT_INFO, line(ALERT_INFO, properties(ALERT_INFO, New=2)), day=two_before)
    small_lake.arrive(ALERT_INFO, line(ALERT_INFO, properties(ALERT_INFO, Old=2)), day=before)
    small_lake.arrive(ALERT_INFO, changed)
    outcome = drift(small_lake.lake, ALERT_INFO, DAY)
    assert not outcome.passed
    assert {entry["what"]: entry["first_seen"] for entry in outcome.facts["found"]} == {
        "field New": two_before.isoformat(),
        "value that does not fit MachineGroup": DAY.isoformat(),
        "Severity 'Severe'": DAY.isoformat(),
    }


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.hunting_name)
def test_times_that_are_no_moments_are_counted(small_lake: SmallLake, table: Table) -> None:
    impossible = (
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.9999999Z",
        "1999-12-31T23:59:59Z",
        "2026-11-05T00:00:00Z",
    )
    possible = ("2000-01-01T00:00:00Z", "2026-11-04T23:59:59Z")
    for time in (*impossible, *possible):
        small_lake.arrive(table, line(table, properties(table, Timestamp=time)))
    found = drift(small_lake.lake, table, DAY).facts["found"]
    assert [(entry["what"], entry["rows"]) for entry in found] == [
        ("Timestamp before 2000, or two days after its arrival", len(impossible))
    ]


def test_hidden_characters_in_names_and_values_are_escaped(small_lake: SmallLake) -> None:
    hidden = properties(ALERT_INFO, **{"Ev\u202eil": 1, "Severity": "Hi\u202egh"})
    small_lake.arrive(ALERT_INFO, line(ALERT_INFO, hidden))
    found = drift(small_lake.lake, ALERT_INFO, DAY).facts["found"]
    assert {entry["what"] for entry in found} == {"field Ev\\u202eil", "Severity 'Hi\\u202egh'"}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (ALERT_INFO, {"ServiceSource": "MicrosoftDefenderForOffice365", "Category": "Defense Impairment"}),
        (ALERT_INFO, {"DetectionSource": "custom detection", "Severity": "HIGH", "Category": "Stealth"}),
        (ALERT_EVIDENCE, {"EntityType": "KubernetesPod", "EvidenceDirection": "Suspect", "EvidenceRole": "impacted"}),
        (DEVICE_INFO, {"OnboardingStatus": "CanBeOnboarded", "SensorHealthState": "No sensor data"}),
    ],
)
def test_known_words_in_any_spelling_are_no_drift(table: Table, words: dict[str, str], small_lake: SmallLake) -> None:
    small_lake.arrive(table, line(table, properties(table, **words)))
    assert drift(small_lake.lake, table, DAY).passed


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (ALERT_INFO, "Category"),
        (ALERT_INFO, "DetectionSource"),
        (ALERT_EVIDENCE, "EntityType"),
        (ALERT_EVIDENCE, "EvidenceRole"),
        (ALERT_EVIDENCE, "EvidenceDirection"),
        (DEVICE_INFO, "OnboardingStatus"),
        (DEVICE_INFO, "SensorHealthState"),
    ],
)
def test_a_word_that_nobody_knows_is_counted_by_its_name(table: Table, column: str, small_lake: SmallLake) -> None:
    small_lake.arrive(table, line(table, properties(table, **{column: "Quantum"})))
    (found,) = drift(small_lake.lake, table, DAY).facts["found"]
    assert found == {"what": f"{column} 'Quantum'", "rows": 1, "first_seen": DAY.isoformat()}


def test_categories_of_evidence_are_words_too(small_lake: SmallLake) -> None:
    evidence = properties(ALERT_EVIDENCE, Categories='["Execution","Quantum"]')
    small_lake.arrive(ALERT_EVIDENCE, line(ALERT_EVIDENCE, evidence))
    assert [found["what"] for found in drift(small_lake.lake, ALERT_EVIDENCE, DAY).facts["found"]] == [
        "Categories 'Quantum'"
    ]


def test_many_and_long_new_words_are_bounded(small_lake: SmallLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift_module, "MOST_WORDS", 3)
    words = [f"{number}" + "x" * 5000 for number in range(9)] + ["often"] * 2
    lines = [
        line(ALERT_EVIDENCE, properties(ALERT_EVIDENCE, EntityType=word, AlertId=f"da{number}"))
        for number, word in enumerate(words)
    ]
    small_lake.arrive(ALERT_EVIDENCE, b"".join(lines))
    facts = drift(small_lake.lake, ALERT_EVIDENCE, DAY).facts
    assert facts["count"] == 3
    assert facts["found"][0] == {"what": "EntityType 'often'", "rows": 2, "first_seen": DAY.isoformat()}
    assert all(len(found["what"]) <= drift_module.CELL for found in facts["found"])
