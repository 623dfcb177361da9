import ctypes
from types import SimpleNamespace

import pytest

from defender_assets.core import memory


def test_where_no_c_library_stands_without_a_name_none_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(name: object) -> None:
        raise TypeError(f"{name} is no library")

    monkeypatch.setattr(ctypes, "CDLL", refused)
    monkeypatch.setattr(memory, "os", SimpleNamespace(name="nt"))

    memory.share_arenas.__wrapped__()
