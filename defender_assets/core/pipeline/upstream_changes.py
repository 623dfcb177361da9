"""What changed in a partition's upstreams since it was built; None in any doubt.

A data file of a Delta table never changes, and its name is random, so the files of the look-back identify the rows that
a build read. A build records a hash of their names, in the order in which they were written. If the files that are
there now begin with files of that hash, the others were added since. If they do not, and there is one upstream, its
last versions are looked at for files of that hash. Whatever else happened is found by neither: files that were
compacted, deleted or restored, a table that was put back from a copy, a clock that ran backwards. The hash also covers
the commit that wrote the partition, and the program: the configuration of the build, this package's code, Python and
Polars.
"""

import hashlib
import sys
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache, cached_property
from itertools import chain
from pathlib import Path
from secrets import token_hex

import polars as pl
from deltalake import DeltaTable

import defender_assets
from defender_assets.core.lake.data_files import HeldPartition, data_files
from defender_assets.core.lake.fences import Versions
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.snapshots import Change, scan_files
from defender_assets.core.lake.table_spec import TableSpec

LAST_VERSIONS = 3
"""Earlier versions of a single upstream that are looked at. Runs of other days can commit between two of a day."""
_ORDER = ("modification_time", "upstream", "path")


@dataclass(frozen=True)
class UpstreamFiles:
    """The data files of a partition's look-back in snapshots of its upstreams, in the order in which they were written.

    `snapshots` are in the order of the spec's upstreams.
    """

    spec: TableSpec
    day: date
    snapshots: Mapping[str, DeltaTable]

    @cached_property
    def files(self) -> pl.DataFrame:
        found = [
            data_files(self.snapshots[upstream.name])
            .filter(pl.col("export_date").is_between(self.day - timedelta(days=upstream.days), self.day))
            .select("modification_time", "path", "export_date", upstream=pl.lit(upstream.name))
            for upstream in self.spec.upstreams
        ]
        return pl.concat(found).sort(_ORDER)

    def hash_all(self, seed: Hashable) -> int:
        """Return what identifies all files. The seed identifies the commit that writes, and what it is made with."""
        return self._hashes(seed)[-1]

    def changes_since(self, recorded: int, seed: Hashable, lake: Lake) -> tuple[Change, ...] | None:
        """Return what changed in each upstream, in order; None if the files of this hash are not found."""
        hashes = self._hashes(seed)
        if recorded in hashes:
            return self._changes(self.files[hashes.index(recorded) :], self.files.clear())
        if len(self.snapshots) != 1:
            return None
        ((name, table),) = self.snapshots.items()
        for version in range(table.version() - 1, max(table.version() - 1 - LAST_VERSIONS, -1), -1):
            before = replace(self, snapshots={name: lake.at_version(name, version)})
            if before.hash_all(seed) == recorded:
                then, now = before.files, self.files
                return self._changes(now.join(then, on="path", how="anti"), then.join(now, on="path", how="anti"))
        return None

    def _changes(self, added: pl.DataFrame, removed: pl.DataFrame) -> tuple[Change, ...]:
        return tuple(
            Change(*(self._scan(name, files.filter(upstream=name)) for files in (added, removed)))
            for name in self.snapshots
        )

    def _scan(self, name: str, files: pl.DataFrame) -> pl.LazyFrame | None:
        return scan_files(self.snapshots[name], files.select("path", "export_date").rows()) if files.height else None

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
    """Return what identifies the code that builds: this package's files, Python, and Polars."""
    root = Path(defender_assets.__file__).parent
    files = sorted(path for path in root.rglob("*") if path.suffix in {".py", ".toml"})
    # of an archive there are no files: then no two processes run the same program
    return (_hash_files(files) if files else token_hex()) + sys.version + pl.__version__


def _hash_files(paths: Iterable[Path]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()
