"""Shared by the commands that read: open the configured lake, filter its rows, print them in the requested format."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from defender_assets.cli.errors import CliError
from defender_assets.cli.output import TABLE_ROWS, Cells, console, say, table, write_csv, write_json
from defender_assets.core.errors import LakeError
from defender_assets.core.text import escape_control_chars

if TYPE_CHECKING:
    import polars as pl

    from defender_assets.core.lake.lake import Lake
    from defender_assets.settings import Settings

IDS_SHOWN = 5


def announced_settings() -> "Settings":
    """Return the working directory's settings; if they are the demo's, say so on standard error."""
    from defender_assets.settings import READING_DEMO, load_settings

    settings = load_settings()
    if settings.reads_demo:
        click.echo(READING_DEMO, err=True)
    return settings


@dataclass(frozen=True)
class LakeReader:
    """Reads the configured lake for a command."""

    lake: "Lake"

    @classmethod
    def from_settings(cls) -> "LakeReader":
        """Return a reader of the lake that the working directory's settings name."""
        return cls(announced_settings().lake())

    def show(self, rows: "pl.LazyFrame", cells: Cells, what: str, output_format: str, limit: int | None) -> None:
        """Print the rows; a table has at most `limit` rows, by default TABLE_ROWS."""
        from defender_assets.outputs.queries.views import collected

        if output_format != "table":
            found = collected(self.lake, rows if limit is None else rows.head(limit))
            if output_format == "json":
                write_json(found.iter_rows(named=True))
            else:
                write_csv(found.columns, found.iter_rows())
            return
        shown = limit or TABLE_ROWS
        found = collected(self.lake, rows.head(shown + 1))
        if not found.height:
            say(f"No {what} in {self.lake.describe()}.{self.empty_hint()}")
            return
        console().print(table(found.head(shown).iter_rows(named=True), cells, what.capitalize()))
        if found.height > shown:
            import polars as pl

            total = collected(self.lake, rows.select(pl.len())).item()
            say(f"{shown:,} of {total:,} {what}: --limit N shows more, --format json or csv all.")

    def empty_hint(self) -> str:
        """Return a sentence on why there may be nothing to show."""
        from defender_assets.core.schemas import TABLES

        try:
            has_data = any(self.lake.exists(each.raw) for each in TABLES)
        except LakeError:
            return ""
        if has_data:
            return " Nothing matches, or no day with alerts was materialized yet."
        return (
            " Nothing was materialized yet: `make ui` runs what is new, `make demo` shows it with a simulated tenant. "
            "Settings are read from the environment and from .env in the working directory."
        )

    def versions_of_one(self, rows: "pl.LazyFrame", what: str, id_prefix: str) -> list[dict[str, Any]]:
        """Return the rows of the only lead or story (`what`) among them, oldest day first.

        Raises:
            CliError: when there is none or more than one.
        """
        from defender_assets.outputs.queries.views import collected

        found = collected(self.lake, rows.sort("export_date")).to_dicts()
        ids = [row_id for _, row_id in dict.fromkeys((row["tenant_id"], row[f"{what}_id"]) for row in found)]
        plural, prefix = {"lead": "leads", "story": "stories"}[what], escape_control_chars(id_prefix)
        if not ids:
            raise CliError(
                f"no {what} begins with '{prefix}' in {self.lake.describe()}: `defender-assets {plural}` shows the ids"
            )
        if len(ids) > 1:
            some = ", ".join(row_id[:12] for row_id in ids[:IDS_SHOWN])
            raise CliError(f"{len(ids)} {plural} begin with '{prefix}', such as {some}: give more of the id")
        return found


def filtered(rows: "pl.LazyFrame", values: Mapping[str, str | None]) -> "pl.LazyFrame":
    """Return the rows that match the values of `options.filter_options`."""
    from defender_assets.outputs.queries import filters

    apply = {
        "severity": filters.min_severity,
        "product": filters.of_product,
        "device": filters.on_device,
        "user": filters.by_user,
    }
    for option, value in values.items():
        if value is not None:
            rows = apply[option](rows, value)
    return rows
