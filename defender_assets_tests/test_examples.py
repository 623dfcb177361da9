"""The examples in the docstrings are correct."""

import doctest
import importlib
from pathlib import Path

import pytest

import defender_assets

PACKAGE = Path(defender_assets.__file__).parent
MODULES = sorted(
    ".".join((PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts))
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("module", MODULES)
def test_its_examples_are_correct(module: str) -> None:
    failed, attempted = doctest.testmod(importlib.import_module(module))

    assert attempted
    assert not failed
