"""Any order of statements, rebuilds, changed leads, compactions and concurrent writers: nothing lost, nothing twice."""

import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from defender_assets.catalog import LEADS
from defender_assets.core.lake.compaction import compact_day
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.maintenance import apply_retention
from defender_assets.core.triage.schema import VERDICTS_TABLE
from defender_assets.core.triage.statements import Statement, state_statements
from defender_assets.core.triage.states import current_states
from defender_assets_tests.faults.lakes import DiedError, FaultyLake, Moment, OvertakenLake, conflicted, died
from defender_assets_tests.support.days import day_before
from defender_assets_tests.support.exports import TENANT, local_lake
from defender_assets_tests.support.triaged_leads import lead, put_leads, stated_leads

NAMES = ("a", "b", "c")
WORDS = (("new", None), ("in_progress", None), ("closed", "true_positive"), ("closed", "false_positive"))
names = st.sets(st.sampled_from(NAMES), min_size=1).map(sorted)
words = st.sampled_from(WORDS)
moments = st.sampled_from(("before", "after"))

Said = tuple[str, str | None]
Stated = tuple[str, str, str | None, str, str]


class Triage(RuleBasedStateMachine):
    """The model is the list of statements (lead, state, verdict, version, comment) in the order of their commits."""

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.lake = local_lake(Path(self.folder.name) / "lake")
        self.versions = dict.fromkeys(NAMES, 0)
        self.model: list[Stated] = []
        self.count = 0
        self.day = day_before(1)
        self._build()

    def teardown(self) -> None:
        self.folder.cleanup()

    def _rows(self) -> list[dict[str, Any]]:
        return [lead(name, f"v{version}") for name, version in self.versions.items()]

    def _build(self) -> None:
        put_leads(self.lake, *self._rows(), day=self.day)

    def _say(self, lake: Lake, about: list[str], said: Said, author: str = "ana") -> list[Stated]:
        """Make the statements; return what the model then has."""
        self.count += 1
        rows = [Statement(TENANT, name, *said, comment=str(self.count)) for name in about]
        made = [(name, *said, f"v{self.versions[name]}", str(self.count)) for name in about]
        state_statements(lake, rows, stated_leads(*self._rows()), author)
        return made

    @rule(about=names, said=words)
    def state(self, about: list[str], said: Said) -> None:
        self.model += self._say(self.lake, about, said)

    @rule(about=names, said=words, first=names, first_said=words)
    def two_at_once(self, about: list[str], said: Said, first: list[str], first_said: Said) -> None:
        def other() -> None:
            self.model += self._say(self.lake, first, first_said, "bo")

        self.model += self._say(OvertakenLake.of(self.lake, other), about, said)

    @rule(about=names, said=words, moment=moments)
    def killed(self, about: list[str], said: Said, moment: Moment) -> None:
        with suppress(DiedError):
            self._say(FaultyLake.over(self.lake, 1, moment, died), about, said)
        if moment == "after":
            self.model += [(name, *said, f"v{self.versions[name]}", str(self.count)) for name in about]

    @rule(about=names, said=words, moment=moments)
    def conflicting(self, about: list[str], said: Said, moment: Moment) -> None:
        self.model += self._say(FaultyLake.over(self.lake, 1, moment, conflicted), about, said)

    @rule(name=st.sampled_from(NAMES))
    def change(self, name: str) -> None:
        self.versions[name] += 1
        self._build()

    @rule()
    def rebuild_compact_and_let_old_days_leave(self) -> None:
        self._build()
        compact_day(self.lake, VERDICTS_TABLE, None)
        apply_retention(replace(self.lake, keep_days=31))

    @invariant()
    def every_statement_is_there_once_in_order(self) -> None:
        columns = ("lead_id", "state", "verdict", "lead_version", "comment")
        held = self.lake.read(VERDICTS_TABLE).collect().sort("sequence", "lead_id")
        commits = held.group_by("sequence", maintain_order=True).len().height
        assert commits == len({comment for *_, comment in self.model})
        assert held.select(columns).rows() == self.model

    @invariant()
    def the_current_state_is_that_of_the_newest_statement(self) -> None:
        expected = {}
        for name, state, verdict, version, _ in self.model:
            reopened = state == "closed" and version != f"v{self.versions[name]}"
            expected[name] = ("new" if reopened else state, verdict, reopened)
        found = current_states(self.lake.read(VERDICTS_TABLE), self.lake.read(LEADS.name)).collect()
        shown = {name: tuple(row) for name, *row in found.select("lead_id", "state", "verdict", "reopened").rows()}
        assert shown == expected


TestTriage = Triage.TestCase
TestTriage.settings = settings(max_examples=5, stateful_step_count=10)
