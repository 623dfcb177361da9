"""What AdditionalFields of every entity have in common: references, identities and verdicts.

The entities themselves do not belong here.
"""

from hashlib import md5
from itertools import count
from typing import Any

Columns = dict[str, Any]
"""The columns that an entity fills, `AdditionalFields` still an object."""

VERDICT = {"DetectionStatus": "Detected", "LastVerdict": "Suspicious", "SuspicionLevel": "Suspicious", "IsIoc": False}


class References:
    """Json.NET's way with repeated objects: `$id` where one is first written, `$ref` where it comes again."""

    def __init__(self) -> None:
        """Begin a row: its first object has the `$id` "1"."""
        self._ids = count(1)

    def new(self, **fields: Any) -> dict[str, Any]:
        """An object with the next `$id`."""
        return {"$id": str(next(self._ids)), **fields}

    @staticmethod
    def again(written: dict[str, Any]) -> dict[str, Any]:
        """A reference to an object that the row has already."""
        return {"$ref": written["$id"]}


def merge_key(*identity: str) -> dict[str, str]:
    """The entity's own identity, as the products hash it."""
    digest = md5("|".join(identity).encode(), usedforsecurity=False).hexdigest().upper()
    return {"MergeByKey": digest[:8], "MergeByKeyHex": digest}
