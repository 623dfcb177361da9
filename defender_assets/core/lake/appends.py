"""Appending rows: Polars writes the data files, and the Delta log gets their paths, partitions and statistics.

delta-rs can write the files too, with more memory and CPU time (docs/performance.md). It makes the commit in any case,
and it writes every table that has a feature which this module does not know.

Statistics may say less than they could, never more: readers leave out a file if a filter matches nothing between its
minimum and maximum. A text is cut so that a minimum is not above, and a maximum not below, what it stands for.
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from io import BytesIO
from typing import Any
from uuid import uuid4

import polars as pl
from deltalake import DeltaTable, Schema
from deltalake.transaction import AddAction

from defender_assets.core.lake.arrow import arrow_schema, as_written
from defender_assets.core.lake.files import TableFiles
from defender_assets.core.lake.snapshots import Snapshot, schema_of
from defender_assets.core.lake.table_spec import PROPERTIES, TableSpec
from defender_assets.core.schemas.column import INSTANT

_DAY = "export_date"
_NO_DAY = "__HIVE_DEFAULT_PARTITION__"

INDEXED = 32
"""So many columns of a file have statistics, as delta-rs does it: the first ones without the partition's."""

LONGEST = 64
"""Bytes of a text in the statistics. Ids, hashes and names of files are shorter."""

_LARGE_TEXT = 65_536
"""With a longer text, a file has no minimum and maximum in its footer: Parquet would store whole texts there."""

_MOMENTS = (pl.Date(), INSTANT)
_WITH_STATISTICS = (pl.Int32(), pl.Int64(), pl.Boolean(), *_MOMENTS)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def can_write(table: Snapshot, spec: TableSpec) -> bool:
    """Return whether `write_rows` knows all that the rows of a table need.

    The table has no large values and no partitions but days. It has no feature, property, constraint or required column
    that this version does not set. Another program may have set one: then delta-rs writes, or refuses to.
    """
    if spec.large_values is not None or spec.partition_by not in {(), (_DAY,)}:
        return False
    return table.once("plain", lambda: _is_plain(table))


