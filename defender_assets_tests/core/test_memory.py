import ctypes
import gc
from contextlib import suppress
from types import SimpleNamespace

import pytest

from defender_assets.core import memory


def test_on_windows_no_c_library_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(name: object) -> None:
        raise TypeError(f"{name} is not a library")

    monkeypatch.setattr(ctypes, "CDLL", refused)
    monkeypatch.setattr(memory, "os", SimpleNamespace(name="nt"))

    memory.share_arenas.__wrapped__()


@pytest.mark.parametrize("enabled", [True, False])
def test_no_garbage_is_collected_during_imports_and_then_as_before(
    monkeypatch: pytest.MonkeyPatch, *, enabled: bool
) -> None:
    frozen = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(gc.isenabled()))
    was_enabled = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with suppress(ImportError), memory.collector_paused():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()
    # in the pause: nothing that the pause leaves behind is looked at first
    assert frozen == [False]
