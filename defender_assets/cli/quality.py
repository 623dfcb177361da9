"""`defender-assets quality`: how often each detection was right, by the verdicts of analysts."""

from collections.abc import Mapping
from typing import Any

import click

from defender_assets.cli.lake_reader import LakeReader, filtered
from defender_assets.cli.options import limit_option, output_format
from defender_assets.cli.output import Cells, fitting, say
from defender_assets.core.errors import LakeError


def percent(*names: str) -> Any:
    """Return a cell with these shares in percent."""

    def cell(row: Mapping[str, Any]) -> str | None:
        return None if row["precision"] is None else " to ".join(f"{row[name]:.0%}" for name in names)

    return cell


CELLS: Cells = {
    "precision": percent("precision"),
    "95 %": percent("precision_low", "precision_high"),
    "true": lambda row: row["true_positive"],
    "benign": lambda row: row["benign_positive"],
    "false": lambda row: row["false_positive"],
    "undetermined": lambda row: row["undetermined"],
    "leads": lambda row: row["leads"],
    "hours to close": lambda row: None if (hours := row["median_hours_to_close"]) is None else f"{hours:.1f}",
    "title": lambda row: row["title"] or "(untitled)",
    "source": lambda row: row["detection_source"],
}
FROM_WIDTH = {"source": 120, "undetermined": 110, "hours to close": 100, "leads": 80}
"""Terminal width from which a column shows; the others always show."""

BAND: Cells = {"priority": lambda row: row["band"]}
TENANT: Cells = {"tenant": lambda row: row["tenant_id"][:8]}
"""Shown if there are several: each tenant has its own row of a detection."""


@click.command()
@click.option("--bands", is_flag=True, help="Also a row for each band of priority.")
@click.option("--tenant", metavar="ID", help="Only the tenant whose id begins with this.")
@limit_option
@output_format()
def quality(*, bands: bool, tenant: str | None, limit: int | None, output_format: str) -> None:
    """Show how often each detection was right, by the verdicts of analysts, and store it in detection_quality.

    The precision is the share of true positives among true, benign and false positives, with its 95 % Wilson interval.
    A lead without a verdict, or with an undetermined one, counts as neither. The detections with the most verdicts come
    first.
    """
    import polars as pl

    from defender_assets.core.triage.precision import ALL_BANDS, read_quality, store_quality
    from defender_assets.outputs.queries import views

    reader = LakeReader.from_settings()
    with views.reading(reader.lake):
        try:
            rows = store_quality(reader.lake) if views.has_leads(reader.lake) else read_quality(reader.lake)
        except LakeError as error:
            rows = read_quality(reader.lake)
            say(f"Not stored: {error}", stderr=True)
    shown = filtered(rows.lazy(), {"tenant": tenant})
    shown = shown if bands else shown.filter(pl.col("band") == ALL_BANDS)
    of_several = not tenant and rows["tenant_id"].n_unique() > 1
    cells = fitting({**(BAND if bands else {}), **CELLS, **(TENANT if of_several else {})}, FROM_WIDTH)
    reader.show(shown, cells, "detections", output_format, limit)
    if output_format == "table" and rows.height:
        say(f"Leads are counted from {rows['leads_since'][0]} on, verdicts from the first one.")
