"""Guards of the product, and how one is taken out: to see that a fault would be noticed if it were not there.

A guard is a piece of a function's source. `removed` compiles the function without it and puts it in the place of the
real one, wherever the package holds it. A guard that is no longer in the source fails loudly: it has to be named anew.
"""

import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any


@dataclass(frozen=True)
class Guard:
    """The `text` of a function of a module, or of a method of a class, and what stands there `instead` without it."""

    name: str
    owner: ModuleType | type[Any]
    function: str
    text: str
    instead: str = ""


@contextmanager
def removed(guard: Guard) -> Iterator[None]:
    """Run the block without the guard."""
    real = inspect.getattr_static(guard.owner, guard.function)
    source = textwrap.dedent(inspect.getsource(real))
    found = source.count(guard.text)
    assert found == 1, f"{guard.function} holds the guard {guard.text!r} {found} times: name it anew in the tests"
    without = _compiled(real, source.replace(guard.text, guard.instead))
    places = _places(guard, real)
    try:
        for place, name in places:
            setattr(place, name, without)
        yield
    finally:
        for place, name in places:
            setattr(place, name, real)


def _compiled(real: FunctionType, source: str) -> Callable[..., Any]:
    made: dict[str, Callable[..., Any]] = {}
    code = compile(source, f"<{real.__qualname__} without its guard>", "exec")
    exec(code, real.__globals__, made)  # noqa: S102 (the project's own source)
    return made[real.__name__]


def _places(guard: Guard, real: FunctionType) -> list[tuple[ModuleType | type[Any], str]]:
    if not isinstance(guard.owner, ModuleType):
        return [(guard.owner, guard.function)]
    ours = [module for name, module in list(sys.modules.items()) if name.startswith("defender_assets")]
    return [(module, name) for module in ours for name, held in list(vars(module).items()) if held is real]
