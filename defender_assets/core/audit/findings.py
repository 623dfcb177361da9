"""What an audit finds: the entries of blobs, and the differences with the job that fixes each."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Self


class Kind(StrEnum):
    """What differs; `meaning` says it in a clause."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        kind = str.__new__(cls, value)
        kind._value_, kind.meaning = value, meaning
        return kind

    BYTES = "bytes_differ", "raw has other bytes than the export"
    HOLE = "bytes_missing", "raw lacks bytes before bytes that it has"
    OVERLAP = "bytes_repeated", "raw has the same bytes of a blob twice"
    LENGTH = "chunk_length", "a chunk's content has another length than its offsets say"
    MISFILED = "chunk_misfiled", "a chunk is in the partition of another day, hour or tenant than its blob"
    LINES = "lines_unaccounted", "the parser accounts for another number of lines than raw has"
    MISSING_ROW = "row_missing", "a record of raw has no typed row"
    EXTRA_ROW = "row_without_record", "a typed row is at bytes in raw that hold no such record"
    DOUBLE_ROW = "row_doubled", "a typed table has a record more than once in a day"
    CHANGED_ROW = "row_changed", "a typed row has other values than its record in raw"
    MISPLACED_ROW = (
        "row_of_another_source",
        "a typed row names another tenant, blob, generation or offset than its record has",
    )
    ROW_WITHOUT_BYTES = "row_without_bytes", "raw does not hold the bytes of a typed row"
    MISSING_LINE = "bad_line_missing", "a bad line of raw is not in quarantine"
    EXTRA_LINE = "bad_line_without_source", "a quarantined line is where raw has no such line"
    DOUBLE_LINE = "bad_line_doubled", "quarantine has a line more than once"
    CHANGED_LINE = "bad_line_changed", "a quarantined line has other bytes than raw"
    READABLE_LINE = "bad_line_readable", "a quarantined line is a record for this version of the parser"
    LINE_WITHOUT_BYTES = "bad_line_without_bytes", "raw does not hold the bytes of a quarantined line"
    MISSING_LEAD = "lead_missing", "an alert with new records has no lead on that day"
    DOUBLE_LEAD = "lead_doubled", "a day has an alert's lead more than once"
    LEAD_WITHOUT_SOURCES = "lead_without_sources", "a lead names no source"
    LEAD_SOURCE = "lead_source_wrong", "at a lead's source, raw or the typed table has no record of its alert"


_OF_RAW = {Kind.BYTES, Kind.HOLE, Kind.OVERLAP, Kind.LENGTH}
_WITHOUT_BYTES = {Kind.ROW_WITHOUT_BYTES, Kind.LINE_WITHOUT_BYTES}


@dataclass(frozen=True)
class Difference:
    """Differences of one kind in one blob, or of one lead. `byte_offset` is the first one's; `count` is how many.

    `in_export` says whether the export still shows the blob, so that raw can read it again.
    """

    kind: Kind
    table: str
    day: date
    tenant_id: str | None
    blob: str | None = None
    byte_offset: int | None = None
    detail: str = ""
    count: int = 1
    in_export: bool = True

    @property
    def remedy(self) -> str:
        """Return what fixes it, as an imperative clause."""
        if self.kind is Kind.MISFILED:
            return f"put {self.table} back from a backup: another program wrote to it, and no job moves a chunk"
        if self.kind in _OF_RAW | _WITHOUT_BYTES:
            if self.in_export:
                return f"run the job refresh_day for {self.day}"
            return (
                "put raw back from a backup: the export no longer has this generation of the blob, and no job brings "
                "its bytes back"
            )
        if self.kind is Kind.READABLE_LINE:
            return f"run `defender-assets replay --day {self.day}`"
        if self.kind is Kind.LINES:
            return "report it as a bug: raw holds every byte"
        return f"run the job rebuild_day for {self.day}"

    def as_dict(self) -> dict[str, object]:
        """Return the difference as JSON values, with its meaning and remedy."""
        return {
            "kind": str(self.kind),
            "meaning": self.kind.meaning,
            "table": self.table,
            "day": self.day,
            "tenant_id": self.tenant_id,
            "blob": self.blob,
            "byte_offset": self.byte_offset,
            "count": self.count,
            "detail": self.detail,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, order=True)
class BlobEntry:
    """One generation of a blob-hour, from the bytes that raw holds of it.

    `size` is the number of bytes, `sha256` their hash, `lines` the newlines among them. `records` counts every copy,
    `duplicates` those that the day already had. `pending` are the bytes that the export has behind `size`; None if the
    export does not show this generation.
    """

    table: str
    tenant_id: str
    blob: str
    blob_created_at: datetime
    size: int
    sha256: str
    lines: int
    records: int
    duplicates: int
    quarantined: int
    pending: int | None


@dataclass
class TableAudit:
    """One day of a table: what raw holds, what the typed table has, and the differences.

    `record_set` is the SHA-256 of the sorted distinct record ids in raw, `typed_set` that of the typed rows. `unread`
    are blobs that the export shows and raw has no byte of, with their sizes. `problems` say what was not compared.
    """

    table: str
    day: date
    entries: list[BlobEntry] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    rows: int = 0
    record_set: str = ""
    typed_set: str = ""
    unread: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def pending(self) -> int:
        """Return the bytes that the export has and raw has not read yet."""
        return sum(entry.pending or 0 for entry in self.entries) + sum(self.unread.values())
