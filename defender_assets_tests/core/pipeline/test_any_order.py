"""The days of a month give the same leads, story ids and queue, whatever the order in which they are built."""

from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random

import polars as pl
import pytest

from defender_assets.catalog import LEADS, QUEUE, STORIES
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, TABLES, Table
from defender_assets.core.tables.build import build_table_day
from defender_assets_tests.support.day_runs import promised_rows
from defender_assets_tests.support.exports import Folder, blob_path, line, local_lake, properties

FIRST = date(2026, 10, 1)
BUILT = (LEADS, STORIES, QUEUE)
WITH_BLOBS = (0, 1, 8, 29)
"""The days with blobs, of thirty: adjacent, a week apart, and at both ends of the look-back."""


def day_of(number: int) -> date:
    return FIRST + timedelta(days=number)


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> DirectoryExport:
    """Each day has two alerts of one attack, a heartbeat from the day before, and an update of the very first alert."""
    folder = Folder(tmp_path_factory.mktemp("thirty-days"))
    for number in WITH_BLOBS:
        evening = datetime.combine(day_of(number), time(20))

        def put(table: Table, hours: int, *, number: int = number, when: datetime = evening, **columns: object) -> None:
            moment = (when + timedelta(hours=hours)).isoformat()
            record = properties(table, Timestamp=f"{moment}Z", **columns)
            folder.append(table, blob_path(day=day_of(number)), line(table, record))

        for alert, hours in ((f"da{number}a", 0), (f"da{number}b", 1)):
            put(ALERT_INFO, hours, AlertId=alert, Title=f"{alert} was seen")
            put(ALERT_EVIDENCE, hours, AlertId=alert, DeviceId=f"dev{number}")
            for attack in (number, number + 1):
                put(ALERT_EVIDENCE, hours, AlertId=alert, EntityType="File", DeviceId=None, SHA256=f"{attack:064x}")
        put(ALERT_INFO, 2, AlertId="da0a", Title=f"again on {number}", Severity="High")
        put(DEVICE_INFO, -30, DeviceId=f"dev{number}", DeviceName=f"host of {number}")
    return DirectoryExport(folder.root)


def build_until_stable(lake: Lake, export: DirectoryExport, order: list[int], seeded_rng: Random) -> int:
    """Run the days in the given order, then in random orders until no day is behind; return the number of rounds."""
    rounds, written = 0, True
    while written:
        written = False
        for number in order:
            for table in TABLES if rounds == 0 else ():
                ingest(lake, export, table, day_of(number))
                build_table_day(lake, table, day_of(number))
            for derived in BUILT:
                written |= build_partition(lake, derived, day_of(number)).written
        order = sorted(order, key=lambda _: seeded_rng.random())
        rounds += 1
    return rounds


def test_the_days_of_a_month_in_any_order_give_the_same_leads_stories_and_queue(
    tmp_path: Path, export: DirectoryExport
) -> None:
    in_order, shuffled = local_lake(tmp_path / "in-order"), local_lake(tmp_path / "shuffled")
    assert build_until_stable(in_order, export, list(WITH_BLOBS), Random(0)) == 2
    assert build_until_stable(shuffled, export, [29, 1, 8, 0], Random(7)) > 2
    expected = {derived.name: promised_rows(in_order, derived).collect() for derived in BUILT}
    for derived in BUILT:
        assert promised_rows(shuffled, derived).collect().equals(expected[derived.name]), derived.name
    versions = expected[LEADS.name].filter(pl.col("alert_id") == "da0a").sort("export_date")
    assert versions["change"].to_list() == ["new", *["updated"] * 3]
    assert versions["device_name"].to_list() == ["host of 0"] * 2 + [None] * 2
    ids = expected[STORIES.name].select("story_id", "lead_count")
    assert ids["lead_count"].max() == 4
    assert ids["story_id"].n_unique() == 3
    queue = expected[QUEUE.name]
    assert queue.filter(pl.col("story_id").is_not_null()).height == ids["lead_count"].sum()
    assert queue.select("export_date", "tenant_id", "lead_id").is_unique().all()
