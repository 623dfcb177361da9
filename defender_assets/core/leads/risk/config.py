"""A team's weights and mutes, together."""

from dataclasses import dataclass, field

from defender_assets.core.leads.risk.muting import Mute
from defender_assets.core.leads.risk.weights import Weights, packaged_weights


@dataclass(frozen=True)
class ScoringConfig:
    """The weights of the risk, by default the packaged ones, and the rules that mute leads, by default none."""

    weights: Weights = field(default_factory=packaged_weights)
    mutes: tuple[Mute, ...] = ()
