"""The setup for a single fault: an export with its truth, and a lake that reads it."""

import shutil
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from defender_assets.core.export import Export, UnreadablePart
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.staleness import Missing, find_stale_days
from defender_assets.core.schemas import ALERT_INFO
from defender_assets_tests.faults.exports import Call, Event, FaultyExport
from defender_assets_tests.faults.lakes import FaultyLake, Moment
from defender_assets_tests.faults.small_runs import run_part
from defender_assets_tests.faults.streams import Line, Slot, make_line
from defender_assets_tests.faults.truth import SLOTS, TABLES_BY_NAME, Truth
from defender_assets_tests.support.export_accounts import ExportStorage
from defender_assets_tests.support.exports import DAY, local_lake

PART = ALERT_INFO.name
SLOT, NEXT_HOUR = (slot for slot in SLOTS[:2])


@dataclass
class ScenarioSetup:
    """An export and a lake; a scenario changes them and checks the truth."""

    folder: Path
    storage: ExportStorage
    lake: Lake = field(init=False)
    truth: Truth = field(init=False)

    def __post_init__(self) -> None:
        self.lake = local_lake(self.folder / "lake")
        self.truth = Truth(self.storage, self.lake)

    @property
    def export(self) -> Export:
        return self.storage.export

    def lines(self, *kinds: str, slot: Slot = SLOT, first: int = 0) -> list[Line]:
        """Numbered lines of the given kinds."""
        table = TABLES_BY_NAME[slot.table_name]
        return [make_line(table, slot.tenant, kind, number) for number, kind in enumerate(kinds, first)]

    def write(self, *kinds: str, slot: Slot = SLOT, first: int = 0, cut: int | None = None) -> None:
        """Append lines."""
        self.truth.append(slot, self.lines(*kinds, slot=slot, first=first), cut)

    def recreate(self, *kinds: str, slot: Slot = SLOT, first: int = 0) -> None:
        """Delete the blob and write a shorter one."""
        assert self.truth.recreate(slot, self.lines(*kinds, slot=slot, first=first))

    def run(self, part: str = PART, day: date = DAY, *, refresh: bool = False) -> list[UnreadablePart]:
        """Run a part of the day; return what could not be read of the export."""
        return run_part(part, self.lake, self.export, day, refresh=refresh)

    def run_on(self, lake: Lake, export: Export | None = None, part: str = PART) -> list[UnreadablePart]:
        """Run a part of the day on a faulty lake, or from a faulty export; return what could not be read of it."""
        return run_part(part, lake, export or self.export, DAY)

    def unread(self) -> list[Missing]:
        """What the sensor finds unread on the day."""
        return [part for late in find_stale_days(self.lake, self.export, [DAY]) for part in late.missing]

    def behind(self) -> bool:
        """Whether the sensor would ask for a run of the day for the sake of this part."""
        days = find_stale_days(self.lake, self.export, [DAY])
        return any(stale.table.endswith(PART) for day in days for stale in day.stale)

    def back_up(self) -> Path:
        """Copy the lake; return the folder of the copy."""
        return Path(shutil.copytree(self.lake.uri, self.folder / f"backup-{len(list(self.folder.iterdir()))}"))

    def faulty_lake(self, number: int, moment: Moment, event: Event) -> FaultyLake:
        """The lake, with an event at a commit."""
        return FaultyLake.over(self.lake, number, moment, event)

    def faulty_export(self, call: Call, number: int, event: Event) -> FaultyExport:
        """The export, with an event at a call."""
        return FaultyExport(self.export, call, number, event)
