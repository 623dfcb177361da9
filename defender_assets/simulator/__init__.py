"""Simulated tenants that write Microsoft Defender's export as Microsoft does, faults included, and the truth about it.

Everything is a function of the `Scenario`. This package shares no code with the reader: it is an independent witness of
the format. The command that runs it is in `defender_assets.cli`.
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
