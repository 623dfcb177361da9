"""Parses the content of a walk, and counts its lines, records, copies and bad lines by blob."""

from collections.abc import Iterator, Mapping

import polars as pl

from defender_assets.core.audit.findings import BlobEntry
from defender_assets.core.audit.keys import CREATED, ID, LINES, PLACE, Places, line_keys, row_keys
from defender_assets.core.audit.raw_content import ContentWalk, Generation
from defender_assets.core.export.blobs import Blob
from defender_assets.core.schemas import QUARANTINE_SCHEMA, Table
from defender_assets.core.tables.parsing.lines import parse
from defender_assets.core.tables.parsing.typed_rows import Tally

_NAMES = ("tenant_id", "blob", "blob_created_at")
_GENERATION = {name: QUARANTINE_SCHEMA[name] for name in _NAMES}


def read_content(
    table: Table, walk: ContentWalk, size: int, places: Places
) -> tuple[pl.DataFrame, pl.DataFrame, Tally]:
    """Consume a walk; return KEYS of its records with every copy, LINES of its bad lines, and the parser's tally."""
    tally, bad = Tally(), [LINES.to_frame()]

    def rows() -> Iterator[pl.DataFrame]:
        for parsed in parse(table, walk.sources(), size):
            tally.add(parsed.tally)
            if parsed.quarantined.height:
                bad.append(line_keys(parsed.quarantined, places))
            yield parsed.rows

    records = row_keys(table, rows(), places)
    if walk.long_lines:
        long = pl.DataFrame(
            [(*line.generation, line.offset, line.head) for line in walk.long_lines],
            schema=_GENERATION | {"byte_offset": pl.Int64(), "content": pl.Binary()},
            orient="row",
        )
        bad.append(line_keys(long, places))
    # blobs without a record need a name too
    places.add(_generations(walk).select("tenant_id", "blob"))
    return records, pl.concat(bad), tally


def unaccounted(walk: ContentWalk, tally: Tally) -> str:
    """Return how the lines of the parser differ from those in the content; empty if they do not."""
    lines = sum(blob.lines for blob in walk.blobs.values()) - len(walk.long_lines)
    blank = sum(blob.blank for blob in walk.blobs.values())
    if (lines, blank) == (tally.lines, tally.blank) and lines == tally.good + tally.quarantined + tally.blank:
        return ""
    return (
        f"{lines} lines, {blank} of them blank, in raw; the parser has {tally.good} good, {tally.quarantined} bad, "
        f"{tally.blank} blank"
    )


def entries(
    table: Table, walk: ContentWalk, records: pl.DataFrame, bad: pl.DataFrame, listed: Mapping[Generation, Blob]
) -> list[BlobEntry]:
    """Return an entry for each generation of the walk; the first copy of a record is no duplicate."""
    of = ["place", "created"]
    # in the order of the names, which is the same on every machine; a hash is not
    order = _generations(walk).sort("tenant_id", "blob", "blob_created_at").with_row_index("rank")
    ordered = records.join(order.select(*of, "rank"), on=of).sort("rank", "offset")
    ordered = ordered.with_columns(first=pl.struct(ID).is_first_distinct())
    counted = ordered.group_by(of).agg(records=pl.len(), duplicates=(~pl.col("first")).sum())
    lines = bad.group_by(of).agg(quarantined=pl.len())
    found = (
        _generations(walk)
        .join(counted, on=of, how="left")
        .join(lines, on=of, how="left")
        .with_columns(pl.col("records", "duplicates", "quarantined").fill_null(0))
    )
    made = []
    for row in found.iter_rows(named=True):
        generation = Generation(row["tenant_id"], row["blob"], row["blob_created_at"])
        content, blob = walk.blobs[generation], listed.get(generation)
        made.append(
            BlobEntry(
                table.name,
                *generation,
                content.size,
                content.hash.hexdigest(),
                content.lines,
                row["records"],
                row["duplicates"],
                row["quarantined"],
                None if blob is None else max(blob.size - content.size, 0),
            )
        )
    return sorted(made)


def _generations(walk: ContentWalk) -> pl.DataFrame:
    """Return tenant, blob, generation, `place` and `created` of the blobs of a walk."""
    return pl.DataFrame(list(walk.blobs), schema=_GENERATION, orient="row").with_columns(PLACE, CREATED)


def ranges_of(walk: ContentWalk) -> pl.DataFrame:
    """Return `place`, `created`, `start` and `end` of the contiguous bytes of the walk."""
    rows = [(*of, start, end) for of, ranges in walk.ranges.items() for start, end in ranges]
    schema = _GENERATION | {"start": pl.Int64(), "end": pl.Int64()}
    return pl.DataFrame(rows, schema=schema, orient="row").select(PLACE, CREATED, "start", "end")
