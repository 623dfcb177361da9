"""What an account finds: whether all is well, one sentence, and the facts behind it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SAMPLES = 10


@dataclass(frozen=True)
class CheckOutcome:
    """The result of one account of one day. `facts` are JSON values; texts in them may be an attacker's."""

    passed: bool
    summary: str
    facts: Mapping[str, Any] = field(default_factory=dict)
