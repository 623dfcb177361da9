"""What the compiled scanner says of a content before it looks for values."""

import numpy as np
import pytest

from defender_assets.core.tables.parsing.fast import scanner

pytestmark = pytest.mark.usefixtures("compiled")


@pytest.mark.parametrize("size", [0, 1, 127, 128, 129, 255, 256, 257, 70_000])
@pytest.mark.parametrize("content", [b"\n", b"a", b"\n\n\x7f", b"\x8a\x0b\n", "\u00e9\n".encode()])
def test_newlines_are_counted_and_bytes_above_ascii_found_at_any_size(size: int, content: bytes) -> None:
    whole = (content * size)[:size]
    found = scanner.survey(np.frombuffer(whole, dtype=np.uint8))
    assert found == (whole.count(b"\n"), not whole.isascii())


@pytest.mark.parametrize("place", [0, 1, 126, 127, 128, 255, 299])
@pytest.mark.parametrize("byte", [0x0A, 0x7F, 0x80, 0xFF])
def test_a_single_byte_is_found_at_any_place(place: int, byte: int) -> None:
    whole = b"x" * place + bytes([byte]) + b"x" * (299 - place)
    assert scanner.survey(np.frombuffer(whole, dtype=np.uint8)) == (int(byte == ord("\n")), byte > 0x7F)
