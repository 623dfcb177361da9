"""Parses the next raw batches of a day in a thread while the previous ones are committed."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Self

from defender_assets.core.raw.batches import RawBatches
from defender_assets.core.schemas import Table
from defender_assets.core.tables.parsing.lines import parse
from defender_assets.core.tables.parsing.typed_rows import Parsed, quarantine_long_line


class _Reading(NamedTuple):
    """What is read: some batches of a day, in one version of one raw table."""

    raw: str
    version: int
    batches: tuple[object, int, int]


class ParsePrefetcher:
    """Parses one portion of batches in a thread. The result is used only if the same version of raw is read."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._begun: tuple[_Reading, Future[list[Parsed]]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def begin(self, batches: RawBatches) -> None:
        """Start to parse the batches that will probably be taken next."""
        self._begun = _reading(batches), self._pool.submit(read_batches, self._table, batches)

    def take(self, batches: RawBatches) -> list[Parsed]:
        """Return the parsed batches; they are parsed now if raw has changed since `begin`."""
        begun, self._begun = self._begun, None
        if begun is None or begun[0] != _reading(batches):
            return read_batches(self._table, batches)
        return begun[1].result()


def _reading(batches: RawBatches) -> _Reading:
    raw = batches.raw
    return _Reading(str(raw.metadata().id), raw.version(), (batches.day, batches.after, batches.upto))


def read_batches(table: Table, batches: RawBatches) -> list[Parsed]:
    """Return the parsed batches, duplicates included."""
    parsed = list(parse(table, batches.chunks(), batches.size))
    return parsed + [quarantine_long_line(table, source, head, length) for source, head, length in batches.long_lines()]
