"""Raw batches of a day parsed before their turn, while what came before them is committed. Commits nothing."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Self

from defender_assets.core.raw.batches import RawBatches
from defender_assets.core.schemas import Table
from defender_assets.core.tables.parsing.lines import parse
from defender_assets.core.tables.parsing.typed_rows import Parsed, quarantine_long_line


class _Reading(NamedTuple):
    """Exactly what is read: these batches of a day, in this version of this raw table."""

    raw: str
    version: int
    batches: tuple[object, int, int]


class ParsePrefetcher:
    """Parses one share of batches in a thread. What it holds counts only for exactly the same reading of raw."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._begun: tuple[_Reading, Future[list[Parsed]]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def begin(self, batches: RawBatches) -> None:
        """Begin to parse what is probably asked for next."""
        self._begun = _reading(batches), self._pool.submit(read_batches, self._table, batches)

    def take(self, batches: RawBatches) -> list[Parsed]:
        """Return what the batches hold: parsed already if raw stands as it stood then, else parsed now."""
        begun, self._begun = self._begun, None
        if begun is None or begun[0] != _reading(batches):
            return read_batches(self._table, batches)
        return begun[1].result()


def _reading(batches: RawBatches) -> _Reading:
    raw = batches.raw
    return _Reading(str(raw.metadata().id), raw.version(), (batches.day, batches.after, batches.upto))


def read_batches(table: Table, batches: RawBatches) -> list[Parsed]:
    """Return what the batches hold, copies included."""
    parsed = list(parse(table, batches.chunks(), batches.size))
    return parsed + [quarantine_long_line(table, source, head, length) for source, head, length in batches.long_lines()]
