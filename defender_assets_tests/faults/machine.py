"""A state machine over an export and a lake: growth, faults, crashes, retries, nested runs and refreshes in any order.

At each step, raw is a prefix of what was written. At the end of each example, after undisturbed runs, every table
matches the truth and equals a lake that was built once from the same raw bytes.
"""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from defender_assets.catalog import DERIVED
from defender_assets.core.errors import ExportError
from defender_assets.core.export import Export
from defender_assets.core.lake.compaction import compact_day
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.log_files import HINT, checkpoint_path
from defender_assets.core.lake.maintenance import maintain
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.raw.ingest import ingest, refresh
from defender_assets.core.raw.range_reader import TornLineError
from defender_assets.core.schemas import ALERT_EVIDENCE, QUARANTINE, TABLES
from defender_assets.core.tables.build import build_table_day
from defender_assets_tests.faults.damage import Kind, Operator, all_damage, data_file, spoil, spoil_data
from defender_assets_tests.faults.equal_lakes import assert_same_tables, built_at_once
from defender_assets_tests.faults.exports import Call, Event, FaultyExport, refused
from defender_assets_tests.faults.lakes import (
    DiedError,
    FaultyLake,
    Moment,
    OnPurposeError,
)
from defender_assets_tests.faults.small_runs import Sizes, run_day, run_part, small_sizes
from defender_assets_tests.faults.strategies import (
    Draft,
    Work,
    calls,
    changes,
    commit_faults,
    commits,
    cuts,
    days,
    drafts,
    kinds_of_damage,
    moments,
    numbers,
    read_faults,
    sizes,
    slots,
    some_tables,
    tables,
    works,
)
from defender_assets_tests.faults.streams import KINDS, Line, Slot, make_line
from defender_assets_tests.faults.truth import DAYS, SLOTS, TABLES_BY_NAME, Truth
from defender_assets_tests.faults.unreadable import UnreadableParts
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.export_accounts import Directory, ExportStorage, account_storage
from defender_assets_tests.support.exports import local_lake