def _is_plain(table: DeltaTable) -> bool:
    protocol, metadata, columns = table.protocol(), table.metadata(), schema_of(table)
    return (
        (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
        and metadata.configuration.keys() <= PROPERTIES.keys()
        and table.schema() == Schema.from_arrow(arrow_schema(columns))
        and columns.get(_DAY, pl.Date) == pl.Date
    )


def write_rows(files: TableFiles, table: DeltaTable, frames: Iterable[pl.DataFrame]) -> list[AddAction]:
    """Write the rows of each frame to a file for each day, and return what the log says of the files.

    Until the log names them, they are dead files, which maintenance deletes after a week.

    Raises:
        LakeError: when the storage cannot be reached or refuses.
    """
    columns = schema_of(table).names()
    return [_write(files, day, rows) for frame in frames for day, rows in _by_day(frame.select(columns)) if rows.height]


def _by_day(rows: pl.DataFrame) -> Iterator[tuple[dict[str, date | None], pl.DataFrame]]:
    if _DAY not in rows.columns:
        yield {}, rows
    elif rows.height and not (days := rows[_DAY]).null_count() and days.min() == days.max():
        yield {_DAY: days[0]}, rows.drop(_DAY)
    else:
        for (day,), part in rows.partition_by(_DAY, as_dict=True, include_key=False).items():
            yield {_DAY: day}, part


def _write(files: TableFiles, partition: dict[str, date | None], rows: pl.DataFrame) -> AddAction:
    values = {name: day.isoformat() if day else None for name, day in partition.items()}
    folders = "".join(f"{name}={day or _NO_DAY}/" for name, day in values.items())
    path = f"{folders}part-00000-{uuid4()}-c000.zstd.parquet"
    texts = texts_of(rows)
    content = _parquet(rows, large=any((text.str.len_bytes() > _LARGE_TEXT).any() for text in texts.values()))
    files.write(path, content)
    # deltalake 1.6 reads the escapes of U+10FFFF in statistics as U+FFFFF, and would leave out files
    stats = json.dumps(statistics(rows, texts), ensure_ascii=False)
    return AddAction(path, len(content), values, int(time.time() * 1000), data_change=True, stats=stats)


def texts_of(rows: pl.DataFrame) -> dict[str, pl.Series]:
    """Return the texts of each column of texts: each once if it is Categorical."""
    distinct = rows.lazy().select(pl.col(pl.Categorical).unique().cast(pl.String).implode()).collect()
    return {column.name: column for column in rows if column.dtype == pl.String} | {
        column.name: column.explode() for column in distinct
    }


def _parquet(rows: pl.DataFrame, *, large: bool) -> bytes:
    columns = as_written(rows.schema)
    content = _encoded(rows, _arrow_metadata(tuple(columns.items())) if rows.schema != columns else None, large=large)
    if pl.read_parquet_schema(BytesIO(content)) != columns:
        # another version of Polars ignores the metadata
        content = _encoded(rows.cast({pl.Categorical: pl.String}), None, large=large)
    return content


def _encoded(rows: pl.DataFrame, metadata: dict[str, str] | None, *, large: bool) -> bytes:
    buffer = BytesIO()
    rows.write_parquet(buffer, compression="zstd", compression_level=1, statistics=not large, metadata=metadata)
    return buffer.getvalue()


@lru_cache(maxsize=64)
def _arrow_metadata(columns: tuple[tuple[str, pl.DataType], ...]) -> dict[str, str]:
    """Return the metadata of a file with these columns: Polars reads a Categorical from it, and without it a text."""
    return pl.read_parquet_metadata(BytesIO(_encoded(pl.DataFrame(schema=dict(columns)), None, large=False)))


def statistics(rows: pl.DataFrame, texts: Mapping[str, pl.Series]) -> dict[str, object]:
    """Return what the log says of a file with these rows: their number, minima, maxima and numbers of nulls.

    `texts` has the texts of each column of texts, in any number and order. Columns of other types than text, whole
    number, truth value, date and time have no statistics.
    """
    low: dict[str, object] = {}
    high: dict[str, object] = {}
    nulls = {}
    for column in rows.get_columns()[:INDEXED]:
        name, dtype = column.name, column.dtype
        if name in texts:
            values = texts[name]
        elif dtype in _WITH_STATISTICS:
            values = column.to_physical()
        else:
            continue
        nulls[name] = column.null_count()
        low[name], high[name] = _lower(values.min(), dtype), _upper(values.max(), dtype)
    bounds = {
        kind: {name: value for name, value in found.items() if value is not None}
        for kind, found in (("minValues", low), ("maxValues", high))
    }
    return {"numRecords": rows.height, **bounds, "nullCount": nulls}


def _lower(value: Any, dtype: pl.DataType) -> object:
    """Return a value that does not sort above the minimum; None for none."""
    return _cut(value) if isinstance(value, str) else _moment(value, dtype)


def _upper(value: Any, dtype: pl.DataType) -> object:
    """Return a value that does not sort below the maximum; None for none."""
    if not isinstance(value, str):
        return _moment(value, dtype)
    cut = _cut(value)
    if cut == value:
        return value
    # the last character that has a next one becomes it, and what follows is left out
    kept = cut.rstrip("\U0010ffff")
    return kept[:-1] + _next(kept[-1]) if kept else None


def _cut(text: str) -> str:
    return text[:LONGEST].encode()[:LONGEST].decode(errors="ignore")


def _next(character: str) -> str:
    """Return the next character of Unicode, in whose order UTF-8 sorts; surrogates are none."""
    return "\ue000" if character == "\ud7ff" else chr(ord(character) + 1)


def _moment(value: Any, dtype: pl.DataType) -> object:
    """Return a date or time as the log writes it, whole numbers as they are; None outside of the years 1 to 9999."""
    if value is None or dtype not in _MOMENTS:
        return value
    try:
        if dtype == pl.Date:
            return (_EPOCH + timedelta(days=value)).date().isoformat()
        return (_EPOCH + timedelta(microseconds=value)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return None
