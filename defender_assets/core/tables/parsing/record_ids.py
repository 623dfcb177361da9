"""The `record_id`: a hash of the table, the tenant and the bytes of `properties` as they were written."""

import hashlib
from collections.abc import Iterable

from defender_assets.core.schemas import Table


def identity(table: Table, tenant_id: str) -> "hashlib.blake2b":
    """Return the hash to which the bytes of a record are added; copy it for each record."""
    return hashlib.blake2b(f"{table.name}\0{tenant_id}\0".encode(), digest_size=16)


def digests(table: Table, tenant_id: str, content: bytes | memoryview, spans: Iterable[tuple[int, int]]) -> list[bytes]:
    """Return the 16 bytes of the id of each record, whose bytes begin and end at the two numbers of a span."""
    empty, whole = identity(table, tenant_id), memoryview(content)
    found = []
    for begin, end in spans:
        digest = empty.copy()
        digest.update(whole[begin:end])
        found.append(digest.digest())
    return found
