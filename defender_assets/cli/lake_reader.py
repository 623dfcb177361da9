"""What the reading commands have in common: open the lake of the settings, show rows of it in the format asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from defender_assets.cli.errors import CliError
from defender_assets.cli.output import Cells, say, write_csv, write_json, write_table
from defender_assets.core.errors import LakeError
from defender_assets.core.text import escape_control_chars

if TYPE_CHECKING:
    import polars as pl

    from defender_assets.core.lake.lake import Lake
    from defender_assets.core.raw.source_lines import SourceLine

SHOWN_OF_MANY = 5


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
        from defender_assets.outputs.queries.views import collected

        if output_format != "table":
            found = collected(self.lake, rows if limit is None else rows.head(limit))
            (write_json if output_format == "json" else write_csv)(found)
            return
        shown = limit or of_table
        found = collected(self.lake, rows.head(shown + 1))
        if not found.height:
            say(f"No {what} in {self.lake.describe()}.{self.why_empty()}")
            return
        write_table(found.head(shown), cells, what.capitalize())
        if found.height > shown:
            import polars as pl

            all_of_them = collected(self.lake, rows.select(pl.len())).item()
            say(f"{shown:,} of {all_of_them:,} {what}: --limit N shows more, --format json or csv all.")

    def why_empty(self) -> str:
        """Return a sentence on why there may be nothing to show."""
        from defender_assets.core.schemas import TABLES

        try:
            anything = any(self.lake.exists(table.raw) for table in TABLES)
        except LakeError:
            return ""
        if anything:
            return " Nothing matches, or no day with alerts was materialized yet."
        return (
            " Nothing was materialized yet: `make ui` runs what is new, `make demo` shows it with a simulated tenant."
        )

    def all_of_one(self, rows: "pl.LazyFrame", what: str, asked: str) -> list[dict[str, Any]]:
        """Return the rows of the only lead or story (`what`) among them, the oldest day first.

        Raises:
            Complaint: when there is none, or when what was asked for fits several.
        """
        from defender_assets.outputs.queries.views import collected

        identity = f"{what}_id"
        found = collected(self.lake, rows.sort("export_date")).to_dicts()
        ids = list(dict.fromkeys((row["tenant_id"], row[identity]) for row in found))
        several = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
        if not ids:
            raise CliError(
                f"no {what} begins with '{escape_control_chars(asked)}' in {self.lake.describe()}: "
                f"`defender-assets {several}` shows the ids"
            )
        if len(ids) > 1:
            some = ", ".join(of[:12] for _, of in ids[:SHOWN_OF_MANY])
            raise CliError(
                f"{len(ids)} {several} begin with '{escape_control_chars(asked)}', such as {some}: give more of the id"
            )
        return found

    def fetch_source_lines(self, sources: Iterable[Mapping[str, Any]] | None) -> "list[SourceLine]":
        """Return the lines of the export behind the sources."""
        from defender_assets.core.raw.source_lines import fetch_source_lines

        return fetch_source_lines(self.lake, sources or [])


def picked(rows: "pl.LazyFrame", asked: Mapping[str, str | None]) -> "pl.LazyFrame":
    """Return the rows that the options of `options.picks` ask for."""
    from defender_assets.outputs.queries import filters

    ways = {
        "severity": filters.min_severity,
        "product": filters.of_product,
        "device": filters.on_device,
        "user": filters.by_user,
    }
    for option, pick in ways.items():
        if (wanted := asked[option]) is not None:
            rows = pick(rows, wanted)
    return rows
