"""A team's weights and mutes, together, and the version of the scoring."""

import hashlib
import json
from dataclasses import dataclass, field

from defender_assets.core.leads.risk.muting import Mute
from defender_assets.core.leads.risk.weights import Weights, packaged_weights

SCORING_REVISION = 2
"""Raise it when code changes the score of a lead although weights and rules are the same. `golden_scores` checks it."""


@dataclass(frozen=True)
class ScoringConfig:
    """The weights of the risk, by default the packaged ones, and the rules that mute leads, by default none."""

    weights: Weights = field(default_factory=packaged_weights)
    mutes: tuple[Mute, ...] = ()

    @property
    def version(self) -> str:
        """Return 32 hexadecimal digits that change with the weights, the rules, their order and SCORING_REVISION."""
        rules = [(mute.name, mute.reason, mute.conditions, str(mute.until)) for mute in self.mutes]
        text = json.dumps([SCORING_REVISION, self.weights, rules], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
