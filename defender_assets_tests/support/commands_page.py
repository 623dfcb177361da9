"""The page `docs/commands.md`, generated from the help texts of the commands.

`python -m defender_assets_tests.support.commands_page` updates it. The text before its first section is written by hand
and kept.
"""

from pathlib import Path

import click

from defender_assets.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
WIDTH = 100
"""Terminal columns for the help texts."""


def rewritten(text: str) -> str:
    """Return the page with updated sections: one table of all commands, then a section for each."""
    introduction = text.partition("\n## ")[0].rstrip("\n")
    return "\n\n".join([introduction, _overview(), *map(_section, main.commands)]) + "\n"


def help_of(name: str) -> str:
    """Return what `defender-assets NAME --help` prints in a terminal of WIDTH columns."""
    group = click.Context(main, info_name="defender-assets", terminal_width=WIDTH, **main.context_settings)
    command = main.get_command(group, name)
    assert command is not None
    return click.Context(command, parent=group, info_name=name).get_help()


def _overview() -> str:
    rows = [f"| [`{name}`](#{name}) | {command.get_short_help_str(WIDTH)} |" for name, command in main.commands.items()]
    return "\n".join(["## All commands", "", "| command | what it does |", "|---|---|", *rows])


def _section(name: str) -> str:
    return f"## {name}\n\n```text\n{help_of(name)}\n```"


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text()))
