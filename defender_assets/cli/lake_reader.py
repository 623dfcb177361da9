"""Shared by the commands that read: open the configured lake, filter its rows, print them in the requested format."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from defender_assets.cli.errors import NOTHING_FOUND, CliError, NothingFoundError
from defender_assets.cli.output import TABLE_ROWS, Cells, console, say, table, write_csv, write_json
from defender_assets.cli.since import Look
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
        say(READING_DEMO, stderr=True)
    return settings


@dataclass(frozen=True)
class LakeReader:
    """Reads the configured lake for a command."""

    lake: "Lake"

    @classmethod
    def from_settings(cls) -> "LakeReader":
        """Return a reader of the lake that the working directory's settings name."""
        return cls(announced_settings().lake())

    def show_new(
        self,
        rows: "pl.LazyFrame",
        look: Look,
        cells: Cells,
        what: str,
        output_format: str,
        limit: int | None,
        *,
        why_none: Callable[[], str] = str,
    ) -> None:
        """Print the rows that are new to a look, which have `updated_at`, and remember that they were shown.

        Raises:
            Exit: as for `show`.
        """
        from defender_assets.outputs.queries.views import collected

        def why_nothing_new() -> str:
            if collected(self.lake, rows.head(1)).is_empty():
                return why_none()
            return f"--since {look.since} leaves none: nothing was new or changed since then."

        new = collected(self.lake, look.new(rows))
        try:
            shown = self.show(
                new.drop("updated_at").lazy(), cells, what, output_format, limit, why_none=why_nothing_new
            )
        except click.exceptions.Exit:
            look.seen(new, 0)
            raise
        # what a closed pipe or a full disk swallowed was not seen
        sys.stdout.flush()
        look.seen(new, shown)

    def show(
        self,
        rows: "pl.LazyFrame",
        cells: Cells,
        what: str,
        output_format: str,
        limit: int | None,
        *,
        why_none: Callable[[], str] = str,
    ) -> int:
        """Print the rows and return how many; a table has at most `limit` rows, by default TABLE_ROWS.

        Raises:
            Exit: a table has no row; the exit code is NOTHING_FOUND, after a line that says why.
        """
        from defender_assets.outputs.queries.views import collected

        if output_format != "table":
            found = collected(self.lake, rows if limit is None else rows.head(limit))
            if output_format == "json":
                write_json(found.iter_rows(named=True))
            else:
                write_csv(found.columns, found.iter_rows())
            return found.height
        shown = limit or TABLE_ROWS
        found = collected(self.lake, rows.head(shown + 1))
        if not found.height:
            say(f"No {what} in {self.lake.describe()}.{self.empty_hint(why_none)}")
            raise click.exceptions.Exit(NOTHING_FOUND)
        first = found.head(shown).to_dicts()
        console().print(table(first, cells, what.capitalize()))
        if found.height > shown:
            import polars as pl

            total = collected(self.lake, rows.select(pl.len())).item()
            say(f"{shown:,} of {total:,} {what}: --limit N shows more, --format json or csv all.")
        return len(first)

    def empty_hint(self, why_none: Callable[[], str] = str) -> str:
        """Return a sentence on why there is nothing to show; `why_none` returns one for a lake that has data."""
        from defender_assets.core.leads.schema import LEADS_TABLE
        from defender_assets.core.schemas import TABLES

        try:
            has_data = any(self.lake.exists(name) for name in (*(table.raw for table in TABLES), LEADS_TABLE))
        except LakeError:
            return ""
        if has_data:
            return f" {why_none() or 'Nothing matches, or no day with alerts was materialized yet.'}"
        return (
            " Nothing was materialized yet: `defender-assets ui` runs what is new, `defender-assets demo` shows it on "
            "simulated tenants. Settings are read from the environment and from .env in the working directory."
        )

    def which_filter(
        self,
        days: "pl.LazyFrame",
        rows: "pl.LazyFrame",
        values: Mapping[str, str | None],
        what: str,
        *,
        asked: str,
        left_out: str,
    ) -> str:
        """Return a sentence that names what leaves no row: the lake, the day or a filter.

        Args:
            days: all rows that the lake has, with `export_date`.
            rows: the rows before the filters.
            values: the filters, as for `filtered`.
            what: the plural of what is shown.
            asked: the options that chose `rows` from the lake, such as `--day 2026-01-31`, or nothing.
            left_out: a sentence on what is not shown unless an option says so.
        """
        import polars as pl

        from defender_assets.outputs.queries.views import collected

        def count(found: "pl.LazyFrame") -> int:
            return int(collected(self.lake, found.select(pl.len())).item())

        first, last = collected(
            self.lake, days.select(first=pl.col("export_date").min(), last=pl.col("export_date").max())
        ).row(0)
        if first is None:
            return f"No materialized day has {what}."
        total = count(rows)
        if not total:
            return f"{f'{asked} leaves none: t' if asked else 'T'}he lake has {what} of {first} to {last}. {left_out}"
        before, left = asked, total
        for option, value in values.items():
            if value is None:
                continue
            rows = filtered(rows, {option: value})
            shown = f"--{option} {escape_control_chars(value)}"
            remaining = count(rows)
            if not remaining:
                of = f" that {before} leaves" if before else ""
                return f"{shown} matches none of the {left:,} {what}{of}."
            before, left = " ".join(filter(None, [before, shown])), remaining
        return ""

    def versions_of_one(self, rows: "pl.LazyFrame", what: str, id_prefix: str) -> list[dict[str, Any]]:
        """Return the rows of the only lead or story (`what`) among them, oldest day first.

        Raises:
            NothingFoundError: when there is none.
            CliError: when there is more than one.
        """
        from defender_assets.outputs.queries.views import collected

        found = collected(self.lake, rows.sort("export_date")).to_dicts()
        ids = [row_id for _, row_id in dict.fromkeys((row["tenant_id"], row[f"{what}_id"]) for row in found)]
        plural, prefix = {"lead": "leads", "story": "stories"}[what], escape_control_chars(id_prefix)
        if not ids:
            raise NothingFoundError(
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
        "tenant": filters.of_tenant,
        "assignee": filters.assigned_to,
    }
    for option, value in values.items():
        if value is not None:
            rows = apply[option](rows, value)
    return rows
