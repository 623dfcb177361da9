"""What belongs together when some things are tied in pairs: the connected components of a graph. Knows no leads."""

from collections.abc import Hashable, Iterable
from typing import TypeVar

Thing = TypeVar("Thing", bound=Hashable)


def components(ties: Iterable[tuple[Thing, Thing]]) -> list[set[Thing]]:
    """Return the groups of things that are tied, directly or through others, in the order of their first ties.

    A thing tied to itself alone is a group; the smaller of two groups joins the larger one, so that n things move
    n log n times at most.
    """
    group_of: dict[Thing, set[Thing]] = {}
    for tie in ties:
        smaller, larger = sorted((group_of.setdefault(thing, {thing}) for thing in tie), key=len)
        if smaller is not larger:
            larger |= smaller
            group_of.update(dict.fromkeys(smaller, larger))
    return list({id(group): group for group in group_of.values()}.values())
