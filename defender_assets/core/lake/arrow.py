"""Arrow: frames as a stream with exactly the table's schema, for Delta commits, and bytes that are not copied."""

from array import array
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from struct import unpack_from

import polars as pl
from arro3.core import RecordBatchReader, Schema, Table

from defender_assets.core.lake.snapshots import conformed

_IN_VIEW = 12
"""Arrow keeps a value of so many bytes or fewer in its view."""


class RowStream:
    """Frames as a lazy Arrow stream, so that memory holds one frame at a time.

    The frames must have exactly `schema`; a text may be Categorical. They are written with the types of `stored`: the
    same columns, with further fields if a newer version added some to the table. Those become null.

    `problem` is the exception that the source of the frames raised; the writer's own error hides it.
    """

    def __init__(self, schema: pl.Schema, frames: Iterable[pl.DataFrame], stored: pl.Schema | None = None) -> None:
        self.problem: BaseException | None = None
        self._schema = schema
        self._stored = stored or schema
        self._frames = frames

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        frames = (frame.cast({pl.Categorical: pl.String}) for frame in self.checked())
        batches = chain.from_iterable(Table.from_arrow(frame).to_batches() for frame in frames)
        reader = RecordBatchReader.from_batches(arrow_schema(self._stored), batches)
        return reader.__arrow_c_stream__(requested_schema)

    def checked(self) -> Iterator[pl.DataFrame]:
        """Yield the frames with the stored columns.

        Raises:
            TypeError: when a frame has another schema.
        """
        try:
            for frame in self._frames:
                # the Delta writer casts silently: 1.9 in a long column would become 1
                found = as_written(frame.schema)
                if found != self._schema:
                    wrong = {k: v for k, v in found.items() if self._schema.get(k) != v}
                    raise TypeError(f"rows do not have the table's schema; differing columns: {wrong}")  # noqa: TRY301
                yield conformed(frame, self._schema, self._stored)
        except BaseException as error:
            self.problem = error
            raise


def as_written(schema: pl.Schema) -> pl.Schema:
    """Return the schema of rows in a table: the texts of a Categorical are texts there."""
    return pl.Schema({name: pl.String() if dtype == pl.Categorical else dtype for name, dtype in schema.items()})


def arrow_schema(schema: pl.Schema) -> Schema:
    """Return the Arrow schema of a Polars schema."""
    return _arrow_schema(tuple(schema.items()))


@lru_cache(maxsize=64)
def _arrow_schema(columns: tuple[tuple[str, pl.DataType], ...]) -> Schema:
    return Table.from_arrow(pl.DataFrame(schema=dict(columns))).schema


def binary_column(value: bytes) -> pl.Series:
    """Return a Binary column with one value, shorter than 2 GiB. Its bytes are not copied."""
    import nanoarrow  # noqa: PLC0415 (only raw's content is written so)

    return pl.Series(nanoarrow.c_array_from_buffers(nanoarrow.binary(), 1, [None, array("i", (0, len(value))), value]))


def binary_values(column: pl.Series) -> Iterator[memoryview]:
    """Yield the bytes of each value of a Binary column that has no nulls. They are those of the column, not copies."""
    import nanoarrow  # noqa: PLC0415 (only raw's content is read so)

    for part in nanoarrow.c_array_stream(column):
        # the layout "binary view": size and, for a longer value, the number of its buffer and its place there
        _, views, *buffers, _ = (memoryview(buffer).cast("B") for buffer in part.view().buffers)
        for at in range(16 * part.offset, 16 * (part.offset + part.length), 16):
            size, _, buffer, start = unpack_from("<4i", views, at)
            yield views[at + 4 : at + 4 + size] if size <= _IN_VIEW else buffers[buffer][start : start + size]
