"""Quality of an order of leads: average precision, and precision among the first ten of a day."""

from collections.abc import Iterable, Sequence

AT = 10
"""Leads that an analyst looks at first on a day."""


def average_precision(ranked: Sequence[bool]) -> float:
    """Mean of the precision at each relevant place of the order; 1 where nothing is relevant."""
    hits, total = 0, 0.0
    for place, relevant in enumerate(ranked, 1):
        if relevant:
            hits += 1
            total += hits / place
    return total / hits if hits else 1.0


def first_ten(days: Iterable[Sequence[bool]]) -> tuple[float, float]:
    """Precision among the first ten of each day, over all days with ten leads or more, and its ceiling.

    The ceiling is the precision of a perfect order: a day can have fewer relevant leads than ten.
    """
    hits = best = places = 0
    for ranked in days:
        if len(ranked) >= AT:
            hits += sum(ranked[:AT])
            best += min(AT, sum(ranked))
            places += AT
    return (hits / places, best / places) if places else (1.0, 1.0)
