"""Silence: tenants whose pulse stopped, and what the lake knows and the export no longer shows."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from defender_assets.core.errors import ExportError
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.staleness import list_days
from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.quality.pulse import hour_of, start_of
from defender_assets.core.quality.shown_parts import Shown, look_at, missing_parts
from defender_assets.core.quality.signs import Signs, TenantSigns, read_signs
from defender_assets.core.quality.silence import EXPORT, quiet_or_broken, silences, tenant_silences, unlistable
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, TABLES, Table
from defender_assets_tests.support.exports import OTHER_TENANT, TENANT, Folder, blob_path, local_lake, records

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)  # a Friday
HOUR = timedelta(hours=1)


def signs(
    last: datetime, hours: Iterable[int] = (), table: Table = DEVICE_INFO, newest: datetime | None = None
) -> TenantSigns:
    """A tenant with records in the given hours back from the last one."""
    found = {hour_of(last) - back for back in hours}
    return TenantSigns({table.name: Signs(found | {hour_of(last)}, newest or last)})


def failed(outcomes: dict[str, CheckOutcome]) -> list[str]:
    return [subject for subject, outcome in outcomes.items() if not outcome.passed]


EVERY_HOUR = range(24 * 20)


def test_a_tenant_is_silent_two_hours_after_its_last_heartbeat() -> None:
    last = NOW - timedelta(minutes=119)
    assert failed(tenant_silences({TENANT: signs(last, EVERY_HOUR)}, NOW)) == []
    (outcome,) = tenant_silences({TENANT: signs(last, EVERY_HOUR)}, NOW + timedelta(minutes=1)).values()
    assert not outcome.passed
    assert f"{TENANT} sent no heartbeat for 2 hours" in outcome.summary
    assert "Streaming API" in outcome.summary


def test_a_tenant_of_mail_only_is_quiet_on_a_weekend_and_silent_after_two() -> None:
    monday = datetime(2026, 11, 2, 9, tzinfo=UTC)
    hours = [monday + timedelta(days=day, hours=hour) for day in (0, 1, 2, 3, 4, 7, 8, 9, 10, 11) for hour in (0, 5)]
    known = {TENANT: signs(hours[-1], [hour_of(hours[-1]) - hour_of(hour) for hour in hours], ALERT_INFO)}
    friday = hours[-1]
    assert friday.weekday() == 4
    for later in range(1, 68):
        assert failed(tenant_silences(known, friday + later * HOUR)) == [], later
    assert failed(tenant_silences(known, friday + timedelta(days=6))) == [TENANT]
    assert "sent no record" in tenant_silences(known, friday + timedelta(days=6))[TENANT].summary


def test_alerts_do_not_hide_missing_heartbeats() -> None:
    known = {
        TENANT: TenantSigns(
            {
                **signs(NOW - timedelta(days=20), EVERY_HOUR).by_table,
                **signs(NOW, EVERY_HOUR, ALERT_EVIDENCE).by_table,
            }
        )
    }
    assert failed(tenant_silences(known, NOW)) == [TENANT]


def test_a_tenant_without_a_record_for_a_month_has_left_unless_all_are_silent() -> None:
    gone, here = signs(NOW - timedelta(days=31), EVERY_HOUR), signs(NOW, EVERY_HOUR)
    assert list(tenant_silences({OTHER_TENANT: gone, TENANT: here}, NOW)) == [TENANT]
    assert failed(tenant_silences({OTHER_TENANT: gone}, NOW)) == [OTHER_TENANT]


def test_a_past_day_is_judged_at_its_end_by_what_had_arrived() -> None:
    end = datetime(2026, 11, 20, tzinfo=UTC)
    day = date(2026, 11, 19)
    later = range(hour_of(NOW) - hour_of(end) + 1, 24 * 20)
    assert quiet_or_broken({TENANT: signs(NOW, later)}, day).passed
    stopped_at_noon = [back for back in later if start_of(hour_of(NOW) - back) < end - 12 * HOUR]
    outcome = quiet_or_broken({TENANT: signs(NOW, stopped_at_noon)}, day)
    assert not outcome.passed
    assert outcome.facts["silent_minutes"] == {TENANT: 720}
    assert quiet_or_broken({}, day).passed


@dataclass(frozen=True)
class Site:
    """An export in a directory and a lake; `fill` reads the export into raw."""

    folder: Folder
    lake: Lake

    @property
    def export(self) -> DirectoryExport:
        return DirectoryExport(self.folder.root)

    def put(self, table: Table, moment: datetime, tenant: str = TENANT) -> None:
        path = blob_path(moment.date(), moment.hour, tenant)
        self.folder.append(table, path, records(table, moment.hour, 1, tenant=tenant))

    def fill(self, *days: date) -> None:
        for day in days:
            for table in TABLES:
                ingest(self.lake, self.export, table, day)

    def silences(self, now: datetime) -> list[str]:
        """The failed subjects of an hourly look at today and yesterday."""
        listing = list_days(self.export, [now.date() - timedelta(days=back) for back in (1, 0)])
        return failed(silences(read_signs(self.lake, now, listing), look_at(self.export), now))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Two days of heartbeats in every hour up to NOW, an alert of one of two tenants, and all of it in raw."""
    made = Site(Folder(tmp_path / "export"), local_lake(tmp_path / "lake"))
    for tenant in (TENANT, OTHER_TENANT):
        for back in range(30):
            made.put(DEVICE_INFO, NOW - back * HOUR, tenant)
    made.put(ALERT_INFO, NOW - 3 * HOUR)
    made.fill(NOW.date() - timedelta(days=1), NOW.date())
    return made


