"""A small export with its lake, and differences that tests plant in it and take back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from defender_assets.catalog import LEADS
from defender_assets.core.audit.findings import Kind
from defender_assets.core.audit.walk import Audit, audit_days, days_held
from defender_assets.core.export import DirectoryExport, Export
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO
from defender_assets_tests.support.day_runs import run_day
from defender_assets_tests.support.exports import (
    DAY,
    OTHER_TENANT,
    Folder,
    blob_path,
    line,
    local_lake,
    properties,
    records,
)

Change = Callable[[pl.DataFrame], pl.DataFrame]
BAD_LINE = b"this is no record\r\n"
FIRST, SECOND = blob_path(hour=8), blob_path(hour=9)


@dataclass(frozen=True)
class Planted:
    """An export in a directory and its lake. A change of a table is taken back when its block ends."""

    root: Path

    @property
    def export(self) -> DirectoryExport:
        return DirectoryExport(self.root / "export")

    @property
    def folder(self) -> Folder:
        return Folder(self.root / "export")

    @property
    def lake(self) -> Lake:
        return local_lake(self.root / "lake")

    @contextmanager
    def changed(self, name: str, change: Change) -> Iterator[None]:
        """Replace the day's rows of a table by what `change` makes of them, under the same version."""
        target = self.lake.fenced(name, DAY)
        before = target.table.version()
        rows = self.lake.read(name).filter(pl.col("export_date") == DAY).collect()
        order = ("blob", "blob_created_at", "byte_start") if "byte_start" in rows.columns else ()
        changed = change(rows.sort(order) if order else rows).select(rows.columns)
        self.lake.commit(target, Commit([changed], target.version, replaces=""))
        yield
        self.lake.open(name).restore(before)

    def audited(self, export: Export | None = None, *, with_export: bool = True) -> list[Audit]:
        """The audit of all days."""
        shown = (export or self.export) if with_export else None
        return list(audit_days(self.lake, shown, days_held(self.lake, shown)))

    def found(self, *, with_export: bool = True) -> set[tuple[Kind, str, str | None]]:
        """Kind, table and blob of each difference."""
        return {
            (each.kind, each.table, each.blob)
            for audit in self.audited(with_export=with_export)
            for each in audit.differences
        }


def make_planted(root: Path) -> Planted:
    """Two tenants; blobs that grew, a copy in another blob, a bad line, and leads."""
    made = Planted(root)
    alert = {"AlertId": "da-1"}
    evidence = line(ALERT_EVIDENCE, properties(ALERT_EVIDENCE, **alert))
    user = line(ALERT_EVIDENCE, properties(ALERT_EVIDENCE, EntityType="User", AccountUpn="ann@example.com", **alert))
    for number in range(3):
        made.folder.append(DEVICE_INFO, FIRST, records(DEVICE_INFO, 10 * number, 2))
        made.folder.append(DEVICE_INFO, SECOND, records(DEVICE_INFO, 10 * number + 5, 2))
        if number == 0:
            made.folder.append(ALERT_INFO, FIRST, line(ALERT_INFO, properties(ALERT_INFO, **alert)) + BAD_LINE)
            made.folder.append(ALERT_EVIDENCE, FIRST, evidence + user)
        if number == 1:
            made.folder.append(ALERT_EVIDENCE, SECOND, evidence)
            for table in (ALERT_INFO, ALERT_EVIDENCE, DEVICE_INFO):
                other = blob_path(hour=8, tenant=OTHER_TENANT)
                made.folder.append(table, other, line(table, properties(table), tenant=OTHER_TENANT))
        run_day(made.lake, made.export, DAY, [LEADS])
    return made
