"""The risk of a lead: points with their reasons, the weights they come from, and the mutes of a team."""

from defender_assets.core.leads.risk.config import ScoringConfig

__all__ = ["ScoringConfig"]
