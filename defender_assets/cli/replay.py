"""`defender-assets replay`: quarantined lines tried again after a fix, moved into their tables where they parse now."""

from datetime import date

import click

from defender_assets.cli.lake_reader import Reading
from defender_assets.cli.options import of_day
from defender_assets.cli.output import say


@click.command(short_help="Try quarantined lines again after a fix.")
@of_day("Only lines that arrived on this day.")
@click.option("--dry-run", is_flag=True, help="Say what would move, and change nothing.")
def replay(*, day: date | None, dry_run: bool) -> None:
    """Try the quarantined lines again, and rebuild each table's day in which one parses now.

    Nothing is read from the account. Leads and stories follow with the sensor's next runs, or with the job rebuild_day.
    """
    from defender_assets.core.tables.replay import replay as replayed

    done = replayed(Reading.of_settings().lake, None if day is None else [day], dry_run=dry_run)
    for row in done:
        moved = f"{row.readable} of {row.lines} quarantined lines {'would move' if dry_run else 'moved'} into the table"
        say(f"{row.day} {row.table}: {moved if row.readable else f'none of {row.lines} quarantined lines parses now'}")
    if not done:
        say("No quarantined lines.")
