"""Simulated tenants: the export as Microsoft writes it, with its faults, and the ground truth. No code of the reader.

Everything is a function of the `Scenario`. Sharing no code, the simulator tests the reader's knowledge of the format
independently.
"""

from defender_assets.simulator.export import causes_of, simulate
from defender_assets.simulator.ground_truth import GroundTruth, ground_truth
from defender_assets.simulator.scenario import Append, Scenario
from defender_assets.simulator.writers import export_account, export_directory, write_account, write_directory

__all__ = [
    "Append",
    "GroundTruth",
    "Scenario",
    "causes_of",
    "export_account",
    "export_directory",
    "ground_truth",
    "simulate",
    "write_account",
    "write_directory",
]
