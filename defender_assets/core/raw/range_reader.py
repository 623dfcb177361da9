"""Reads blob ranges in parallel and splits them at line ends into chunks.

Memory: a few slices in flight and one line of at most 16 MiB. A longer line is skipped until its end is found, then
read again in parts.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from defender_assets.core.errors import DefenderAssetsError, ExportError
from defender_assets.core.export.blobs import Blob, BlobChangedError, Export
from defender_assets.core.raw.unanswered import Unanswered
from defender_assets.core.text import MEBIBYTE

SLICE = 8 * MEBIBYTE
LONGEST_LINE = 16 * MEBIBYTE
IN_FLIGHT = 4


class TornLineError(DefenderAssetsError):
    """A line above 16 MiB was not read completely: abort the commit, or its rest would be taken for a line."""


@dataclass(frozen=True)
class UnreadRange:
    """The part of a blob generation that is not in raw: bytes from `start` to the listed size.

    An earlier run found no newline before `looked_at`.
    """

    blob: Blob
    created_at: datetime
    start: int
    looked_at: int = 0


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

    Afterwards, `changed` has the paths of blobs that are no longer the listed ones, `failures` maps the paths of blobs
    that could not be read to their errors. `gave_up` is the error of an account that does not answer at all: the rest
    was not read. `cut_short` says whether `limit` ended the pass. `pending` maps blob paths to the bytes of their
    unterminated tails, `tails` are the parts that contain no newline.
    """

    export: Export
    container: str
    changed: list[str] = field(default_factory=list)
    failures: dict[str, ExportError] = field(default_factory=dict)
    gave_up: ExportError | None = None
    pending: dict[str, int] = field(default_factory=dict)
    tails: list[UnreadRange] = field(default_factory=list)
    cut_short: bool = False

    def up_to(self, limit: int, parts: list[UnreadRange], slice_bytes: int = SLICE) -> Iterator[Chunk]:
        """Yield chunks as `chunks` does, and stop at the first line end at or after `limit` bytes."""
        taken = 0
        for chunk in self.chunks(parts, slice_bytes):
            if taken >= limit and not chunk.line_part:
                self.cut_short = True
                return
            taken += len(chunk.content)
            yield chunk

    def chunks(self, parts: list[UnreadRange], slice_bytes: int = SLICE) -> Iterator[Chunk]:
        """Yield the chunks of all parts, blob by blob, in byte order, without unterminated tails.

        A blob that is deleted, recreated or fails ends early; the others continue. Only if three in a row are not
        answered, and the account does not list its tenants either, the pass ends.

        Raises:
            TornLineError: when that happens within a line above 16 MiB.
        """
        unanswered = Unanswered(self.export, self.container)
        with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="range-read") as pool:
            for part, slices in self._fetched(pool, parts, slice_bytes):
                try:
                    yield from self._cut(part, slices, slice_bytes)
                    unanswered.answered()
                except BlobChangedError:
                    self.changed.append(part.blob.path)
                    unanswered.answered()
                except ExportError as error:
                    self.failures[part.blob.path] = error
                    self.gave_up = unanswered.failed(error)
                    if self.gave_up:
                        pool.shutdown(wait=False, cancel_futures=True)
                        return

    def _fetched(
        self, pool: ThreadPoolExecutor, parts: list[UnreadRange], slice_bytes: int
    ) -> Iterator[tuple[UnreadRange, Iterator[tuple[int, bytes]]]]:
        """Yield each part with its slices in order; slices of this and the next parts are prefetched."""
        ranges = (
            (number, start, min(start + slice_bytes, part.blob.size))
            for number, part in enumerate(parts)
            for start in range(max(part.start, part.looked_at), part.blob.size, slice_bytes)
        )
        ahead: deque[tuple[int, int, Future[bytes]]] = deque()

        def fill() -> None:
            for number, start, end in islice(ranges, IN_FLIGHT - len(ahead)):
                future = pool.submit(self.export.read, self.container, parts[number].blob, start, end)
                ahead.append((number, start, future))

        def slices_of(part: int) -> Iterator[tuple[int, bytes]]:
            fill()
            while ahead and ahead[0][0] == part:
                _, start, future = ahead.popleft()
                content = future.result()
                fill()
                yield start, content

        for number, part in enumerate(parts):
            yield part, slices_of(number)
            fill()
            while ahead and ahead[0][0] == number:
                # the part ended early: discard its remaining slices
                ahead.popleft()[2].cancel()
                fill()

    def _cut(self, part: UnreadRange, slices: Iterator[tuple[int, bytes]], slice_bytes: int) -> Iterator[Chunk]:
        line_start, rest = part.start, b""
        skipping = part.looked_at > part.start
        for start, content in slices:
            if skipping:
                end = content.find(b"\n") + 1
                if not end:
                    continue
                if start - line_start <= LONGEST_LINE:
                    # a tail that an earlier run has looked through is part of this slice, hence the noqa
                    content = self.export.read(self.container, part.blob, line_start, start) + content  # noqa: PLW2901
                    skipping = False
            if skipping:
                yield from self._long_line(part, line_start, start + end, slice_bytes)
                line_start, rest, skipping = start + end, b"", False
                content = content[end:]  # noqa: PLW2901 (bytes after the long line are processed as any slice)
            # the rest has no line end
            end = content.rfind(b"\n") + 1
            if end and len(rest) + (first := content.find(b"\n") + 1) > LONGEST_LINE:
                line = rest + content[:first]
                yield from self._pieces(part, line_start, line, slice_bytes)
                line_start, rest, end = line_start + len(line), b"", end - first
                content = content[first:]  # noqa: PLW2901 (bytes after the long line are processed as any slice)
            if end:
                lines = b"".join((rest, memoryview(content)[:end]))
                yield Chunk(part, line_start, lines)
                line_start, rest = line_start + len(lines), b""
            rest += content[end:]
            if len(rest) > LONGEST_LINE:
                rest, skipping = b"", True
        self.pending[part.blob.path] = part.blob.size - line_start
        if line_start == part.start:
            self.tails.append(part)

    def _long_line(self, part: UnreadRange, start: int, end: int, slice_bytes: int) -> Iterator[Chunk]:
        for number, at in enumerate(range(start, end, slice_bytes)):
            try:
                content = self.export.read(self.container, part.blob, at, min(at + slice_bytes, end))
            except (BlobChangedError, ExportError) as error:
                raise TornLineError(
                    f"{part.blob.path}: the line at byte {start} ({end - start} bytes) was not read completely "
                    f"({type(error).__name__}); none of it was stored, the next run reads it again"
                ) from None
            yield Chunk(part, at, content, line_part=number)

    def _pieces(self, part: UnreadRange, start: int, line: bytes, slice_bytes: int) -> Iterator[Chunk]:
        for number, at in enumerate(range(0, len(line), slice_bytes)):
            yield Chunk(part, start + at, line[at : at + slice_bytes], line_part=number)
