"""Quality of a clustering against the ground truth: pairwise precision, recall and F1, and the adjusted Rand index."""

from collections import Counter
from collections.abc import Hashable, Mapping
from math import comb
from typing import NamedTuple

Alert = tuple[str, str]


class Quality(NamedTuple):
    """Pairwise precision, recall and F1 (a pair is two alerts in one cluster), and the adjusted Rand index."""

    precision: float
    recall: float
    f1: float
    ari: float


def quality(found: Mapping[Alert, Hashable], truth: Mapping[Alert, Hashable]) -> Quality:
    """Compare two partitions of the alerts of `truth`; an alert that `found` lacks is its own cluster.

    The adjusted Rand index is Hubert and Arabie's (1985): 1 for equal partitions, about 0 for chance.
    """
    pairs = Counter((found.get(alert, alert), cause) for alert, cause in truth.items())
    ours, theirs = Counter[Hashable](), Counter[Hashable]()
    for (one, other), count in pairs.items():
        ours[one] += count
        theirs[other] += count
    both, positive, true = (sum(comb(count, 2) for count in counts.values()) for counts in (pairs, ours, theirs))
    precision, recall = both / positive if positive else 1.0, both / true if true else 1.0
    expected = positive * true / max(comb(len(truth), 2), 1)
    largest = (positive + true) / 2
    ari = (both - expected) / (largest - expected) if largest != expected else 1.0
    return Quality(precision, recall, 2 * both / (positive + true) if positive + true else 1.0, ari)
