"""The blobs that a run of ingestion gives up, so that one blob does not stop the others."""

from collections import Counter
from dataclasses import dataclass, field

from defender_assets.core.errors import UnreadableError
from defender_assets.core.export.blobs import UnreadablePart
from defender_assets.core.raw.range_reader import RangeReader

CHANGED_ROUNDS = 5
UNANSWERED_ROUNDS = 1


@dataclass
class GivenUp:
    """The blobs that a run does not try again: refused ones, and those that fail or change pass after pass.

    `parts` maps their paths to the reasons.
    """

    container: str
    parts: dict[str, UnreadablePart] = field(default_factory=dict)
    _changed: Counter[str] = field(default_factory=Counter)
    _unanswered: Counter[str] = field(default_factory=Counter)

    def wants_another_pass(self, reader: RangeReader) -> bool:
        """Take note of what a pass could not read; return whether a further pass may read some of it."""
        self._changed.update(reader.changed)
        for path, error in reader.failures.items():
            self._unanswered[path] += 1
            if isinstance(error, UnreadableError) or self._unanswered[path] > UNANSWERED_ROUNDS:
                self.parts[path] = UnreadablePart(self.container, path, str(error))
        for path in reader.changed:
            if self._changed[path] > CHANGED_ROUNDS:
                reason = f"{self.container}/{path} changes each time it is read; nothing is lost, the next run lists it"
                self.parts[path] = UnreadablePart(self.container, path, reason)
        return any(path not in self.parts for path in (*reader.changed, *reader.failures))
