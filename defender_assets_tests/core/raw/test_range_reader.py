"""Splitting at line ends: any bytes, slices and start offsets give all whole lines, in order."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defender_assets.core.export import Blob, BlobChangedError, DirectoryExport
from defender_assets.core.raw import range_reader
from defender_assets.core.raw.range_reader import Chunk, RangeReader, TornLineError, UnreadRange
from defender_assets_tests.support.exports import DAY, TENANT

CREATED = datetime(2026, 11, 3, 8, tzinfo=UTC)
LONGEST = 20


@dataclass(frozen=True)
class Memory(DirectoryExport):
    """An in-memory export; paths are indexes. Reads beyond `changes_from` bytes fail as if the blob had changed."""

    contents: tuple[bytes, ...] = ()
    changes_from: int | None = None

    def read(self, container: str, blob: Blob, start: int, end: int) -> bytes:  # noqa: ARG002 (the protocol's)
        if self.changes_from is not None and end > self.changes_from:
            raise BlobChangedError(blob.path)
        return self.contents[int(blob.path)][start:end]


def unread(number: int, content: bytes, start: int = 0) -> UnreadRange:
    return UnreadRange(Blob(TENANT, str(number), DAY, 8, len(content), CREATED), CREATED, start)


def cut(contents: list[bytes], starts: list[int], slice_bytes: int) -> tuple[list[Chunk], RangeReader]:
    reader = RangeReader(Memory(root=None, contents=tuple(contents)), "container")  # type: ignore[arg-type]
    parts = [unread(number, content, starts[number]) for number, content in enumerate(contents)]
    return list(reader.chunks(parts, slice_bytes)), reader


lines = st.lists(st.binary(max_size=60).map(lambda text: text.replace(b"\n", b"")), max_size=6)


@given(st.lists(lines, min_size=1, max_size=3), st.binary(max_size=50), st.integers(1, 70), st.data())
def test_every_whole_line_behind_the_cursor_is_read_once(
    texts: list[list[bytes]], tail: bytes, slice_bytes: int, data: st.DataObject
) -> None:
    tail = tail.replace(b"\n", b"")
    contents = [b"".join(line + b"\n" for line in text) + tail for text in texts]
    starts = []
    for text in texts:
        ends = [sum(len(line) + 1 for line in text[:count]) for count in range(len(text) + 1)]
        starts.append(data.draw(st.sampled_from(ends)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(range_reader, "LONGEST_LINE", LONGEST)
        found, reader = cut(contents, starts, slice_bytes)
    for number, content in enumerate(contents):
        own = [chunk for chunk in found if chunk.unread.blob.path == str(number)]
        at = starts[number]
        for chunk in own:
            assert chunk.start == at
            at += len(chunk.content)
            if chunk.line_part is None:
                assert chunk.content.endswith(b"\n")
                assert all(len(line) <= LONGEST + slice_bytes for line in chunk.content.split(b"\n"))
        assert b"".join(chunk.content for chunk in own) == content[starts[number] : len(content) - len(tail)]
        long = [line for line in content[starts[number] : at].split(b"\n") if len(line) > LONGEST + slice_bytes]
        assert sum(chunk.line_part == 0 for chunk in own) >= len(long)
    assert sum(reader.pending.values()) == len(tail) * len(contents)


@given(st.binary(max_size=70), st.binary(max_size=40), st.integers(1, 70), st.data())
def test_a_tail_that_was_looked_through_gives_the_same_lines(
    tail: bytes, added: bytes, slice_bytes: int, data: st.DataObject
) -> None:
    content = b"a\n" + tail.replace(b"\n", b"") + added
    looked_at = data.draw(st.integers(2, 2 + len(tail.replace(b"\n", b""))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(range_reader, "LONGEST_LINE", LONGEST)
        reader = RangeReader(Memory(root=None, contents=(content,)), "container")  # type: ignore[arg-type]  # it opens no directory
        part = replace(unread(0, content, 2), looked_at=looked_at)
        found = list(reader.chunks([part], slice_bytes))
    assert b"".join(chunk.content for chunk in found) == content[2 : content.rfind(b"\n") + 1]
    assert all(chunk.content.endswith(b"\n") for chunk in found if chunk.line_part is None)
    assert reader.tails == ([] if found else [part])


def test_parts_of_a_long_line_are_numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(range_reader, "LONGEST_LINE", LONGEST)
    found, _ = cut([b"a\n" + b"x" * 50 + b"\nb\n"], [0], 16)
    assert [(chunk.line_part, chunk.content[:1]) for chunk in found] == [
        (None, b"a"),
        (0, b"x"),
        (1, b"x"),
        (2, b"x"),
        (3, b"x"),
        (None, b"b"),
    ]


def test_an_incompletely_read_long_line_aborts_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(range_reader, "LONGEST_LINE", LONGEST)
    content = b"x" * 60 + b"\n"
    memory = Memory(root=None, contents=(content,))  # type: ignore[arg-type]
    reads = 0

    def read(_: Memory, __: str, blob: Blob, start: int, end: int) -> bytes:
        nonlocal reads
        reads += 1
        if reads > 6:
            raise BlobChangedError(blob.path)
        return content[start:end]

    monkeypatch.setattr(Memory, "read", read)
    with pytest.raises(TornLineError, match="none of it was stored"):
        list(RangeReader(memory, "container").chunks([unread(0, content)], 16))


def test_a_changed_blob_ends_early_and_the_others_continue() -> None:
    contents = (b"a\nb\n" * 10, b"c\n")
    reader = RangeReader(Memory(root=None, contents=contents, changes_from=20), "container")  # type: ignore[arg-type]
    found = list(reader.chunks([unread(0, contents[0]), unread(1, contents[1])], 8))
    assert reader.changed == ["0"]
    assert b"".join(chunk.content for chunk in found) == contents[0][:16] + contents[1]
