"""What was added to a partition's upstreams since it was built, if files were only added; None in any doubt.

A data file of a Delta table never changes, and its name is random, so the files of the look-back identify the rows that
a build read. A build records a hash of their names, in the order in which they were written. When the files that are
there now begin with files of that hash, the others were added since. Whatever else happened to an upstream leaves no
such beginning: files that were removed, replaced, compacted or restored, a table that was put back from a copy, a clock
that ran backwards. The hash also covers the commit that wrote the partition, and the program: the configuration of the
build, this package's code, Python and Polars.
"""

import hashlib
import logging
import sys
from collections.abc import Hashable, Iterable, Mapping
from datetime import date, timedelta
from functools import cache
from itertools import chain
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple

import polars as pl

import defender_assets.core
from defender_assets.core.lake.data_files import HeldPartition, data_files
from defender_assets.core.lake.fences import Versions
from defender_assets.core.lake.snapshots import Snapshot, scan_files
from defender_assets.core.lake.table_spec import TableSpec

logger = logging.getLogger(__name__)

_ORDER = ("modification_time", "upstream", "path")


class UpstreamFiles(NamedTuple):
    """The data files of a partition's look-back, in the order in which they were written."""

    snapshots: Mapping[str, Snapshot]
    files: pl.DataFrame

    @classmethod
    def of(cls, spec: TableSpec, day: date, snapshots: Mapping[str, Snapshot]) -> "UpstreamFiles":
        found = [
            data_files(snapshots[upstream.name])
            .filter(pl.col("export_date").is_between(day - timedelta(days=upstream.days), day))
            .select("modification_time", "path", "export_date", upstream=pl.lit(upstream.name))
            for upstream in spec.upstreams
        ]
        return cls(snapshots, pl.concat(found).sort(_ORDER))

    def hash_all(self, seed: Hashable) -> int:
        """Return what identifies all files. The seed identifies the commit that writes, and what it is made with."""
        return self._hashes(seed)[-1]

    def added_since(self, recorded: int, seed: Hashable) -> tuple[pl.LazyFrame | None, ...] | None:
        """Return the rows that were added to each upstream, None for no file; None if files were not only added."""
        hashes = self._hashes(seed)
        if recorded not in hashes:
            return None
        added = self.files[hashes.index(recorded) :]
        return tuple(
            scan_files(table, files.select("path", "export_date").rows()) if files.height else None
            for name, table in self.snapshots.items()
            for files in [added.filter(upstream=name)]
        )

    def _hashes(self, seed: Hashable) -> list[int]:
        """Return the hash of no file, of the first one, of the first two, and so on."""
        digest = hashlib.blake2b(repr((seed, _program())).encode(), digest_size=8)
        hashes = []
        for file in chain([()], self.files.select("upstream", "path").iter_rows()):
            digest.update(repr(file).encode())
            hashes.append(int.from_bytes(digest.digest()) >> 1)
        return hashes


def is_as_written(spec: TableSpec, day: date, versions: Versions, held: HeldPartition) -> bool:
    """Return whether a derived partition has rows, and they are those of the last commit that recorded any."""
    rows, version = versions.rows(spec.name, day), versions(spec.name, day)
    return held.rows > 0 and rows == held.rows and held.built_version == version


@cache
def _program() -> str:
    """Return what identifies the code that builds: the core's files, Python, and Polars."""
    root = Path(defender_assets.core.__file__).parent
    files = sorted(path for path in root.rglob("*") if path.suffix in {".py", ".toml"})
    # of an archive there are no files: then no two processes run the same program
    return (_hash_files(files) if files else token_hex()) + sys.version + pl.__version__


def _hash_files(paths: Iterable[Path]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()
