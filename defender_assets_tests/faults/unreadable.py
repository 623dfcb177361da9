"""Parts of the export that cannot be read, as faults of the state machine: the rest of the day goes on without them."""

from collections.abc import Collection

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from defender_assets.core.export import Export
from defender_assets.core.lake.lake import Lake
from defender_assets_tests.faults.small_runs import WHOLE_DAY
from defender_assets_tests.faults.strategies import Draft, Work, drafts, slots, works
from defender_assets_tests.faults.streams import Slot
from defender_assets_tests.faults.truth import TABLES_BY_NAME, Truth
from defender_assets_tests.support.refusing_export import RefusingExport, archived, no_answer


def without_blobs(export: Export, slots: Collection[Slot], *, answers: bool) -> RefusingExport:
    """The export, which refuses to read some blobs, or does not answer for them."""
    paths = {(TABLES_BY_NAME[slot.table_name].container, slot.path) for slot in slots}
    error = archived if answers else no_answer
    return RefusingExport(export, of_read=lambda container, path: error(path) if (container, path) in paths else None)


def without_tenant(export: Export, tenant: str) -> RefusingExport:
    """The export, which refuses to list a tenant."""
    return RefusingExport(export, of_listing=lambda _, listed: archived(listed) if listed == tenant else None)


class UnreadableParts(RuleBasedStateMachine):
    """The rules of a machine with this truth, lake and export. The machine says how to feed and do work."""

    lake: Lake
    export: Export
    truth: Truth

    def feed(self, work: Work, slot: Slot, draft: Draft) -> Slot:
        """Append lines for the work to process; return their slot."""
        raise NotImplementedError

    def do(self, work: Work, lake: Lake, export: Export) -> None:
        """Do the work."""
        raise NotImplementedError

    @rule(work=works, slot=slots, draft=drafts, more=st.sets(slots, max_size=4), answers=st.booleans())
    def run_with_blobs_that_cannot_be_read(
        self, work: Work, slot: Slot, draft: Draft, more: set[Slot], answers: bool
    ) -> None:
        missed = {self.feed(work, slot, draft), *more}
        self.do(work, self.lake, without_blobs(self.export, missed, answers=answers))
        self._check_all_but(work, missed)

    @rule(work=works, slot=slots, draft=drafts)
    def run_with_a_tenant_that_cannot_be_listed(self, work: Work, slot: Slot, draft: Draft) -> None:
        fed = self.feed(work, slot, draft)
        listed = {existing.tenant for existing in self.truth.existing if existing.table_name == fed.table_name}
        if len(listed) > 1:
            self.do(work, self.lake, without_tenant(self.export, fed.tenant))
            missed = {existing for existing in self.truth.existing if existing.tenant == fed.tenant}
            self._check_all_but(work, missed)

    def _check_all_but(self, work: Work, missed: Collection[Slot]) -> None:
        """Check that raw has every complete line of the other blobs that the work reads."""
        for slot in self.truth.existing - set(missed):
            whole = self.truth.generations[slot][-1].whole
            if slot.day == work.day and work.part in {slot.table_name, WHOLE_DAY} and whole:
                assert self.truth.raw_bytes(slot)[-1] == whole, f"{slot} was not read to its end"
