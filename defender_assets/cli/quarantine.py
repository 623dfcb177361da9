"""`defender-assets quarantine`: show lines that could not be parsed, with the reason and their bytes."""

from datetime import date

import click

from defender_assets.cli.lake_reader import LakeReader
from defender_assets.cli.options import day_option, limit_option, output_format
from defender_assets.cli.output import Cells, hour_of
from defender_assets.core.text import visible_bytes

BYTES_SHOWN = 120

CELLS: Cells = {
    "hour (UTC)": lambda line: hour_of(line["blob"]),
    "tenant": lambda line: line["tenant_id"][:8],
    "table": lambda line: line["table_name"].removeprefix("microsoft_365_defender_").removeprefix("mdatp_"),
    "offset": lambda line: line["byte_offset"],
    "reason": lambda line: line["reason"],
    "detail": lambda line: line["detail"],
    "content": lambda line: _beginning(line["content"]),
}


def _beginning(content: bytes) -> str:
    more = "…" if len(content) > BYTES_SHOWN else ""
    return visible_bytes(content[:BYTES_SHOWN]) + more


@click.command()
@day_option("Only lines that arrived on this day.")
@click.option("--table", metavar="NAME", help="Only lines of this typed table, such as mdatp_device_info.")
@click.option("--reason", metavar="CODE", help="Only lines with this reason, such as not_json.")
@limit_option
@output_format()
def quarantine(
    *, day: date | None, table: str | None, reason: str | None, limit: int | None, output_format: str
) -> None:
    """Show lines that could not be parsed; none is discarded. JSON and CSV contain their bytes in base64."""
    from defender_assets.outputs.queries import views

    reader = LakeReader.from_settings()
    rows = views.quarantined_lines(reader.lake, day=day, table=table, reason=reason)
    reader.show(rows, CELLS, "quarantined lines", output_format, limit)
