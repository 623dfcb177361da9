"""The truth of an export under faults: every byte that was ever visible, by blob and generation.

The writer of the export records it, independently of how raw reads. A new generation is detected by a file that is
shorter than its cursor (guarantee 3), so a recreated blob stays below `ceiling` until raw has a line of it.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from defender_assets.core.lake.lake import Lake
from defender_assets.core.schemas import QUARANTINE, TABLES, Table
from defender_assets_tests.faults.streams import MARK, Line, Slot
from defender_assets_tests.support.export_accounts import ExportStorage
from defender_assets_tests.support.exports import DAY, OTHER_TENANT, TENANT

DAYS = (DAY, DAY + timedelta(days=1))
SLOTS = tuple(
    Slot(table.name, tenant, day, hour)
    for table in TABLES
    for tenant in (TENANT, OTHER_TENANT)
    for day in DAYS
    for hour in (8, 9)
)
TABLES_BY_NAME = {table.name: table for table in TABLES}


@dataclass
class Generation:
    """A blob from its creation to its deletion: its `planned` lines, and the visible `written` bytes of them."""

    ceiling: int | None = None
    earlier: int = 0
    planned: list[Line] = field(default_factory=list)
    written: bytes = b""

    @property
    def whole(self) -> bytes:
        """The bytes that raw must have: up to the last newline."""
        return self.written[: self.written.rfind(b"\n") + 1]


@dataclass
class Truth:
    """An export in `storage` that only this class writes, and what a lake must contain of it."""

    storage: ExportStorage
    lake: Lake
    generations: dict[Slot, list[Generation]] = field(default_factory=lambda: defaultdict(list))
    existing: set[Slot] = field(default_factory=set)
    records_held: dict[str, Counter[tuple[object, ...]]] = field(default_factory=lambda: defaultdict(Counter))
    lines_held: dict[str, Counter[tuple[object, ...]]] = field(default_factory=lambda: defaultdict(Counter))

    def take_back(self, names: Iterable[str], restore: Callable[[str], object]) -> None:
        """Restore tables by their names. What quarantine and the typed tables hold then must not be lost any more.

        A raw table with a recreated blob stays: in a directory, only its cursor tells the generations apart.
        """
        recreated = {slot.table_name for slot, generations in self.generations.items() if len(generations) > 1}
        for table in TABLES:
            self._check_held(self.lake, table)
        for name in names:
            if not any(table.raw == name and table.name in recreated for table in TABLES):
                restore(name)
        for table in TABLES:
            self.records_held[table.name] = _records(self.lake, table)
            self.lines_held[table.name] = _lines(self.lake, table)

    def lose(self, name: str, rows: pl.LazyFrame) -> None:
        """Require rows no more because tables once held them: the only file with them is damaged.

        What raw has, or reads from the account, is required all the same.
        """
        for table in TABLES:
            if name == table.name:
                self.records_held[name] -= _records_in(rows, table)
            elif name == QUARANTINE:
                self.lines_held[table.name] -= _lines_in(rows, table)

    def _check_held(self, lake: Lake, table: Table) -> None:
        assert _records(lake, table) >= self.records_held[table.name], f"{table.name} has lost records"
        assert _lines(lake, table) >= self.lines_held[table.name], f"quarantine of {table.name} has lost lines"

    def append(self, slot: Slot, lines: Iterable[Line], cut: int | None = None) -> int:
        """Append lines, or only `cut` bytes (the rest comes first next time); return the number of bytes written."""
        if slot not in self.existing:
            in_raw = self.raw_bytes(slot)
            self.storage.create(TABLES_BY_NAME[slot.table_name].container, slot.path)
            self.existing.add(slot)
            self.generations[slot].append(Generation(len(in_raw[-1]) if in_raw else None, len(in_raw)))
        current = self.generations[slot][-1]
        current.planned += lines
        piece = b"".join(planned.text for planned in current.planned)[len(current.written) :][:cut]
        if current.ceiling is not None:
            if len(self.raw_bytes(slot)) > current.earlier:
                current.ceiling = None
            else:
                piece = piece[: max(current.ceiling - 1 - len(current.written), 0)]
        if piece:
            self.storage.append(TABLES_BY_NAME[slot.table_name].container, slot.path, piece)
            current.written += piece
        return len(piece)

    def vanish(self, slot: Slot) -> None:
        """Delete the blob."""
        if slot in self.existing:
            self.storage.delete(TABLES_BY_NAME[slot.table_name].container, slot.path)
            self.existing.remove(slot)

    def recreate(self, slot: Slot, lines: Sequence[Line], cut: int | None = None) -> bool:
        """If raw has a line of the blob, replace it by one shorter than its cursor; return whether this was done."""
        if slot not in self.existing or len(self.raw_bytes(slot)) <= self.generations[slot][-1].earlier:
            return False
        self.vanish(slot)
        self.append(slot, lines, cut)
        return True

    def renew(self, slot: Slot, lines: Sequence[Line]) -> None:
        """Delete the blob and write one of any length a second later: in an account, its creation time differs."""
        self.vanish(slot)
        time.sleep(1.01 - time.time() % 1)  # creation times have whole seconds
        self.append(slot, [])
        self.generations[slot][-1].ceiling = None
        self.append(slot, lines)

    def raw_bytes(self, slot: Slot) -> list[bytes]:
        """The bytes of a blob in raw, by generation; fails when a byte is missing or repeated."""
        rows = self.lake.read(TABLES_BY_NAME[slot.table_name].raw).filter(
            pl.col("export_date") == slot.day, pl.col("blob") == slot.path
        )
        return [content for _, content in _generations(rows)]

    def check_raw(self, table: Table) -> dict[Slot, list[tuple[bytes, Generation]]]:
        """Check that each generation in raw is a prefix, in whole lines, of a written one, in the same order."""
        found: dict[Slot, list[tuple[bytes, Generation]]] = defaultdict(list)
        slots = {(slot.day, slot.path): slot for slot in self.generations if slot.table_name == table.name}
        for (day, path), content in _generations(self.lake.read(table.raw)):
            slot = slots[day, path]
            after = self.generations[slot].index(found[slot][-1][1]) + 1 if found[slot] else 0
            written = next((g for g in self.generations[slot][after:] if g.written.startswith(content)), None)
            assert written is not None, f"{slot}: raw has bytes that were never written: {content[:80]!r}…"
            found[slot].append((content, written))
        return found

    def check(self, lake: Lake | None = None) -> None:
        """Check that raw has every visible complete line, and that the tables have each of its records once."""
        lake = lake or self.lake
        for table in TABLES:
            raw = self.check_raw(table)
            for slot in self.existing:
                current = self.generations[slot][-1]
                if slot.table_name == table.name and current.whole:
                    assert raw[slot], f"{slot}: nothing in raw"
                    assert raw[slot][-1][0] == current.whole, f"{slot}: raw has {len(raw[slot][-1][0])} bytes"
            self._check_tables(lake, table, raw)

    def tails(self) -> set[tuple[str, str, int, int]]:
        """The unterminated tails of visible blobs: raw table, path, cursor, size."""
        found = set()
        for slot in self.existing:
            current = self.generations[slot][-1]
            if len(current.written) > len(current.whole):
                raw = TABLES_BY_NAME[slot.table_name].raw
                found.add((raw, slot.path, len(current.whole), len(current.written)))
        return found

    def _check_tables(self, lake: Lake, table: Table, raw: dict[Slot, list[tuple[bytes, Generation]]]) -> None:
        records: set[tuple[object, ...]] = set()
        bad: Counter[tuple[object, ...]] = Counter()
        for slot, generations in raw.items():
            for content, generation in generations:
                at = 0
                for line in generation.planned:
                    if at + len(line.text) > len(content):
                        break
                    records |= {(slot.day, slot.tenant, f"r{number}") for number in line.records}
                    if line.reason:
                        bad[slot.tenant, slot.day, slot.path, at, line.reason, _kept(line)] += 1
                    at += len(line.text)
                assert at == len(content), f"{slot}: raw ends within a line"
        assert _records(lake, table) == Counter(records) | self.records_held[table.name], table.name
        assert _lines(lake, table) == bad | self.lines_held[table.name], f"quarantine of {table.name}"


def _records(lake: Lake, table: Table) -> Counter[tuple[object, ...]]:
    return _records_in(lake.read(table.name), table)


def _records_in(rows: pl.LazyFrame, table: Table) -> Counter[tuple[object, ...]]:
    return Counter(rows.select("export_date", "tenant_id", MARK[table.name]).collect().rows())


def _lines(lake: Lake, table: Table) -> Counter[tuple[object, ...]]:
    return _lines_in(lake.read(QUARANTINE), table)


def _lines_in(rows: pl.LazyFrame, table: Table) -> Counter[tuple[object, ...]]:
    columns = ("tenant_id", "export_date", "blob", "byte_offset", "reason", "content")
    quarantined = rows.filter(pl.col("table_name") == table.name).select(columns).collect()
    # quarantine keeps only the beginning of a line above the limit
    short = pl.when(pl.col("reason") == "line_too_long").then(pl.lit(b"")).otherwise("content")
    return Counter(quarantined.with_columns(content=short).rows())


def _kept(line: Line) -> bytes:
    return b"" if line.reason == "line_too_long" else line.content


def _generations(rows: pl.LazyFrame) -> Iterable[tuple[tuple[date, str], bytes]]:
    """Yield ((day, path), bytes) of each generation, in order of creation."""
    columns = ("export_date", "blob", "blob_created_at", "byte_start", "byte_end", "content")
    chunks = rows.select(columns).sort(columns[:4]).collect()
    for (day, path, _), rows_of_blob in chunks.group_by(columns[:3], maintain_order=True):
        starts, ends = rows_of_blob["byte_start"].to_list(), rows_of_blob["byte_end"].to_list()
        assert starts == [0, *ends[:-1]], f"{path}: bytes are missing or repeated: {list(zip(starts, ends))}"  # noqa: B905 (shown as they are)
        content = b"".join(rows_of_blob["content"])
        assert len(content) == ends[-1], path
        yield (day, path), content
