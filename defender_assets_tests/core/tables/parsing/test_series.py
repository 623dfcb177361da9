"""What is counted and checked in a content before the compiled reader looks for values."""

import numpy as np
import pytest

from defender_assets.core.tables.parsing.series import _BLOCK, has_utf8, newlines


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, _BLOCK - 1, _BLOCK, _BLOCK + 1])
@pytest.mark.parametrize("content", [b"\n", b"a", b"\n\n\x7f", b"\x8a\x0b\n", "\u00e9\n".encode()])
def test_newlines_are_counted_and_utf8_found_at_any_size(size: int, content: bytes) -> None:
    whole = (content * size)[: size - size % len(content)]
    buffer = np.frombuffer(whole, dtype=np.uint8)
    assert newlines(buffer) == whole.count(b"\n")
    assert has_utf8(buffer) == ("\u00e9".encode() in whole)


@pytest.mark.parametrize("place", [0, 1, _BLOCK - 1, _BLOCK, _BLOCK + 1])
@pytest.mark.parametrize("byte", [0x0A, 0x7F, 0x80, 0xFF])
def test_a_single_byte_is_found_at_any_place(place: int, byte: int) -> None:
    whole = b"x" * place + bytes([byte]) + b"x" * 299
    buffer = np.frombuffer(whole, dtype=np.uint8)
    assert newlines(buffer) == int(byte == ord("\n"))
    # neither ASCII nor a lone byte above it
    assert not has_utf8(buffer)
