"""What is updated (leads, stories, OCSF events) equals a full build; where anything else happened it is built."""

import random
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from defender_assets.catalog import FINDINGS, LEADS, STORIES, derived_tables
from defender_assets.core.lake.compaction import compact_day
from defender_assets.core.lake.lake import Built, Commit, Lake
from defender_assets.core.lake.snapshots import scan, scan_days
from defender_assets.core.leads import build
from defender_assets.core.leads.risk import ScoringConfig
from defender_assets.core.leads.risk.muting import Mute
from defender_assets.core.pipeline import upstream_changes
from defender_assets.core.pipeline.derived_table import DerivedReport, DerivedTable, build_partition
from defender_assets.core.pipeline.upstream_changes import LAST_VERSIONS
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, Table
from defender_assets.outputs.ocsf import build as ocsf_build
from defender_assets.outputs.ocsf.event import event_of
from defender_assets_tests.support.alert_rows import DAY, Row, at, beat, evidence, info, machine
from defender_assets_tests.support.exhaustive import some_of
from defender_assets_tests.support.exports import local_lake
from defender_assets_tests.support.random_records import random_record

Records = Iterable[tuple[Table, Row]]
MUTED = ScoringConfig(mutes=(Mute("phishing", "tested", (("title", ("phishing",)),)),))


@pytest.fixture(autouse=True)
def always_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "LEAST_KEPT", 0)


@dataclass
class Growing:
    """A lake whose typed tables grow by a commit for each day and table."""

    root: Path
    leads: DerivedTable = LEADS
    alerts: int = 0
    seeded_rng: random.Random = field(default_factory=lambda: random.Random(0))

    @property
    def lake(self) -> Lake:
        return local_lake(self.root / "lake")

    def folder(self, name: str) -> Path:
        return Path(self.lake.table_uri(name))

    def put(self, records: Records) -> None:
        by_day: dict[tuple[str, date], list[Row]] = {}
        for table, row in records:
            by_day.setdefault((table.name, row["export_date"]), []).append(row)
        for (name, day), rows in by_day.items():
            target = self.lake.fenced(name, day)
            written = pl.DataFrame(rows, schema=target.spec.schema, orient="row")
            self.lake.commit(target, Commit([written], target.version + 1, built=Built(0, written.height)))

    def put_alert(self, days: int = 0) -> None:
        self.alerts += 1
        day, alert = DAY + timedelta(days=days), f"da-new-{self.alerts}"
        common: dict[str, Any] = {"day": day, "Timestamp": at(days=days)}
        self.put([(ALERT_INFO, info(alert, **common)), (ALERT_EVIDENCE, machine("a", alert, **common))])

    def put_random(self, count: int, *tables: Table) -> None:
        records = [random_record(self.seeded_rng) for _ in range(count)]
        self.put((table, row) for table, row in records if table in tables)

    def build(self, *, force: bool = False) -> DerivedReport:
        """Build the leads; those that are updated must be those of a full build, in the report and in the lake."""
        report = build_partition(self.lake, self.leads, DAY, force=force)
        if not report.updated:
            return report
        look_backs = [scan(self.lake.open(upstream.name)) for upstream in LEADS.upstreams]
        truth = self.leads.build(DAY, *look_backs)
        assert_frame_equal(report.rows.drop("built_version"), truth)
        stored = scan_days(self.lake.open(LEADS.name), DAY, DAY).collect()
        assert_frame_equal(stored.drop("built_version"), truth)
        assert set(stored["built_version"]) == {report.version}
        return report


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Growing(tmp_path_factory.mktemp("grown"))
    made.put_random(60, ALERT_INFO, ALERT_EVIDENCE, DEVICE_INFO)
    assert not made.build().updated
    made.put_alert()
    assert made.build().updated
    return made.root


@pytest.fixture
def growing(grown: Path, tmp_path: Path) -> Growing:
    """A lake whose leads were built, and then updated."""
    shutil.copytree(grown, tmp_path, dirs_exist_ok=True)
    return Growing(tmp_path, alerts=1)


def restore_to_before(growing: Growing, name: str) -> None:
    table = DeltaTable(growing.folder(name))
    table.restore(table.version() - 1)


def put_back_from_a_copy(growing: Growing) -> None:
    """Take the evidence back by a commit, as if a backup was restored, after leads were built from that commit."""
    folder, copy = growing.folder(ALERT_EVIDENCE.name), growing.root / "copy"
    shutil.copytree(folder, copy)
    growing.put([(ALERT_EVIDENCE, machine("b", "da-lost"))])
    assert growing.build().updated
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)
    growing.put([(ALERT_EVIDENCE, machine("b", "da-other"))])


