"""References from assets to their source, which Dagster's UI opens in an editor. Only a source tree has any."""

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from defender_assets import catalog

_TREE = Path(catalog.__file__).parents[1]


def code_references(made_by: Callable[..., Any], tree: Path = _TREE) -> dict[str, dg.MetadataValue]:
    """Return the metadata that refers to the catalog, which says what a table is, and to the function that makes it.

    An installation without the source tree has no file that a reader could open: nothing is returned. The paths are
    those of this machine and only in the definitions that it has loaded.
    """
    if not (tree / "pyproject.toml").exists():
        return {}
    # a preset argument, such as the scoring, hides the function
    function = made_by.func if isinstance(made_by, partial) else made_by
    with warnings.catch_warnings():
        # in beta since 2024; nothing but these links depends on it
        warnings.simplefilter("ignore", dg.BetaWarning)
        value = dg.CodeReferencesMetadataValue(
            code_references=[
                dg.LocalFileCodeReference(file_path=str(Path(catalog.__file__)), label="the catalog"),
                dg.LocalFileCodeReference(
                    file_path=function.__code__.co_filename,
                    line_number=function.__code__.co_firstlineno,
                    label=function.__name__,
                ),
            ]
        )
    return {"dagster/code_references": value}
