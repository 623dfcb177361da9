"""`defender-assets ocsf`: write leads as OCSF events in NDJSON."""

from datetime import date
from pathlib import Path

import click

from defender_assets.cli.lake_reader import LakeReader
from defender_assets.cli.options import day_option, out_option
from defender_assets.cli.output import names_file, open_output, say
from defender_assets.core.text import pluralize


@click.command()
@day_option("Only the leads that were new or changed on this day of arrival. All days otherwise.")
@out_option
def ocsf(*, day: date | None, out: Path | None) -> None:
    """Write leads as OCSF 1.8.0 Detection Findings (class 2004), one JSON event per line.

    Events are ASCII with JSON escapes, so hostile text cannot act on a terminal or break a line.
    """
    from defender_assets.outputs.queries import views

    reader = LakeReader.from_settings()
    events = views.collected(reader.lake, views.findings(reader.lake, day=day).select("event"))["event"]
    with open_output(out) as file:
        for event in events:
            file.write(_ascii(event) + "\n")
    if names_file(out):
        say(f"{pluralize(len(events), 'event')}: {out}")
    elif events.is_empty():
        # standard output carries events only
        say(f"No events in {reader.lake.describe()}.{reader.empty_hint()}", stderr=True)


def _ascii(event: str) -> str:
    """Return equivalent JSON that escapes every character outside printable ASCII."""
    return "".join(char if " " <= char <= "~" else _escape(char) for char in event)


def _escape(char: str) -> str:
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
