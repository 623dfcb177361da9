"""A lake that grows by small runs, for the tests of maintenance and compaction."""

from datetime import date

from defender_assets.catalog import DERIVED
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_INFO
from defender_assets.core.tables.build import build_table_day
from defender_assets_tests.support.exports import DAY, Folder, blob_path, records

BAD = b"no record\r\n"


def ticks(lake: Lake, export: DirectoryExport, count: int, day: date = DAY, first: int = 0) -> None:
    """Small appends, each followed by a run, newest records first so that the table as a whole is not sorted."""
    folder = Folder(export.root)
    for number in range(first, first + count):
        folder.append(ALERT_INFO, blob_path(day=day, hour=8 + number % 2), records(ALERT_INFO, 999 - number, 1) + BAD)
        ingest(lake, export, ALERT_INFO, day)
        build_table_day(lake, ALERT_INFO, day)


def build(lake: Lake, day: date) -> None:
    for derived in DERIVED:
        build_partition(lake, derived, day)
