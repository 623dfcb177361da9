"""Ranges of blobs, fetched in parallel and cut at line ends, as chunks. Knows bytes and lines, no tables.

Memory: a handful of slices in flight and one line of at most 16 MiB. A longer line is passed over until its end is
found, then read again piece by piece.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from defender_assets.core.errors import DefenderAssetsError, ExportError
from defender_assets.core.export.blobs import Blob, BlobChangedError, Export
from defender_assets.core.text import MEBIBYTE

SLICE = 8 * MEBIBYTE
LONGEST_LINE = 16 * MEBIBYTE
IN_FLIGHT = 4
GIVE_UP_AFTER = 3


class TornLineError(DefenderAssetsError):
    """A line above 16 MiB did not come whole: nothing of this commit may be kept, or its rest would pass for a line."""


@dataclass(frozen=True)
class UnreadRange:
    """The part of a blob generation that raw lacks: bytes from `start` to the listed size."""

    blob: Blob
    created_at: datetime
    start: int


@dataclass(frozen=True)
class Chunk:
    """Bytes `[start, start + len(content))` of a blob generation: whole lines, or a part of one very long line."""

    unread: UnreadRange
    start: int
    content: bytes
    line_part: int | None = None


@dataclass
class RangeReader:
    """One pass over the unread parts.

    Afterwards `changed` and `failures` tell what did not come whole, `cut_short` whether `limit` ended it, and
    `pending` how long the unterminated tails are, by the path of their blob.
    """

    export: Export
    container: str
    changed: list[str] = field(default_factory=list)
    failures: list[ExportError] = field(default_factory=list)
    pending: dict[str, int] = field(default_factory=dict)
    cut_short: bool = False

    def up_to(self, limit: int, parts: list[UnreadRange], slice_bytes: int = SLICE) -> Iterator[Chunk]:
        """Yield chunks as `chunks` does, and stop at the end of the line with which `limit` bytes are reached."""
        taken = 0
        for chunk in self.chunks(parts, slice_bytes):
            if taken >= limit and not chunk.line_part:
                self.cut_short = True
                return
            taken += len(chunk.content)
            yield chunk

    def chunks(self, parts: list[UnreadRange], slice_bytes: int = SLICE) -> Iterator[Chunk]:
        """Yield the chunks of all parts, blob by blob, in byte order. An unterminated tail stays pending.

        A blob that is gone or recreated, or fails, ends early; the others go on, until three in a row have failed.

        Raises:
            TornLineError: when that happens in the middle of a line above 16 MiB.
        """
        failing = 0
        with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="range-read") as pool:
            for part, slices in self._fetched(pool, parts, slice_bytes):
                try:
                    yield from self._cut(part, slices, slice_bytes)
                    failing = 0
                except BlobChangedError:
                    self.changed.append(part.blob.path)
                except ExportError as error:
                    self.failures.append(error)
                    failing += 1
                    if failing == GIVE_UP_AFTER:
                        pool.shutdown(wait=False, cancel_futures=True)
                        return

    def _fetched(
        self, pool: ThreadPoolExecutor, parts: list[UnreadRange], slice_bytes: int
    ) -> Iterator[tuple[UnreadRange, Iterator[tuple[int, bytes]]]]:
        """Yield each part with its slices in order; slices of this and the next parts are fetched ahead."""
        ranges = (
            (number, start, min(start + slice_bytes, part.blob.size))
            for number, part in enumerate(parts)
            for start in range(part.start, part.blob.size, slice_bytes)
        )
        ahead: deque[tuple[int, int, Future[bytes]]] = deque()

        def fill() -> None:
            while len(ahead) < IN_FLIGHT:
                following = next(ranges, None)
                if following is None:
                    return
                number, start, end = following
                ahead.append(
                    (number, start, pool.submit(self.export.read, self.container, parts[number].blob, start, end))
                )

        def slices_of(wanted: int) -> Iterator[tuple[int, bytes]]:
            fill()
            while ahead and ahead[0][0] == wanted:
                _, start, future = ahead.popleft()
                content = future.result()
                fill()
                yield start, content

        for number, part in enumerate(parts):
            yield part, slices_of(number)
            fill()
            while ahead and ahead[0][0] == number:
                # the part ended early: its remaining slices are of no use
                ahead.popleft()[2].cancel()
                fill()

    def _cut(self, part: UnreadRange, slices: Iterator[tuple[int, bytes]], slice_bytes: int) -> Iterator[Chunk]:
        line_start, rest = part.start, b""
        passed_over = False
        for start, content in slices:
            if passed_over:
                end = content.find(b"\n") + 1
                if not end:
                    continue
                yield from self._long_line(part, line_start, start + end, slice_bytes)
                line_start, rest, passed_over = start + end, b"", False
                content = content[end:]  # noqa: PLW2901 (what follows the long line goes on as any slice)
            lines = rest + content
            end = lines.rfind(b"\n") + 1
            if end and (first := lines.find(b"\n") + 1) > LONGEST_LINE:
                yield from self._pieces(part, line_start, lines[:first], slice_bytes)
                line_start, lines, end = line_start + first, lines[first:], end - first
            if end:
                yield Chunk(part, line_start, lines[:end])
            line_start, rest = line_start + end, lines[end:]
            if len(rest) > LONGEST_LINE:
                rest, passed_over = b"", True
        self.pending[part.blob.path] = part.blob.size - line_start

    def _long_line(self, part: UnreadRange, start: int, end: int, slice_bytes: int) -> Iterator[Chunk]:
        for number, at in enumerate(range(start, end, slice_bytes)):
            try:
                content = self.export.read(self.container, part.blob, at, min(at + slice_bytes, end))
            except (BlobChangedError, ExportError) as error:
                raise TornLineError(
                    f"{part.blob.path}: the line at byte {start} ({end - start} bytes) did not come whole "
                    f"({type(error).__name__}); nothing of it was kept, the next run reads it again"
                ) from None
            yield Chunk(part, at, content, line_part=number)

    def _pieces(self, part: UnreadRange, start: int, line: bytes, slice_bytes: int) -> Iterator[Chunk]:
        for number, at in enumerate(range(0, len(line), slice_bytes)):
            yield Chunk(part, start + at, line[at : at + slice_bytes], line_part=number)
