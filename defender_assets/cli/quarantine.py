"""`defender-assets quarantine`: the lines that are no record, with the reason and their bytes."""

from datetime import date

import click

from defender_assets.cli.lake_reader import Reading
from defender_assets.cli.options import limit, of_day, output_format
from defender_assets.cli.output import Cells, hour_of
from defender_assets.core.text import visible_bytes

ROWS_OF_A_TABLE = 25
BYTES_SHOWN = 120

CELLS: Cells = {
    "hour (UTC)": lambda line: hour_of(line["blob"]),
    "tenant": lambda line: line["tenant_id"][:8],
    "table": lambda line: line["table_name"].removeprefix("microsoft_365_defender_").removeprefix("mdatp_"),
    "offset": lambda line: line["byte_offset"],
    "reason": lambda line: line["reason"],
    "detail": lambda line: line["detail"],
    "content": lambda line: shown(line["content"]),
}


def shown(content: bytes) -> str:
    """Return the first bytes of a line as text with escapes."""
    more = "…" if len(content) > BYTES_SHOWN else ""
    return visible_bytes(content[:BYTES_SHOWN]) + more


@click.command(short_help="Show the lines that are no record.")
@of_day("Only lines that arrived on this day.")
@click.option("--table", metavar="NAME", help="Only lines of this typed table, such as mdatp_device_info.")
@click.option("--reason", metavar="CODE", help="Only lines that were refused for this reason, such as not_json.")
@limit(ROWS_OF_A_TABLE)
@output_format()
def quarantine(
    *, day: date | None, table: str | None, reason: str | None, limit: int | None, output_format: str
) -> None:
    """Show the lines that are no record: nothing is thrown away. JSON and CSV hold their bytes in base64."""
    from defender_assets.outputs.queries import views

    reading = Reading.of_settings()
    rows = views.quarantined_lines(reading.lake, day=day, table=table, reason=reason)
    reading.show(rows, CELLS, "quarantined lines", output_format, limit, ROWS_OF_A_TABLE)
