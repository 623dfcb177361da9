"""Realistic tenants: everyday alerts and the attacks among them, with every rate named and its source."""

from defender_assets.simulator.realistic.attacks import attacks
from defender_assets.simulator.realistic.everyday import everyday_alerts

__all__ = ["attacks", "everyday_alerts"]
