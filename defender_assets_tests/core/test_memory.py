import ctypes
from types import SimpleNamespace

import pytest

from defender_assets.core import memory


def test_on_windows_no_c_library_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(name: object) -> None:
        raise TypeError(f"{name} is not a library")

    monkeypatch.setattr(ctypes, "CDLL", refused)
    monkeypatch.setattr(memory, "os", SimpleNamespace(name="nt"))

    memory.share_arenas.__wrapped__()
