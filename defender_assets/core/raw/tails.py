"""Unterminated tails: bytes behind a cursor that a run has looked through and that contain no newline.

Such a tail is not behind until its blob grows. The lake records how far it was looked through, under a name that
contains the cursor, so that a raw table that is taken back to an earlier state looks again.
"""

import hashlib
from collections.abc import Iterable
from datetime import date, datetime

from defender_assets.core.export.blobs import Blob
from defender_assets.core.lake.fences import fence_of, version_of
from defender_assets.core.lake.lake import Lake
from defender_assets.core.raw.range_reader import UnreadRange
from defender_assets.core.schemas import Table


def tail_name(table: Table, blob: Blob, created_at: datetime, cursor: int) -> str:
    """Return the name, without the day, of the record of a tail: the number of bytes of its blob.

    In a directory the time of the last write is part of it, because a file may be replaced.
    """
    identity = repr((blob.path, created_at, blob.created_at, cursor))
    return f"{table.raw}/tail/{hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()}"


def remember_tails(lake: Lake, table: Table, day: date, tails: Iterable[UnreadRange]) -> None:
    """Record the tails of a day that were looked through, if they are not recorded yet, in one commit without rows.

    Raises:
        CommitFailedError: when another commit was made since the table was opened.
        LakeError: when the lake cannot be written.
    """
    sizes = {tail_name(table, part.blob, part.created_at, part.start): part.blob.size for part in tails}
    if not sizes:
        return
    target = lake.fenced(table.raw, day)
    lake.record(
        target,
        {fence_of(name, day): size for name, size in sizes.items() if version_of(target.table, name, day) < size},
    )
