"""When to give up an account: after three reads in a row without an answer, if it does not answer a listing either."""

from dataclasses import dataclass

from defender_assets.core.errors import ExportError, UnreadableError
from defender_assets.core.export.blobs import Export

GIVE_UP_AFTER = 3


@dataclass
class Unanswered:
    """Counts the reads in a row that an account did not answer."""

    export: Export
    container: str
    in_a_row: int = 0

    def answered(self) -> None:
        """Take note of an answer."""
        self.in_a_row = 0

    def failed(self, error: ExportError) -> ExportError | None:
        """Take note of a failed read; return the error of an account that is to be given up, else None."""
        self.in_a_row = 0 if isinstance(error, UnreadableError) else self.in_a_row + 1
        if self.in_a_row < GIVE_UP_AFTER:
            return None
        self.in_a_row = 0
        try:
            self.export.tenants(self.container)
        except ExportError as silent:
            return silent
        return None
