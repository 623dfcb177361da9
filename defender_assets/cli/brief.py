"""`defender-assets brief`: a day's brief as an HTML file. What the page says stands in `core.brief`."""

from datetime import date
from pathlib import Path

import click

from defender_assets.cli.lake_reader import Reading
from defender_assets.cli.options import of_day
from defender_assets.cli.output import opened, say
from defender_assets.core.errors import LakeError


@click.command(short_help="Write a day's brief: one HTML page.")
@of_day("The brief of this day of arrival. Default: the newest one.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="A file instead of standard output."
)
def brief(*, day: date | None, out: Path | None) -> None:
    """Write a day's brief as one HTML page: leads in numbers, stories, the leads to look at first, and why.

    The page is complete in itself: it loads nothing and runs nothing, and what attackers wrote is escaped in it.
    """
    from defender_assets.outputs.queries import views

    reading = Reading.of_settings()
    found = views.collected(reading.lake, views.briefs(reading.lake, day=day).head(1))
    if found.is_empty():
        of = f"for {day} " if day else ""
        raise LakeError(
            f"there is no brief {of}in {reading.lake.describe()}: run the day in Dagster (`make ui`, or `make demo` "
            "with a simulated tenant)"
        )
    ((of_day, html),) = found.select("export_date", "html").rows()
    with opened(out) as file:
        file.write(html)
    if out:
        say(f"The brief of {of_day}, {len(html.encode()):,} bytes: {out}")
