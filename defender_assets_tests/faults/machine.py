"""A state machine over an export and a lake: growth, faults, deaths, retries, runs in runs, refreshes, in any order.

At each step raw is a beginning of what was written; at the end of each example, after calm runs, every table is the
truth, and equal to a lake that was made from the same raw bytes at once.
"""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import date
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from defender_assets.core import raw, typed
from defender_assets.core.compaction import compact_day
from defender_assets.core.derived import DERIVED, rebuild_day
from defender_assets.core.export import Export
from defender_assets.core.failures import ExportError, LakeError
from defender_assets.core.lake import Lake, version_of
from defender_assets.core.pending import survey
from defender_assets.core.tables import TABLES
from defender_assets_tests.export.places import Directory, Place
from defender_assets_tests.exports import local_lake
from defender_assets_tests.faults.days import Sizes, run_day, small_sizes
from defender_assets_tests.faults.exports import FaultyExport, changed, refused
from defender_assets_tests.faults.lakes import MOMENTS, DiedError, FaultyLake, broken, conflicted, died
from defender_assets_tests.faults.same import assert_same_tables, built_at_once
from defender_assets_tests.faults.streams import KINDS, Line, Slot, make_line
from defender_assets_tests.faults.truth import DAYS, NAMED, SLOTS, Truth

COMMITS_OF_A_DAY = 11

slots = st.sampled_from(SLOTS)
days = st.sampled_from(DAYS)
tables = st.sampled_from(TABLES)
drafts = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 9)), max_size=4)
cuts = st.one_of(st.none(), st.integers(0, 900))
sizes = st.builds(Sizes, commit=st.sampled_from([1, 900, 10**6]), share=st.sampled_from([1, 900, 10**6]))
moments = st.sampled_from(MOMENTS)
commit_faults = st.sampled_from([died, conflicted, broken])
read_faults = st.sampled_from([refused, changed])
calls = st.sampled_from(["before_list", "after_list", "before_read", "after_read"])


def at(call: str, number: int, event: Callable[[], object]) -> dict[str, Any]:
    """The arguments by which an export meets an event at the n-th such call."""
    return {call: {number: event}}


