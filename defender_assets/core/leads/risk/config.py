"""What a team thinks of urgency: its weights and what it has muted; without files of its own, the project's weights."""

from dataclasses import dataclass, field

from defender_assets.core.leads.risk.muting import Mute
from defender_assets.core.leads.risk.weights import Weights, packaged_weights


@dataclass(frozen=True)
class ScoringConfig:
    """The weights of the risk, and the rules that mute leads."""

    weights: Weights = field(default_factory=packaged_weights)
    mutes: tuple[Mute, ...] = ()
