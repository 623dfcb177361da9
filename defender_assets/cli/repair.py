"""`defender-assets repair`: leave damaged files out of a table that no job builds again."""

import click

from defender_assets.cli.lake_reader import LakeReader
from defender_assets.cli.output import say


@click.command()
@click.argument("table")
@click.option("--dry-run", is_flag=True, help="Only name the damaged files; change nothing.")
def repair(*, table: str, dry_run: bool) -> None:
    """Leave the damaged files out of a table that no job builds again, such as sent_notices.

    The rows of these files are lost; all others stay. Put back intact copies from a backup instead, if there are any.
    For every other table, run the job that the error names.
    """
    from defender_assets.cli.errors import CliError
    from defender_assets.core.lake.damage import drop_all_damaged

    lake = LakeReader.from_settings().lake
    names = [spec.name for spec in lake.tables]
    if table not in names:
        raise CliError(f"no table of that name: the lake has {', '.join(names)}")
    damaged = drop_all_damaged(lake, table, dry_run=dry_run) if lake.exists(table) else []
    for file in damaged:
        say(f"{'would leave' if dry_run else 'left'} out {file.describe()}, {file.rows} rows")
    if not damaged:
        say(f"No damaged file in {table}.")
