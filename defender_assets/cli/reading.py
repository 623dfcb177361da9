"""What the reading commands have in common: open the lake of the settings, show rows of it in the format asked for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from defender_assets.cli.output import Cells, say, write_csv, write_json, write_table
from defender_assets.core.failures import LakeError

if TYPE_CHECKING:
    import polars as pl

    from defender_assets.core.lake import Lake


@dataclass(frozen=True)
class Reading:
    """The lake of the settings, read by a command."""

    lake: "Lake"

    @classmethod
    def of_settings(cls) -> "Reading":
        """Return the lake of the working directory's settings."""
        from defender_assets.settings import load_settings

        return cls(load_settings().lake())

    def show(
        self, rows: "pl.LazyFrame", cells: Cells, what: str, output_format: str, limit: int | None, of_table: int
    ) -> None:
        """Print the rows; a table is cut at `of_table` rows unless `limit` says otherwise."""
        from defender_assets.core.views import collected

        if output_format != "table":
            found = collected(self.lake, rows if limit is None else rows.head(limit))
            (write_json if output_format == "json" else write_csv)(found)
            return
        shown = limit or of_table
        found = collected(self.lake, rows.head(shown + 1))
        if not found.height:
            say(f"No {what} in {self.lake.describe()}.{_why_empty(self.lake)}")
            return
        write_table(found.head(shown), cells, what.capitalize())
        if found.height > shown:
            say("… and more: --limit N shows them, --format json or csv all.")


def _why_empty(lake: "Lake") -> str:
    from defender_assets.core.tables import TABLES

    try:
        anything = any(lake.exists(table.raw) for table in TABLES)
    except LakeError:
        return ""
    if anything:
        return " Nothing matches, or no day with alerts was materialized yet."
    return " Nothing was materialized yet: `make ui` runs what is new, `make demo` shows it with a simulated tenant."