def test_a_healthy_export_has_no_silence(site: Site) -> None:
    assert site.silences(NOW) == []
    assert EXPORT in silences(read_signs(site.lake, NOW), look_at(site.export), NOW)


def test_an_export_that_stops_is_silent_although_no_run_takes_place(site: Site) -> None:
    assert site.silences(NOW + HOUR) == []
    assert site.silences(NOW + 3 * HOUR) == [f"tenant {TENANT}", f"tenant {OTHER_TENANT}"]


def test_a_blob_that_is_not_read_yet_is_a_sign_of_life(site: Site) -> None:
    site.put(DEVICE_INFO, NOW + 2 * HOUR, OTHER_TENANT)
    assert site.silences(NOW + 3 * HOUR) == [f"tenant {TENANT}"]


def test_an_empty_blob_is_no_sign_of_life(site: Site) -> None:
    moment = NOW + 2 * HOUR
    site.folder.append(DEVICE_INFO, blob_path(moment.date(), moment.hour), b"")
    assert f"tenant {TENANT}" in site.silences(NOW + 3 * HOUR)


def test_a_blob_from_a_clock_that_is_ahead_is_no_sign_of_life(site: Site) -> None:
    site.put(DEVICE_INFO, NOW + timedelta(hours=9))
    site.fill(NOW.date())
    assert f"tenant {TENANT}" in site.silences(NOW + 3 * HOUR)


def test_an_export_that_is_gone_is_seen_at_once(site: Site) -> None:
    shutil.rmtree(site.folder.root)
    assert site.silences(NOW) == [f"container {ALERT_INFO.container}", f"container {DEVICE_INFO.container}"]


def test_a_container_that_is_gone_is_seen_at_once(site: Site) -> None:
    shutil.rmtree(site.folder.root / ALERT_INFO.container)
    assert site.silences(NOW) == [f"container {ALERT_INFO.container}"]


def test_the_silence_of_a_tenant_follows_from_a_container_that_is_gone(site: Site) -> None:
    alerts = {TENANT: signs(NOW - timedelta(days=9), [72], ALERT_INFO)}
    shown = Shown(frozenset({ALERT_INFO.container}), {})
    assert f"tenant {TENANT}" in failed(silences(alerts, shown, NOW))
    assert failed(silences(alerts, Shown(frozenset(), {}), NOW)) == [f"container {ALERT_INFO.container}"]
    # another container than that of the heartbeats explains nothing
    shutil.rmtree(site.folder.root / ALERT_INFO.container)
    subjects = site.silences(NOW + 3 * HOUR)
    assert {f"tenant {TENANT}", f"container {ALERT_INFO.container}"} <= set(subjects)
    shutil.rmtree(site.folder.root / DEVICE_INFO.container)
    assert f"tenant {TENANT}" not in site.silences(NOW + 3 * HOUR)


def test_the_folder_of_a_tenant_that_is_gone_is_seen_at_once(site: Site) -> None:
    shutil.rmtree(site.folder.root / DEVICE_INFO.container / f"tenantId={OTHER_TENANT}")
    assert site.silences(NOW) == [f"folder of tenant {OTHER_TENANT} in {DEVICE_INFO.container}"]


def test_the_case_of_a_tenant_does_not_matter(site: Site) -> None:
    known = read_signs(site.lake, NOW)
    shown = look_at(site.export)
    folder = site.folder.root / DEVICE_INFO.container
    (folder / f"tenantId={OTHER_TENANT}").rename(folder / f"tenantId={OTHER_TENANT.upper()}")
    assert failed(missing_parts(known, look_at(site.export), NOW)) == []
    assert shown == look_at(site.export)


def test_a_folder_that_a_lifecycle_rule_emptied_is_not_missing() -> None:
    known = {TENANT: signs(NOW - timedelta(days=8), table=ALERT_INFO)}
    containers = frozenset({ALERT_INFO.container})
    assert failed(missing_parts(known, Shown(containers, {}), NOW)) == []
    assert failed(missing_parts(known, Shown(None, {}), NOW)) == []
    assert failed(missing_parts(known, Shown(frozenset(), {}), NOW)) == [f"container {ALERT_INFO.container}"]
    recent = {TENANT: signs(NOW - timedelta(days=6), table=ALERT_INFO)}
    assert failed(missing_parts(recent, Shown(None, {}), NOW)) == [f"container {ALERT_INFO.container}"]


def test_a_container_that_was_left_a_month_ago_is_not_missing_unless_all_are() -> None:
    old = signs(NOW - timedelta(days=31), table=ALERT_INFO)
    nothing = Shown(frozenset(), {})
    assert failed(missing_parts({TENANT: old}, nothing, NOW)) == [f"container {ALERT_INFO.container}"]
    both = {TENANT: old, OTHER_TENANT: signs(NOW)}
    shown = Shown(frozenset({DEVICE_INFO.container}), {DEVICE_INFO.container: frozenset({OTHER_TENANT})})
    assert failed(missing_parts(both, shown, NOW)) == []


def test_an_export_that_cannot_be_listed_says_why_on_one_line() -> None:
    outcome = unlistable(ExportError("no\nway \x1b[2J"))
    assert not outcome.passed
    assert outcome.summary == r"The export cannot be listed: no\x0away \x1b[2J"


def test_an_empty_lake_knows_no_silence(tmp_path: Path) -> None:
    empty = Site(Folder(tmp_path / "export"), local_lake(tmp_path / "lake"))
    assert empty.silences(NOW) == []
    assert not (tmp_path / "lake").exists()
