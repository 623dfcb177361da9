"""Conversion of Polars frames to an Arrow stream with exactly the table's schema, for Delta commits."""

from collections.abc import Iterable, Iterator
from itertools import chain

import polars as pl
from arro3.core import RecordBatchReader, Schema, Table

from defender_assets.core.lake.snapshots import conformed


class RowStream:
    """Frames as a lazy Arrow stream, so that memory holds one frame at a time.

    The frames must have exactly `schema`. They are written with the types of `stored`: the same columns, with further
    fields if a newer version added some to the table. Those become null.

    `problem` is the exception that the source of the frames raised; the writer's own error hides it.
    """

    def __init__(self, schema: pl.Schema, frames: Iterable[pl.DataFrame], stored: pl.Schema | None = None) -> None:
        self.problem: BaseException | None = None
        self._schema = schema
        self._stored = stored or schema
        self._frames = frames

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        batches = chain.from_iterable(Table.from_arrow(frame).to_batches() for frame in self._checked())
        reader = RecordBatchReader.from_batches(arrow_schema(self._stored), batches)
        return reader.__arrow_c_stream__(requested_schema)

    def _checked(self) -> Iterator[pl.DataFrame]:
        try:
            for frame in self._frames:
                # the Delta writer casts silently: 1.9 in a long column would become 1
                if frame.schema != self._schema:
                    wrong = {k: v for k, v in frame.schema.items() if self._schema.get(k) != v}
                    raise TypeError(f"rows do not have the table's schema; differing columns: {wrong}")  # noqa: TRY301
                yield conformed(frame, self._schema, self._stored)
        except BaseException as error:
            self.problem = error
            raise


def arrow_schema(schema: pl.Schema) -> Schema:
    """Return the Arrow schema of a Polars schema."""
    return Table.from_arrow(pl.DataFrame(schema=schema)).schema