class Interruptions(RuleBasedStateMachine):
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
        self.truth = Truth(self.make_place(), self.lake)
        self.versions: dict[tuple[str, str, date], int] = {}

    def make_place(self) -> Place:
        return Directory(self.folder / "export")

    @property
    def export(self) -> Export:
        return self.truth.place.export

    def lines(self, slot: Slot, draft: list[tuple[str, int]]) -> list[Line]:
        return [make_line(NAMED[slot.table_name], slot.tenant, kind, number) for kind, number in draft]

    # growth

    @initialize(draft=st.lists(st.sampled_from(KINDS), min_size=2, max_size=4))
    def begin(self, draft: list[str]) -> None:
        for number, slot in enumerate(SLOTS[::2]):
            self.truth.append(slot, self.lines(slot, [(kind, number % 5) for kind in draft]))

    @rule(slot=slots, draft=drafts, cut=cuts)
    def append(self, slot: Slot, draft: list[tuple[str, int]], cut: int | None) -> None:
        self.truth.append(slot, self.lines(slot, draft), cut)

    @rule(slot=slots, draft=drafts, cut=cuts)
    def recreate(self, slot: Slot, draft: list[tuple[str, int]], cut: int | None) -> None:
        self.truth.recreate(slot, self.lines(slot, draft), cut)

    @rule(slot=slots)
    def vanish(self, slot: Slot) -> None:
        self.truth.vanish(slot)

    # calm work, whole or in part

    @rule(table=tables, day=days, sizes=sizes)
    def take(self, table: Any, day: date, sizes: Sizes) -> None:
        raw.ingest(self.lake, self.export, table, day, commit_bytes=sizes.commit)
        self.truth.check_raw(table)

    @rule(table=tables, day=days, sizes=sizes, rebuild=st.booleans())
    def parse(self, table: Any, day: date, sizes: Sizes, rebuild: bool) -> None:
        assert typed.derive(self.lake, table, day, share_bytes=sizes.share, rebuild=rebuild).balanced

    @rule(day=days, force=st.booleans())
    def build(self, day: date, force: bool) -> None:
        for derived in DERIVED:
            rebuild_day(self.lake, derived, day, force=force)

    @rule(day=days, sizes=sizes)
    def run(self, day: date, sizes: Sizes) -> None:
        run_day(self.lake, self.export, day, sizes)

    @rule(table=tables, day=days)
    def refresh_raw(self, table: Any, day: date) -> None:
        raw.refresh(self.lake, self.export, table, day)
        self.truth.check_raw(table)

    @rule(day=days)
    def refresh(self, day: date) -> None:
        run_day(self.lake, self.export, day, refresh=True)

    @rule(day=days, table=tables)
    def compact(self, day: date, table: Any) -> None:
        for name in (table.raw, table.name, typed.QUARANTINE):
            compact_day(self.lake, name, day)
        self.truth.check_raw(table)

    # faults

    def attempt(self, lake: Lake, export: Export, day: date, sizes: Sizes, *, refresh: bool) -> None:
        with suppress(DiedError, ExportError, LakeError):
            run_day(lake, export, day, sizes, refresh=refresh)

    @rule(
        day=days, number=st.integers(1, COMMITS_OF_A_DAY), moment=moments, event=commit_faults, sizes=sizes,
        refresh=st.booleans(),
    )  # fmt: skip
    def run_into_a_failing_commit(
        self, day: date, number: int, moment: Any, event: Callable[[], object], sizes: Sizes, refresh: bool
    ) -> None:
        self.attempt(FaultyLake.over(self.lake, number, moment, event), self.export, day, sizes, refresh=refresh)

    @rule(day=days, number=st.integers(1, 6), call=calls, event=read_faults, sizes=sizes, refresh=st.booleans())
    def run_into_a_failing_export(
        self, day: date, number: int, call: str, event: Callable[[], object], sizes: Sizes, refresh: bool
    ) -> None:
        if call.endswith("list"):
            event = refused
        faulty = FaultyExport(self.export, **at(call, number, event))
        self.attempt(self.lake, faulty, day, sizes, refresh=refresh)

    @rule(
        day=days, number=st.integers(1, 6), call=calls, change=st.sampled_from(["append", "recreate", "vanish"]),
        slot=slots, draft=drafts, cut=cuts, refresh=st.booleans(),
    )  # fmt: skip
    def run_while_the_export_changes(
        self, day: date, number: int, call: str, change: str, slot: Slot, draft: list[tuple[str, int]],
        cut: int | None, refresh: bool,
    ) -> None:  # fmt: skip
        lines = self.lines(slot, draft)
        events = {
            "append": lambda: self.truth.append(slot, lines, cut),
            "recreate": lambda: self.truth.recreate(slot, lines, cut),
            "vanish": lambda: self.truth.vanish(slot),
        }
        faulty = FaultyExport(self.export, **at(call, number, events[change]))
        self.attempt(self.lake, faulty, day, Sizes(), refresh=refresh)

    # several runs of a day at once, in an order that is the same each time

    @rule(
        day=days, number=st.integers(1, COMMITS_OF_A_DAY), moment=moments, sizes=sizes,
        refresh=st.tuples(st.booleans(), st.booleans()), slot=slots, draft=drafts,
    )  # fmt: skip
    def run_within_a_run(
        self, day: date, number: int, moment: Any, sizes: Sizes, refresh: tuple[bool, bool], slot: Slot,
        draft: list[tuple[str, int]],
    ) -> None:  # fmt: skip
        def other() -> None:
            self.truth.append(slot, self.lines(slot, draft))
            run_day(self.lake, self.export, day, refresh=refresh[1])

        self.attempt(FaultyLake.over(self.lake, number, moment, other), self.export, day, sizes, refresh=refresh[0])

    @rule(day=days, number=st.integers(1, 6), call=calls, sizes=sizes, refresh=st.booleans())
    def run_within_a_reading(self, day: date, number: int, call: str, sizes: Sizes, refresh: bool) -> None:
        faulty = FaultyExport(self.export, **at(call, number, lambda: run_day(self.lake, self.export, day)))
        self.attempt(self.lake, faulty, day, sizes, refresh=refresh)

    @rule(day=days, numbers=st.tuples(st.integers(1, 11), st.integers(1, 11)), moment=moments, event=commit_faults)
    def run_within_a_run_that_dies(
        self, day: date, numbers: tuple[int, int], moment: Any, event: Callable[[], object]
    ) -> None:
        dying = FaultyLake.over(self.lake, numbers[1], moment, event)
        other = FaultyLake.over(
            self.lake, numbers[0], "before", lambda: self.attempt(dying, self.export, day, Sizes(), refresh=False)
        )
        self.attempt(other, self.export, day, Sizes(), refresh=False)

    # what holds at every step, and at the end

    @invariant()
    def versions_only_grow(self) -> None:
        type(self).steps += 1
        for name, fence, day in self.fences():
            version = version_of(self.lake.open(name), fence, day) if self.lake.exists(name) else 0
            assert version >= self.versions.get((name, fence, day), 0)
            self.versions[name, fence, day] = version

    @staticmethod
    def fences() -> list[tuple[str, str, date]]:
        # one of each kind: reading all of them at each step would cost more than the step
        table = TABLES[1]
        names = [(table.raw, table.raw), (typed.QUARANTINE, table.name), (table.name, table.name)]
        return [(name, fence, DAYS[1]) for name, fence in [*names, *((d.name, d.name) for d in DERIVED)]]

    def teardown(self) -> None:
        try:
            with self.leave:
                self.check_the_end()
        finally:
            super().teardown()

    def check_the_end(self) -> None:
        for day in DAYS:
            run_day(self.lake, self.export, day)
        self.truth.check()
        behind = survey(self.lake, self.export, DAYS)
        assert [late.stale for late in behind if late.stale] == []
        missing = {(part.table, part.blob, part.cursor, part.size) for late in behind for part in late.missing}
        assert missing == self.truth.tails()
        assert_same_tables(self.lake, built_at_once(self.lake, self.folder / "at-once"))
