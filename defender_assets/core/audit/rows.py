"""Compares typed rows with the records of raw, and quarantined lines with its bad lines."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date

import polars as pl

from defender_assets.core.audit.findings import Difference, Kind
from defender_assets.core.audit.keys import ID, Places
from defender_assets.core.schemas import QUARANTINE, Table

_AT = ["place", "offset"]


@dataclass(frozen=True)
class Held:
    """What raw holds of a table's day: KEYS of its records, LINES of its bad lines, and ranges.

    `ranges` has `place`, `created`, `start` and `end` of contiguous bytes. `in_export` are the
    blobs that the export shows.
    """

    records: pl.DataFrame
    lines: pl.DataFrame
    ranges: pl.DataFrame
    in_export: Collection[str]

    def has_bytes(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows with `covered`: whether raw has bytes at their place, of their generation if it is known."""
        numbered = rows.with_row_index("at")
        found = (
            numbered.select("at", "place", "created", "offset")
            .join(self.ranges.rename({"created": "generation"}), on="place")
            .filter(
                pl.col("created").is_null() | (pl.col("created") == pl.col("generation")),
                pl.col("offset").is_between(pl.col("start"), pl.col("end"), closed="left"),
            )
        )
        return numbered.with_columns(covered=pl.col("at").is_in(found["at"].implode())).drop("at")


def compare_rows(held: Held, typed: pl.DataFrame, readable: pl.DataFrame) -> list[tuple[Kind, pl.DataFrame]]:
    """Return the rows that differ, by kind. Which copy of a record a typed row comes from is free.

    A record in a `readable` line of quarantine is not missing: that line is a difference already.
    """
    records = held.records
    missing = records.join(typed, on=ID, how="anti").join(readable, on=_AT, how="anti")
    missing = missing.unique(ID, keep="first", maintain_order=True)
    doubled = typed.filter(pl.struct(ID).is_duplicated() & pl.col("high").is_not_null())
    doubled = doubled.filter(~pl.struct(ID).is_first_distinct())
    rows = typed.with_row_index("number")
    copies = rows.join(records, on=ID, suffix="_raw").select(
        "number",
        placed=(pl.col("place") == pl.col("place_raw"))
        & (pl.col("offset") == pl.col("offset_raw"))
        & (pl.col("created").is_null() | (pl.col("created") == pl.col("created_raw"))),
        same=pl.col("row") == pl.col("row_raw"),
    )
    sound = copies.filter(pl.col("placed") & pl.col("same")).select("number").unique()
    others = rows.join(sound, on="number", how="anti")
    known = others.join(copies.select("number").unique(), on="number", how="semi")
    placed = copies.filter("placed").select("number").unique()
    unknown = held.has_bytes(others.join(known, on="number", how="anti"))
    return [
        (Kind.MISSING_ROW, missing),
        (Kind.DOUBLE_ROW, doubled),
        (Kind.CHANGED_ROW, known.join(placed, on="number", how="semi")),
        (Kind.MISPLACED_ROW, known.join(placed, on="number", how="anti")),
        (Kind.EXTRA_ROW, unknown.filter("covered")),
        (Kind.ROW_WITHOUT_BYTES, unknown.filter(~pl.col("covered"))),
    ]


def compare_lines(held: Held, quarantined: pl.DataFrame) -> list[tuple[Kind, pl.DataFrame]]:
    """Return the bad lines that differ, by kind."""
    place = [*_AT, "created"]
    lines = quarantined.with_row_index("number")
    copies = lines.join(held.lines, on=_AT, suffix="_raw").filter(
        pl.col("created").is_null() | (pl.col("created") == pl.col("created_raw"))
    )
    same = copies.filter(pl.col("content") == pl.col("content_raw"))
    stored = copies.select(*_AT, created=pl.col("created_raw")).unique()
    others = held.has_bytes(lines.join(copies.select("number").unique(), on="number", how="anti"))
    read = others.filter("covered").join(held.records.select(_AT).unique(), on=_AT, how="semi")
    return [
        (Kind.MISSING_LINE, held.lines.unique(place).join(stored, on=place, how="anti")),
        (Kind.DOUBLE_LINE, lines.filter(~pl.struct(place).is_first_distinct())),
        (Kind.CHANGED_LINE, copies.join(same.select("number"), on="number", how="anti")),
        (Kind.READABLE_LINE, read),
        (Kind.EXTRA_LINE, others.filter("covered").join(read.select("number"), on="number", how="anti")),
        (Kind.LINE_WITHOUT_BYTES, others.filter(~pl.col("covered"))),
    ]


def differences(
    table: Table, day: date, held: Held, found: list[tuple[Kind, pl.DataFrame]], places: Places
) -> Iterator[Difference]:
    """Yield one difference for each kind and blob, with the first offset."""
    for kind, rows in found:
        name = QUARANTINE if kind.value.startswith("bad_line") else table.name
        by_place = rows.group_by("place").agg(pl.col("offset").min(), count=pl.len()).sort("place")
        for place, offset, count in by_place.iter_rows():
            tenant_id, blob = places.of(place)
            shown = blob in held.in_export
            yield Difference(kind, name, day, tenant_id, blob, offset, count=count, in_export=shown)
