"""Mutations of the product: each removes a guard, to prove that a fault is noticed without it.

A guard is a piece of a function's source. `mutated` compiles the function without it and replaces the original in every
module that refers to it. A mutation whose text is no longer in the source fails and has to be updated.
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
class Mutation:
    """The `text` in a function of a module or in a method of a class, and its `replacement`."""

    name: str
    owner: ModuleType | type[Any]
    function: str
    text: str
    replacement: str = ""


@contextmanager
def mutated(mutation: Mutation) -> Iterator[None]:
    """Run the block with the mutation."""
    original = inspect.getattr_static(mutation.owner, mutation.function)
    source = textwrap.dedent(inspect.getsource(original))
    found = source.count(mutation.text)
    assert found == 1, f"{mutation.function} has {mutation.text!r} {found} times: update the mutation"
    mutant = _compile(original, source.replace(mutation.text, mutation.replacement))
    references = _references(mutation, original)
    try:
        for owner, name in references:
            setattr(owner, name, mutant)
        yield
    finally:
        for owner, name in references:
            setattr(owner, name, original)


def _compile(original: FunctionType, source: str) -> Callable[..., Any]:
    namespace: dict[str, Callable[..., Any]] = {}
    code = compile(source, f"<{original.__qualname__} without its guard>", "exec")
    exec(code, original.__globals__, namespace)  # noqa: S102 (the project's own source)
    return namespace[original.__name__]


def _references(mutation: Mutation, original: FunctionType) -> list[tuple[ModuleType | type[Any], str]]:
    if not isinstance(mutation.owner, ModuleType):
        return [(mutation.owner, mutation.function)]
    ours = [module for name, module in list(sys.modules.items()) if name.startswith("defender_assets")]
    return [(module, name) for module in ours for name, value in list(vars(module).items()) if value is original]
