"""Parameters of which `make test` tries some of each kind, and `make soak` all."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

MARK = "exhaustive"


def some_of(cases: Iterable[Any], is_tried: Callable[[Any], bool]) -> list[Any]:
    """Return all cases, those that `make test` leaves out with the mark `exhaustive`.

    A case is the value of one parameter, or the tuple of values of several.
    """
    return [case if is_tried(case) else _marked(case) for case in cases]


def leave_out(items: list[pytest.Item], config: pytest.Config) -> None:
    """Deselect the marked tests, unless the command line names the mark: `pytest -m exhaustive` runs them alone."""
    if MARK in config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker(MARK)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def _marked(case: Any) -> Any:
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=getattr(pytest.mark, MARK))
