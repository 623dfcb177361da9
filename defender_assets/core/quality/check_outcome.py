"""The result of a check."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SAMPLES = 10
"""Examples listed in a result."""


@dataclass(frozen=True)
class CheckOutcome:
    """The result of one check of one day. `facts` are JSON values; text in them may come from an attacker.

    `warning`: a failure that does not stop the run, even if the check blocks.
    `silence`: the failure follows from a silence of the export, of which there is a notice of its own.
    """

    passed: bool
    summary: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    warning: bool = False
    silence: bool = False