def written_by_an_older_version(growing: Growing) -> None:
    """Write the leads as a version does that records no files, with a title of its own."""
    target = growing.lake.fenced(LEADS.name, DAY)
    rows = scan_days(target.table, DAY, DAY).collect()
    version = target.version + 1
    rows = rows.with_columns(title=pl.lit("of an older version"), built_version=pl.lit(version, pl.Int64))
    growing.lake.commit(target, Commit([rows], version, replaces="", built=Built(0, rows.height)))


def damage_the_leads(growing: Growing) -> None:
    (path,) = scan_files_of(growing)
    path.write_bytes(path.read_bytes()[:100])


def scan_files_of(growing: Growing) -> list[Path]:
    table = growing.lake.open(LEADS.name)
    return [Path(uri) for uri in table.file_uris()]


def maintain_another_day(growing: Growing) -> None:
    day = DAY - timedelta(days=40)
    for alert in ("da-old", "da-older"):
        growing.put([(ALERT_INFO, info(alert, day=day))])
    assert compact_day(growing.lake, ALERT_INFO.name, day)


def mute(growing: Growing) -> None:
    growing.leads = derived_tables(MUTED)[0]


UNDOUBTED: dict[str, Callable[[Growing], object]] = {
    "nothing else": lambda _: None,
    "records of an earlier day": lambda growing: growing.put_alert(days=-6),
    "a heartbeat": lambda growing: growing.put([(DEVICE_INFO, beat("a", at(1), ExposureLevel="High"))]),
    "a heartbeat of an earlier day": lambda growing: growing.put(
        [(DEVICE_INFO, beat("a", day=DAY - timedelta(days=5)))]
    ),
    "maintenance of another day": maintain_another_day,
    "copies": lambda growing: growing.put([(ALERT_INFO, info("da-new-1", ours={"blob": "again"}))]),
}
DOUBTED: dict[str, Callable[[Growing], object]] = {
    "records of a week ago": lambda growing: growing.put_alert(days=-7),
    "compaction": lambda growing: compact_day(growing.lake, ALERT_EVIDENCE.name, DAY),
    "a restored upstream": lambda growing: restore_to_before(growing, ALERT_EVIDENCE.name),
    "an upstream from a copy": put_back_from_a_copy,
    "restored leads": lambda growing: restore_to_before(growing, LEADS.name),
    "leads of an older version": written_by_an_older_version,
    "damaged leads": damage_the_leads,
    "other mutes": mute,
    "another portal": lambda growing: setattr(growing, "leads", derived_tables(ScoringConfig(), "https://other")[0]),
}


@pytest.mark.parametrize("what", some_of(UNDOUBTED, lambda what: what != "a heartbeat of an earlier day"))
def test_leads_are_updated_with_new_records(growing: Growing, what: str) -> None:
    UNDOUBTED[what](growing)
    growing.put_alert()
    assert growing.build().updated


@pytest.mark.parametrize("what", DOUBTED)
def test_leads_are_built_in_any_doubt(growing: Growing, what: str) -> None:
    DOUBTED[what](growing)
    growing.put_alert()
    assert not growing.build().updated
    growing.put_alert()
    assert growing.build().updated


def test_leads_are_built_by_other_code(growing: Growing, monkeypatch: pytest.MonkeyPatch) -> None:
    growing.put_alert()
    monkeypatch.setattr(upstream_changes, "_program", lambda: "another version")
    assert not growing.build().updated


def test_a_forced_build_is_full(growing: Growing) -> None:
    growing.put_alert()
    assert not growing.build(force=True).updated


def build_findings_of(growing: Growing) -> DerivedReport:
    """Build the OCSF events, which must be those of a full build."""
    report = build_partition(growing.lake, FINDINGS, DAY)
    truth = FINDINGS.build(DAY, scan(growing.lake.open(LEADS.name)))
    assert_frame_equal(report.rows.drop("built_version"), truth)
    return report


def forget_earlier_leads(growing: Growing) -> None:
    """Delete the files of the leads' earlier versions, as maintenance does after a week."""
    for path in set(growing.folder(LEADS.name).rglob("*.parquet")) - set(scan_files_of(growing)):
        path.unlink()


