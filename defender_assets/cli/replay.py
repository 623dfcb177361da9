"""`defender-assets replay`: parse quarantined lines again and move those that parse now into their tables."""

from datetime import date

import click

from defender_assets.cli.lake_reader import LakeReader
from defender_assets.cli.options import day_option
from defender_assets.cli.output import say


@click.command()
@day_option("Only lines that arrived on this day.")
@click.option("--dry-run", is_flag=True, help="Show what would move; change nothing.")
def replay(*, day: date | None, dry_run: bool) -> None:
    """Parse the quarantined lines again, and rebuild each table's day in which one parses now.

    The account is not read. Leads and stories follow in the sensor's next runs or with the job rebuild_day.
    """
    from defender_assets.core.tables.replay import replay as replay_lines

    done = replay_lines(LakeReader.from_settings().lake, None if day is None else [day], dry_run=dry_run)
    for row in done:
        moved = f"{row.readable} of {row.lines} quarantined lines {'would move' if dry_run else 'moved'} into the table"
        say(f"{row.day} {row.table}: {moved if row.readable else f'none of {row.lines} quarantined lines parses now'}")
    if not done:
        say("No quarantined lines.")
