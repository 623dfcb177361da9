"""Hypothesis strategies of the state machine: work, growth, and the position of faults."""

from dataclasses import dataclass
from datetime import date

from hypothesis import strategies as st

from defender_assets.catalog import DAILY
from defender_assets.core.schemas import TABLES
from defender_assets_tests.faults import damage
from defender_assets_tests.faults.exports import CALLS, Event, changed, refused
from defender_assets_tests.faults.lakes import MOMENTS, broken, conflicted, died
from defender_assets_tests.faults.small_runs import PARTS, Sizes
from defender_assets_tests.faults.streams import KINDS
from defender_assets_tests.faults.truth import DAYS, SLOTS

Draft = list[tuple[str, int]]


@dataclass(frozen=True)
class Work:
    """A run of a day, or of a part of it."""

    part: str
    day: date
    sizes: Sizes
    refresh: bool


slots = st.sampled_from(SLOTS)
days = st.sampled_from(DAYS)
tables = st.sampled_from(TABLES)
some_tables = st.frozensets(st.sampled_from(DAILY), min_size=1, max_size=6)
drafts = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 9)), max_size=4)
cuts = st.one_of(st.none(), st.integers(0, 900))
sizes = st.builds(Sizes, commit=st.sampled_from([1, 900, 10**6]), portion=st.sampled_from([1, 900, 10**6]))
# a whole day costs ten times what a table costs
parts = st.sampled_from((*PARTS[:3], *PARTS[:3], *PARTS[:3], *PARTS))
works = st.builds(Work, part=parts, day=days, sizes=sizes, refresh=st.sampled_from((False, False, True)))
commits = st.integers(1, 6)
moments = st.sampled_from(MOMENTS)
commit_faults: st.SearchStrategy[Event] = st.sampled_from([died, conflicted, broken])
calls = st.sampled_from(CALLS)
numbers = st.integers(1, 8)
read_faults = st.sampled_from([refused, changed])
kinds_of_damage = st.sampled_from(damage.KINDS)
changes = st.sampled_from(["append", "recreate", "vanish"])
