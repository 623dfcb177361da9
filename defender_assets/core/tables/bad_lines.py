"""The bad lines of a day that is rebuilt: those that were found, and those of them that quarantine lacks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import polars as pl

from defender_assets.core.raw.batches import RawBatches
from defender_assets.core.schemas import QUARANTINE_SCHEMA, Table
from defender_assets.core.tables.keeping import LINE, PLACE, line_keys
from defender_assets.core.tables.prefetch import read_batches


@dataclass(frozen=True)
class BadLines:
    """The portions of a day that have bad lines, with `line_keys` of these."""

    table: Table
    portions: list[tuple[RawBatches, pl.DataFrame]] = field(default_factory=list)

    def keys(self) -> pl.DataFrame:
        """Return `line_keys` of each line once."""
        empty = line_keys(QUARANTINE_SCHEMA.to_frame())
        return pl.concat([empty, *(keys for _, keys in self.portions)]).unique(PLACE, keep="first")

    def frames(self, wanted: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Yield the lines at the wanted places, each once, parsing again only portions that have any."""
        for batches, keys in self.portions:
            if not keys.join(wanted, on=PLACE, how="semi", nulls_equal=True).is_empty():
                lines = pl.concat(
                    [QUARANTINE_SCHEMA.to_frame(), *(p.quarantined for p in read_batches(self.table, batches))]
                )
                fresh = lines.unique(PLACE, keep="first").join(wanted, on=PLACE, how="semi", nulls_equal=True)
                wanted = wanted.join(fresh, on=PLACE, how="anti", nulls_equal=True)
                yield fresh


def in_groups(frames: Iterable[pl.DataFrame], size: int) -> Iterator[list[pl.DataFrame]]:
    """Yield the frames in groups of at least `size` bytes, except the last one; one empty group without frames."""
    group: list[pl.DataFrame] = []
    for frame in frames:
        if sum(each.estimated_size() for each in group) >= size:
            yield group
            group = []
        group.append(frame)
    yield group


def missing_lines(held: pl.DataFrame, parsed: pl.DataFrame, kept: int) -> pl.DataFrame | None:
    """Return which parsed bad lines quarantine lacks; None if it has other lines than these and the `kept` ones."""
    same = held.join(parsed, on=LINE, how="semi", nulls_equal=True).unique()
    if same.height + kept != held.height:
        return None
    return parsed.join(same, on=LINE, how="anti", nulls_equal=True)
