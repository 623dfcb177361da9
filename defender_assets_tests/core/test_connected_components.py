from hypothesis import given
from hypothesis import strategies as st

from defender_assets.core.components import components


def test_things_tied_through_others_are_one_group_whatever_the_order() -> None:
    assert components([("a", "b"), ("c", "d"), ("e", "e"), ("d", "b")]) == [{"a", "b", "c", "d"}, {"e"}]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30))))
def test_each_thing_is_in_the_one_group_of_all_that_it_reaches(ties: list[tuple[int, int]]) -> None:
    def reached(start: int) -> set[int]:
        found, new = set[int](), {start}
        while new:
            found |= new
            new = {end for tie in ties for one, end in (tie, tie[::-1]) if one in new} - found
        return found

    things = {thing for tie in ties for thing in tie}
    groups = components(ties)
    assert sum(map(len, groups)) == len(things)
    assert all(group == reached(thing) for group in groups for thing in group)