class Interruptions(UnreadableParts):
    """The machine over a directory."""

    steps = 0
    """Steps of all examples so far, kept for `soak`."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="faults-"))
        self.leave = ExitStack()
        self.leave.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.leave.enter_context(small_sizes())
        self.lake: Lake = local_lake(self.folder / "lake")
        self.truth = Truth(self.make_storage(), self.lake)
        self.export = self.truth.storage.export
        self.versions: dict[str, int] = {}
        self.backups: list[Path] = []
        self.taken_back = False

    def make_storage(self) -> ExportStorage:
        return Directory(self.folder / "export")

    def lines(self, slot: Slot, draft: Draft) -> list[Line]:
        return [make_line(TABLES_BY_NAME[slot.table_name], slot.tenant, kind, number) for kind, number in draft]

    # growth

    @initialize(draft=st.lists(st.sampled_from(KINDS), min_size=2, max_size=4))
    def begin(self, draft: list[str]) -> None:
        for number, slot in enumerate(SLOTS[::2]):
            self.truth.append(slot, self.lines(slot, [(kind, number % 5) for kind in draft]))

    @rule(slot=slots, draft=drafts, cut=cuts)
    def append(self, slot: Slot, draft: Draft, cut: int | None) -> None:
        self.truth.append(slot, self.lines(slot, draft), cut)

    @rule(slot=slots, draft=drafts, cut=cuts)
    def recreate(self, slot: Slot, draft: Draft, cut: int | None) -> None:
        self.truth.recreate(slot, self.lines(slot, draft), cut)

    @rule(slot=slots)
    def vanish(self, slot: Slot) -> None:
        self.truth.vanish(slot)

    # undisturbed work, whole or in part

    @rule(table=tables, day=days, sizes=sizes)
    def take(self, table: Any, day: date, sizes: Sizes) -> None:
        ingest(self.lake, self.export, table, day, commit_bytes=sizes.commit)
        self.truth.check_raw(table)

    @rule(table=tables, day=days, sizes=sizes, rebuild=st.booleans())
    def parse(self, table: Any, day: date, sizes: Sizes, rebuild: bool) -> None:
        assert build_table_day(self.lake, table, day, portion_bytes=sizes.portion, rebuild=rebuild).balanced

    @rule(work=works)
    def run(self, work: Work) -> None:
        self.do(work, self.lake, self.export)

    @rule(table=tables, day=days)
    def refresh_raw(self, table: Any, day: date) -> None:
        refresh(self.lake, self.export, table, day)
        self.truth.check_raw(table)

    @rule(day=days, table=tables)
    def compact(self, day: date, table: Any) -> None:
        for name in (table.raw, table.name, QUARANTINE):
            compact_day(self.lake, name, day)
        self.truth.check_raw(table)

    # faults

    def do(self, work: Work, lake: Lake, export: Export) -> None:
        run_part(work.part, lake, export, work.day, work.sizes, refresh=work.refresh)

    def feed(self, work: Work, slot: Slot, draft: Draft) -> Slot:
        """Append lines for the work to process; return their slot."""
        slot = replace(slot, table_name=work.part if work.part in TABLES_BY_NAME else slot.table_name, day=work.day)
        self.truth.append(slot, self.lines(slot, draft))
        return slot

    def attempt(self, work: Work, lake: Lake, export: Export, *expected: type[Exception]) -> None:
        with suppress(*expected):
            self.do(work, lake, export)

    @rule(work=works, number=commits, moment=moments, event=commit_faults, slot=slots, draft=drafts)
    def run_into_a_failing_commit(
        self, work: Work, number: int, moment: Moment, event: Event, slot: Slot, draft: Draft
    ) -> None:
        self.feed(work, slot, draft)
        faulty = FaultyLake.over(self.lake, number, moment, event)
        self.attempt(work, faulty, self.export, DiedError, OnPurposeError)

    @rule(work=works, call=calls, number=numbers, event=read_faults, slot=slots, draft=drafts)
    def run_into_a_failing_export(
        self, work: Work, call: Call, number: int, event: Event, slot: Slot, draft: Draft
    ) -> None:
        self.feed(work, slot, draft)
        # a listing never says that a blob has changed
        faulty = FaultyExport(self.export, call, number, refused if call.endswith("list") else event)
        self.attempt(work, self.lake, faulty, ExportError, TornLineError)

    @rule(work=works, call=calls, number=numbers, change=changes, slot=slots, draft=drafts, cut=cuts)
    def run_while_the_export_changes(
        self, work: Work, call: Call, number: int, change: str, slot: Slot, draft: Draft, cut: int | None
    ) -> None:
        slot = self.feed(work, slot, draft)
        lines = self.lines(slot, draft)
        events: dict[str, Event] = {
            "append": lambda: self.truth.append(slot, lines, cut),
            "recreate": lambda: self.truth.recreate(slot, lines, cut),
            "vanish": lambda: self.truth.vanish(slot),
        }
        faulty = FaultyExport(self.export, call, number, events[change])
        self.attempt(work, self.lake, faulty, ExportError, TornLineError)

    # damage, each followed at once by its documented remedy

    @rule(day=days, table=tables, kind=kinds_of_damage, which=numbers)
    def damage_a_table(self, day: date, table: Any, kind: Kind, which: int) -> None:
        name = (table.name, QUARANTINE)[which % 2]
        self.damage_and_follow(day, name, kind, which)

    def damage_and_follow(self, day: date, name: str, kind: Kind, which: int = 0) -> None:
        """Damage a file of a table and do what its error says. Rows that only this file had are lost."""
        path = data_file(self.lake, name, day, which)
        if path is not None:
            files = self.lake.files(name)
            content = files.read(path)
            assert content
            self.truth.lose(name, pl.read_parquet(content).lazy().with_columns(export_date=day))
            spoil(files, path, kind)
            self.operator(name).follow_damage([name])

    @rule(day=days, derived=st.sampled_from(DERIVED), kind=kinds_of_damage)
    def damage_a_derived_table(self, day: date, derived: Any, kind: Kind) -> None:
        if spoil_data(self.lake, derived.name, day, kind):
            self.operator(derived.name).follow_damage([derived.name])

    @rule(slot=slots, kind=kinds_of_damage, which=numbers)
    def damage_raw(self, slot: Slot, kind: Kind, which: int) -> None:
        table = TABLES_BY_NAME[slot.table_name]
        current = self.truth.generations[slot][-1] if slot in self.truth.existing else None
        if current is None or current.earlier or len(self.truth.raw_bytes(slot)) != 1:
            return  # the account no longer has everything that raw has
        if spoil_data(self.lake, table.raw, slot.day, kind, which, slot.path):
            Operator(self.lake, self.export, (table,), ()).follow_damage([table.raw])
        self.truth.check_raw(table)

    @rule(table=tables, kind=kinds_of_damage, hint=st.booleans())
    def damage_a_log(self, table: Any, kind: Kind, hint: bool) -> None:
        for name in (table.raw, table.name):
            maintain(self.lake, name)
            version, files = self.lake.open(name).version(), self.lake.files(name)
            # delta-rs writes a damaged hint again only with the next checkpoint
            if not hint or files.read(HINT):
                spoil(files, HINT if hint else checkpoint_path(version), kind)
            assert self.lake.open(name).version() == version

    # concurrent runs of a day, in a deterministic order: each of them succeeds

    @rule(work=works, other=works, number=commits, moment=moments, slot=slots, draft=drafts)
    def run_within_a_run(self, work: Work, other: Work, number: int, moment: Moment, slot: Slot, draft: Draft) -> None:
        self.feed(work, slot, draft)

        def run_the_other() -> None:
            self.feed(work, slot, draft[::-1])
            self.do(replace(other, day=work.day), self.lake, self.export)

        self.do(work, FaultyLake.over(self.lake, number, moment, run_the_other), self.export)

    @rule(work=works, other=works, call=calls, number=numbers, slot=slots, draft=drafts)
    def run_within_a_reading(self, work: Work, other: Work, call: Call, number: int, slot: Slot, draft: Draft) -> None:
        self.feed(work, slot, draft)
        same_day = replace(other, day=work.day)
        faulty = FaultyExport(self.export, call, number, lambda: self.do(same_day, self.lake, self.export))
        self.do(work, self.lake, faulty)

    @rule(work=works, both=st.tuples(commits, commits), moment=moments, event=commit_faults, slot=slots, draft=drafts)
    def run_within_a_run_that_dies(
        self, work: Work, both: tuple[int, int], moment: Moment, event: Event, slot: Slot, draft: Draft
    ) -> None:
        self.feed(work, slot, draft)
        dying = FaultyLake.over(self.lake, both[1], moment, event)

        def run_the_other() -> None:
            self.attempt(work, dying, self.export, DiedError, OnPurposeError)

        self.do(work, FaultyLake.over(self.lake, both[0], "before", run_the_other), self.export)

    @rule(work=works, number=commits, moment=moments, slot=slots, draft=drafts)
    def compact_within_a_run(self, work: Work, number: int, moment: Moment, slot: Slot, draft: Draft) -> None:
        fed = self.feed(work, slot, draft)

        def compact_all() -> None:
            self.compact(work.day, TABLES_BY_NAME[fed.table_name])

        self.do(work, FaultyLake.over(self.lake, number, moment, compact_all), self.export)

    # tables that fall back

    @rule()
    def back_up(self) -> None:
        """Copy the lake; the two oldest and the two newest copies are kept."""
        backup = Path(tempfile.mkdtemp(dir=self.folder)) / "lake"
        shutil.copytree(self.lake.uri, backup)
        self.backups = [*self.backups[:2], *self.backups[2:][-1:], backup]

    @rule(names=some_tables, number=numbers)
    def restore_files(self, names: frozenset[str], number: int) -> None:
        """Replace tables by their folders of a backup, or by nothing."""
        backup = ([None, *self.backups])[number % (len(self.backups) + 1)]

        def restore(name: str) -> None:
            folder = Path(self.lake.table_uri(name))
            shutil.rmtree(folder, ignore_errors=True)
            if backup and (backup / name).exists():
                shutil.copytree(backup / name, folder)

        self.take_back(names, restore)

    @rule(names=some_tables, steps=numbers)
    def restore_versions(self, names: frozenset[str], steps: int) -> None:
        """Restore tables to an earlier version of their log. If it has a damaged file, the remedy follows."""

        def restore(name: str) -> None:
            self.lake.open(name)
            table = DeltaTable(self.lake.table_uri(name))
            before = table.version()
            if not before:
                return
            # Delta refuses a version of which a file is missing
            with suppress(DeltaError):
                table.restore(max(before - steps, 0))
            if all_damage(self.lake, [name]):
                if name.startswith("raw_"):
                    # the account may no longer have what only this file has
                    table.restore(before)
                else:
                    self.operator(name).follow_damage([name])

        self.take_back(names, restore)

    def operator(self, name: str) -> Operator:
        """Who repairs a typed table, the quarantine (it has lines of all tables) or a derived table."""
        derived = [each for each in DERIVED if each.name == name]
        typed = TABLES if name == QUARANTINE else [table for table in TABLES if table.name == name]
        return Operator(self.lake, self.export, typed, derived)

    def take_back(self, names: frozenset[str], restore: Callable[[str], None]) -> None:
        self.truth.take_back(sorted(names), restore)
        self.versions.clear()
        self.taken_back = True

    # the invariants at every step, and the checks at the end

    @invariant()
    def versions_only_grow(self) -> None:
        type(self).steps += 1
        # only one table and day: reading all of them would cost more than the step itself
        table, day = ALERT_EVIDENCE.name, DAYS[1]
        for name in (ALERT_EVIDENCE.raw, QUARANTINE, table, *(derived.name for derived in DERIVED)):
            fence = f"{table if name == QUARANTINE else name}/{day}"
            version = self.lake.fenced(name, day, fence).version
            assert version >= self.versions.get(name, 0), f"{name}: the version fell to {version}"
            self.versions[name] = version

    def teardown(self) -> None:
        try:
            with self.leave:
                self.check_the_end()
        finally:
            super().teardown()

    def run_what_is_behind(self) -> None:
        """Do what the sensor does."""
        tails = self.truth.tails()
        for _ in range(4):
            behind = [
                late.day
                for late in find_stale_days(self.lake, self.export, DAYS)
                if late.stale or {(part.table, part.blob, part.cursor, part.size) for part in late.missing} - tails
            ]
            for day in behind:
                run_day(self.lake, self.export, day)
            if not behind:
                return
        raise AssertionError(find_stale_days(self.lake, self.export, DAYS))

    def check_the_end(self) -> None:
        if self.taken_back:
            self.run_what_is_behind()
            self.truth.check()
        # a day of which only derived rows are left is not behind
        for day in DAYS:
            run_day(self.lake, self.export, day)
        self.truth.check()
        behind = find_stale_days(self.lake, self.export, DAYS)
        assert [late.stale for late in behind if late.stale] == []
        missing = {(part.table, part.blob, part.cursor, part.size) for late in behind for part in late.missing}
        assert missing <= self.truth.tails()
        # a run that also reads lines leaves their tail to the next one, which looks through it
        for late in behind:
            run_day(self.lake, self.export, late.day)
        assert find_stale_days(self.lake, self.export, DAYS) == []
        at_once = built_at_once(self.lake, self.folder / "at-once", parsed=not self.taken_back)
        assert_same_tables(self.lake, at_once)


class InterruptionsInAzure(Interruptions):
    """The machine over an account of the emulator; the lake stays in a folder."""

    emulator: ClassVar[Emulator]

    def make_storage(self) -> ExportStorage:
        self.emulator.clear()
        return account_storage(self.emulator, self.leave.enter_context(self.emulator.service()))