def test_events_are_made_for_the_leads_that_changed_alone(growing: Growing, monkeypatch: pytest.MonkeyPatch) -> None:
    build_findings_of(growing)
    growing.put_alert()
    growing.build()
    made: list[str] = []

    def counted(lead: Row) -> Row:
        made.append(lead["lead_id"])
        return event_of(lead)

    monkeypatch.setattr(ocsf_build, "event_of", counted)
    report = build_partition(growing.lake, FINDINGS, DAY)
    assert report.updated
    assert 0 < len(made) < report.rows.height / 2
    assert_frame_equal(report.rows.drop("built_version"), FINDINGS.build(DAY, scan(growing.lake.open(LEADS.name))))


@pytest.mark.parametrize(("builds", "updated"), [(LAST_VERSIONS, True), (LAST_VERSIONS + 1, False)])
def test_events_are_updated_over_a_few_builds_of_the_leads(growing: Growing, builds: int, updated: bool) -> None:
    build_findings_of(growing)
    for _ in range(builds):
        growing.put_alert()
        build_partition(growing.lake, LEADS, DAY)
    assert build_findings_of(growing).updated is updated


@pytest.mark.parametrize("what", [forget_earlier_leads, lambda growing: restore_to_before(growing, FINDINGS.name)])
def test_events_are_built_in_any_doubt(growing: Growing, what: Callable[[Growing], object]) -> None:
    build_findings_of(growing)
    growing.put_alert()
    growing.build()
    what(growing)
    assert not build_findings_of(growing).updated


def build_stories_of(growing: Growing) -> DerivedReport:
    """Build the stories, which must be those of a full build, in the report and in the lake."""
    report = build_partition(growing.lake, STORIES, DAY)
    truth = STORIES.build(DAY, scan(growing.lake.open(LEADS.name)))
    assert not truth.is_empty()
    assert_frame_equal(report.rows.drop("built_version"), truth)
    assert_frame_equal(scan_days(growing.lake.open(STORIES.name), DAY, DAY).collect().drop("built_version"), truth)
    return report


def put_heartbeat(growing: Growing, when: datetime, **values: Any) -> None:
    growing.put([(DEVICE_INFO, beat("a", when, **values))])


@pytest.fixture(scope="module")
def grown_with_story(grown: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Growing(tmp_path_factory.mktemp("story"))
    shutil.copytree(grown, made.root, dirs_exist_ok=True)
    for alert in ("da-1", "da-2"):
        made.put([(ALERT_EVIDENCE, row) for row in (machine("a", alert), evidence("File", alert, SHA1="1" * 40))])
    put_heartbeat(made, at(-1), ExposureLevel="Low")
    build_partition(made.lake, LEADS, DAY)
    assert not build_stories_of(made).updated
    return made.root


@pytest.fixture
def with_story(grown_with_story: Path, tmp_path: Path) -> Growing:
    """A lake with two leads on one device that share a new file, and the story of them."""
    shutil.copytree(grown_with_story, tmp_path, dirs_exist_ok=True)
    return Growing(tmp_path)


LEFT_ALONE: dict[str, Callable[[Growing], object]] = {
    "a device was seen later": lambda growing: put_heartbeat(growing, at(minutes=-1), OSVersion="2"),
    "leads that are built again": lambda growing: growing.build(force=True),
}


@pytest.mark.parametrize("what", LEFT_ALONE)
def test_stories_stay_if_nothing_that_they_are_made_of_changed(with_story: Growing, what: str) -> None:
    LEFT_ALONE[what](with_story)
    build_partition(with_story.lake, LEADS, DAY)
    report = build_stories_of(with_story)
    assert report.written
    assert report.updated


def test_stories_are_built_if_leads_changed_in_what_they_are_made_of(with_story: Growing) -> None:
    put_heartbeat(with_story, at(minutes=-1), ExposureLevel="High")
    assert build_partition(with_story.lake, LEADS, DAY).updated
    assert not build_stories_of(with_story).updated


def test_stories_are_built_in_any_doubt(with_story: Growing) -> None:
    put_heartbeat(with_story, at(minutes=-1))
    build_partition(with_story.lake, LEADS, DAY)
    forget_earlier_leads(with_story)
    assert not build_stories_of(with_story).updated


def test_leads_of_a_lake_that_grows_at_random(growing: Growing) -> None:
    growing.seeded_rng = random.Random("later 0")
    deeds = [None, None, *growing.seeded_rng.sample(sorted(DOUBTED), 1)]
    growing.seeded_rng.shuffle(deeds)
    for deed in deeds:
        if deed:
            DOUBTED[deed](growing)
        growing.put_random(6, ALERT_INFO, ALERT_EVIDENCE, DEVICE_INFO)
        assert growing.build().updated == (deed is None)
