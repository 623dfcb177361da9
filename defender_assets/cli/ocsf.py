"""`defender-assets ocsf`: a day's OCSF events as NDJSON, one event a line. What an event says stands in `core.ocsf`."""

from datetime import date
from pathlib import Path

import click

from defender_assets.cli.lake_reader import Reading
from defender_assets.cli.options import of_day
from defender_assets.cli.output import opened, say
from defender_assets.core.text import pluralize


@click.command(short_help="Write leads as OCSF Detection Findings.")
@of_day("Only the leads that were new or changed on this day of arrival. All days otherwise.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="A file instead of standard output."
)
def ocsf(*, day: date | None, out: Path | None) -> None:
    """Write leads as OCSF 1.8.0 Detection Findings (class 2004), one JSON event a line.

    Events are ASCII: JSON escapes all else, so hostile text acts on no terminal, and a line is a line.
    """
    from defender_assets.outputs.queries import views

    reading = Reading.of_settings()
    events = views.collected(reading.lake, views.findings(reading.lake, day=day).select("event"))["event"]
    with opened(out) as file:
        for event in events:
            file.write(_ascii(event) + "\n")
    if out:
        say(f"{pluralize(len(events), 'event')}: {out}")
    elif events.is_empty():
        # standard output holds events and nothing else
        say(f"No events in {reading.lake.describe()}.{reading.why_empty()}", stderr=True)


def _ascii(event: str) -> str:
    """Return the JSON text with everything outside printable ASCII as escapes: the same JSON, harmless to look at."""
    return "".join(mark if " " <= mark <= "~" else _escape(mark) for mark in event)


def _escape(mark: str) -> str:
    units = mark.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
