"""What the AdditionalFields of all entities share: references, identities and verdicts."""

from hashlib import md5
from itertools import count
from typing import Any

from defender_assets.simulator.scenes import Outcome

Columns = dict[str, Any]
"""The columns that an entity fills; `AdditionalFields` is not encoded yet."""

_VERDICT = {"DetectionStatus": "Detected", "LastVerdict": "Suspicious", "SuspicionLevel": "Suspicious", "IsIoc": False}


def verdict(outcome: Outcome | None) -> dict[str, Any]:
    """What Microsoft says of an entity: the words of a tidy tenant, or those of the outcome."""
    if outcome is None:
        return _VERDICT
    words = {"LastVerdict": outcome.verdict, "SuspicionLevel": outcome.verdict} if outcome.verdict else {}
    return {"DetectionStatus": "Detected", **words, "IsIoc": False}


def remediation(outcome: Outcome | None, otherwise: str) -> dict[str, Any]:
    """The state of an entity's remediation; `otherwise` in a tidy tenant."""
    state = otherwise if outcome is None else outcome.state
    return {"LastRemediationState": state} if state else {}


def entity(kind: str, fields: dict[str, Any], *, role: str = "Related", **columns: Any) -> Columns:
    """The columns of an entity of this type, with `fields` as AdditionalFields."""
    return {"EntityType": kind, "EvidenceRole": role, **columns, "AdditionalFields": fields}


class References:
    """References to repeated objects, as Json.NET writes them within one row: `$id` at the first, then `$ref`."""

    def __init__(self) -> None:
        self._ids = count(1)

    def new(self, **fields: Any) -> dict[str, Any]:
        """Return an object with the next `$id`; the first is "1"."""
        return {"$id": str(next(self._ids)), **fields}

    @staticmethod
    def again(written: dict[str, Any]) -> dict[str, Any]:
        """Return a reference to an object that is already in the row."""
        return {"$ref": written["$id"]}


def merge_key(*identity: str) -> dict[str, str]:
    """The entity's own identity, as the products hash it."""
    digest = md5("|".join(identity).encode(), usedforsecurity=False).hexdigest().upper()
    return {"MergeByKey": digest[:8], "MergeByKeyHex": digest}
