"""How urgent a lead is to a team: points with their reasons, and which detections it has muted."""

from defender_assets.core.leads.risk.config import ScoringConfig

__all__ = ["ScoringConfig"]
