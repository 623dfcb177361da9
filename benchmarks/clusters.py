"""How well stories match what the simulator knows: pairwise precision, recall and F1, and the adjusted Rand index.

Which stories are compared is `stories.py`'s business.
"""

from collections import Counter
from collections.abc import Hashable, Mapping
from math import comb
from typing import NamedTuple

Alert = tuple[str, str]


class Quality(NamedTuple):
    """Of all pairs of alerts: how many that were put together belong together, how many that belong were found."""

    precision: float
    recall: float
    f1: float
    ari: float


def quality(found: Mapping[Alert, Hashable], truth: Mapping[Alert, Hashable]) -> Quality:
    """Compare two partitions of the alerts of `truth`; an alert that `found` lacks stands alone.

    The adjusted Rand index is Hubert and Arabie's (1985): 1 for equal partitions, about 0 for chance.
    """
    pairs = Counter((found.get(alert, alert), cause) for alert, cause in truth.items())
    ours, theirs = Counter[Hashable](), Counter[Hashable]()
    for (one, other), count in pairs.items():
        ours[one] += count
        theirs[other] += count
    both, put, belong = (sum(comb(count, 2) for count in of.values()) for of in (pairs, ours, theirs))
    precision, recall = both / put if put else 1.0, both / belong if belong else 1.0
    chance = put * belong / max(comb(len(truth), 2), 1)
    most = (put + belong) / 2
    ari = (both - chance) / (most - chance) if most != chance else 1.0
    return Quality(precision, recall, 2 * both / (put + belong) if put + belong else 1.0, ari)
