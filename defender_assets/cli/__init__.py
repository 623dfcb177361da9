"""The command line: a thin module or folder for each command, and shared code to read and print. No data logic.

Dagster, Polars and the Azure SDK take seconds to import, so only the functions that need them import them.
"""

import click

from defender_assets.cli.audit import audit
from defender_assets.cli.brief import brief
from defender_assets.cli.check.command import check
from defender_assets.cli.demo.command import demo
from defender_assets.cli.entity import entity
from defender_assets.cli.errors import Commands
from defender_assets.cli.init import init
from defender_assets.cli.lead import lead
from defender_assets.cli.leads import leads
from defender_assets.cli.mcp import mcp
from defender_assets.cli.mute import mute
from defender_assets.cli.muted import muted
from defender_assets.cli.notify import notify
from defender_assets.cli.ocsf import ocsf
from defender_assets.cli.quality import quality
from defender_assets.cli.quarantine import quarantine
from defender_assets.cli.repair import repair
from defender_assets.cli.replay import replay
from defender_assets.cli.simulate import simulate
from defender_assets.cli.sql import sql
from defender_assets.cli.stories import stories
from defender_assets.cli.story import story
from defender_assets.cli.triage import triage
from defender_assets.cli.ui import ui
from defender_assets.cli.what_if import what_if

__all__ = ["main"]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="defender-assets")
def main() -> None:
    """Microsoft Defender's alert and device exports as Dagster assets.

    Settings come from the environment and from .env in the working directory; `check` shows the result.

    Exit codes: 0 success, 1 something needs attention, 2 a wrong setting, argument or account, 3 nothing found,
    or, of `audit`, a difference.
    """


for command in (init, check, ui, demo, simulate, leads, lead, stories, story, brief, sql, ocsf):
    main.add_command(command)
for command in (entity, triage, mute, muted, quality, what_if):
    main.add_command(command)
for command in (audit, quarantine, replay, repair, notify, mcp):
    main.add_command(command)
