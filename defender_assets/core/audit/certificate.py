"""The certificate: the blob-hours of a sound audit with their hashes, as JSON, and its offline verification."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from typing import Any

from defender_assets.core.audit.counts import entries, read_content
from defender_assets.core.audit.findings import BlobEntry, Difference
from defender_assets.core.audit.keys import Places
from defender_assets.core.audit.raw_content import ContentChunk, ContentWalk, Generation, RawDay
from defender_assets.core.audit.walk import Audit, audit_days
from defender_assets.core.errors import DefenderAssetsError
from defender_assets.core.export.blobs import Blob, Export, blob_at
from defender_assets.core.export.directory import NO_MOMENT
from defender_assets.core.export.listing import list_day
from defender_assets.core.json_text import read_json
from defender_assets.core.lake.lake import Lake
from defender_assets.core.raw.range_reader import RangeReader, UnreadRange
from defender_assets.core.schemas import TABLES, Table

FORMAT = 1
PROVES = (
    "For each blob-hour listed, the lake held exactly the first `size` bytes that the export had, each line was a "
    "record, a quarantined line or blank, each record was in its typed table, and each lead named records of its alert."
)
PROVES_NOT = (
    "Whether Microsoft exported every event, whether anybody changed the export before it was read, and who wrote this "
    "file: it has no signature, so sign it with your own tool. Bytes behind `size`, blobs that the export no longer "
    "showed (`pending` is null), and blobs that are left out are not compared with the export."
)
_ENTRY = tuple(BlobEntry.__dataclass_fields__)


class CertificateError(DefenderAssetsError):
    """The file is no certificate of a format that this version reads."""


@dataclass(frozen=True)
class Failure:
    """What does not agree with a certificate: the blob-hour, and why."""

    table: str
    blob: str
    reason: str


@dataclass(frozen=True)
class Written:
    """When a certificate was written, and which blobs without a whole line the export then had, with their sizes."""

    at: datetime
    unread: Mapping[tuple[str, str], int]


@dataclass
class Verification:
    """The result of a verification. `skipped` are blob-hours that the source no longer has to have."""

    compared: int = 0
    failures: list[Failure] = field(default_factory=list)
    skipped: list[Failure] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def certificate(audits: Sequence[Audit], left_out: Sequence[Mapping[str, Any]], now: datetime) -> dict[str, Any]:
    """Return the certificate of sound audits as JSON values; the blobs of `left_out` were not read."""
    rows = [_as_json(entry) for entry in sorted(entry for audit in audits for entry in audit.entries)]
    unread = {
        (table.table, path): size for audit in audits for table in audit.tables for path, size in table.unread.items()
    }
    return {
        "certificate": "defender-assets audit",
        "format": FORMAT,
        "code_version": version("defender-assets"),
        "written_at": _text(now),
        "days": [audit.day.isoformat() for audit in audits],
        "proves": PROVES,
        "proves_not": PROVES_NOT,
        "left_out": [dict(each) for each in left_out],
        "unread": [{"table": table, "blob": path, "size": size} for (table, path), size in sorted(unread.items())],
        "entries": rows,
        "root": _root(rows),
    }


def read_certificate(text: str) -> dict[str, Any]:
    """Return a certificate from its JSON text.

    Raises:
        CertificateError: when it is none, or of another format.
    """
    try:
        read = read_json(text)
        known = read["certificate"] == "defender-assets audit" and read["format"] == FORMAT
        if known and all(set(row) == {*_ENTRY, "hash"} for row in read["entries"]):
            [date.fromisoformat(day) for day in read["days"]], _moment(read["written_at"]), read["root"]
            _unread(read)
            [_entry(row) for row in read["entries"]]
            return dict(read)
    except (ValueError, KeyError, TypeError):
        pass
    raise CertificateError(f"it is no certificate of format {FORMAT}: expected a file that `audit --out` wrote")


def verify(certified: Mapping[str, Any], *, lake: Lake | None = None, export: Export | None = None) -> Verification:
    """Compare a certificate with itself, and with the lake or the export.

    With a lake, its days are audited too. Growth of a blob whose hour was running when the certificate was written is
    no failure.
    """
    found = Verification()
    _verify_itself(certified, found)
    wanted = {(entry.table, *_generation(entry)): entry for entry in map(_entry, certified["entries"])}
    days = [date.fromisoformat(day) for day in certified["days"]]
    known = Written(_moment(certified["written_at"]), _unread(certified))
    if lake is not None:
        _verify_lake(lake, wanted, days, known, found)
    elif export is not None:
        _verify_export(export, wanted, days, known, found)
    return found


def _verify_itself(certified: Mapping[str, Any], found: Verification) -> None:
    rows = certified["entries"]
    for row in rows:
        if row["hash"] != _hash(row):
            found.failures.append(Failure(row["table"], row["blob"], "the entry in the certificate was changed"))
    if certified["root"] != _root(rows):
        found.failures.append(Failure("", "", "the root does not fit the entries: some were changed, dropped or added"))


def _verify_lake(
    lake: Lake, wanted: dict[tuple[Any, ...], BlobEntry], days: list[date], written: Written, found: Verification
) -> None:
    seen: dict[tuple[Any, ...], BlobEntry] = {}
    for audit in audit_days(lake, None, days):
        found.differences += audit.differences
        found.problems += audit.problems
        seen |= {(entry.table, *_generation(entry)): entry for entry in audit.entries}
    for key, entry in wanted.items():
        now = seen.pop(key, None)
        if now is None:
            found.failures.append(Failure(entry.table, entry.blob, "the lake has no byte of it"))
        elif now.size > entry.size:
            _grown(entry, now.size, written, found, _prefix_of_lake(lake, entry, now))
        else:
            _same(entry, now, found)
    for entry in seen.values():
        _added(entry.table, entry.blob, entry.size, written, found)


def _prefix_of_lake(lake: Lake, entry: BlobEntry, now: BlobEntry) -> BlobEntry | None:
    """Return the first bytes, of the certified size, as an entry; None if a chunk does not end there."""
    table, day = _table(entry.table), _day(entry.blob)
    raw = RawDay.read(lake.snapshot(table.raw), day)
    chunks = (
        ContentChunk(
            chunk.generation, chunk.start, min(chunk.end, entry.size), chunk.content[: entry.size - chunk.start]
        )
        for chunk in raw.chunks()
        if chunk.generation == _generation(now) and chunk.start < entry.size
    )
    walk = ContentWalk(table, day, chunks)
    records, bad, _ = read_content(table, walk, entry.size, Places())
    made = entries(table, walk, records, bad, {})
    return made[0] if made else None


def _verify_export(
    export: Export, wanted: dict[tuple[Any, ...], BlobEntry], days: list[date], written: Written, found: Verification
) -> None:
    for table in TABLES:
        for day in days:
            listing = list_day(export, table.container, day)
            found.problems += [f"{part.where}: {part.reason}" for part in listing.unreadable]
            blobs = {(blob.tenant_id, blob.path): blob for blob in listing.blobs}
            of_day = [entry for entry in wanted.values() if entry.table == table.name and _day(entry.blob) == day]
            parts = []
            for entry in of_day:
                blob = blobs.pop((entry.tenant_id, entry.blob), None) if entry.pending is not None else None
                if entry.pending is None:
                    old = "the export did not show it when the certificate was written"
                    found.skipped.append(Failure(entry.table, entry.blob, old))
                elif blob is None:
                    found.failures.append(Failure(entry.table, entry.blob, "the export does not show it"))
                elif blob.size < entry.size:
                    short = f"it has {blob.size} of {entry.size} bytes"
                    found.failures.append(Failure(entry.table, entry.blob, short))
                else:
                    parts.append((entry, blob))
            _verify_blobs(export, table, day, parts, written, found)
            skipped = {entry.blob for entry in of_day}
            for (_, path), blob in blobs.items():
                if path not in skipped:
                    _added(table.name, path, blob.size, written, found)


def _verify_blobs(
    export: Export,
    table: Table,
    day: date,
    parts: list[tuple[BlobEntry, Blob]],
    written: Written,
    found: Verification,
) -> None:
    reader = RangeReader(export, table.container)
    ranges = [
        UnreadRange(
            Blob(blob.tenant_id, blob.path, blob.day, blob.hour, entry.size, blob.created_at), entry.blob_created_at, 0
        )
        for entry, blob in parts
    ]

    def chunks() -> Iterator[ContentChunk]:
        for chunk in reader.chunks(ranges):
            of = Generation(chunk.unread.blob.tenant_id, chunk.unread.blob.path, chunk.unread.created_at)
            yield ContentChunk(of, chunk.start, chunk.start + len(chunk.content), chunk.content, chunk.line_part)

    walk = ContentWalk(table, day, chunks())
    try:
        records, bad, _ = read_content(table, walk, sum(entry.size for entry, _ in parts), Places())
    except DefenderAssetsError as error:
        found.problems.append(str(error))
        return
    made = {_generation(entry): entry for entry in entries(table, walk, records, bad, {})}
    unread = {*reader.failures, *reader.changed}
    found.problems += [f"{table.container}/{path} could not be read" for path in sorted(unread)]
    for entry, blob in parts:
        if entry.blob in unread:
            continue
        now = made.get(_generation(entry))
        if now is None:
            found.failures.append(Failure(entry.table, entry.blob, "its bytes have no line end"))
        elif blob.size > entry.size + (entry.pending or 0):
            _grown(entry, blob.size, written, found, now)
        else:
            _same(entry, now, found)


def _same(entry: BlobEntry, now: BlobEntry, found: Verification) -> None:
    found.compared += 1
    names = ("size", "sha256", "lines", "records", "duplicates", "quarantined")
    other = [name for name in names if getattr(entry, name) != getattr(now, name)]
    if other:
        shown = ", ".join(f"{name} {getattr(now, name)} instead of {getattr(entry, name)}" for name in other)
        found.failures.append(Failure(entry.table, entry.blob, shown))


def _grown(entry: BlobEntry, size: int, written: Written, found: Verification, prefix: BlobEntry | None) -> None:
    if prefix is not None:
        _same(entry, prefix, found)
    grown = size - entry.size
    if grown > (entry.pending or 0) and _ended(entry.blob, written.at):
        reason = f"{grown} bytes were added after its hour had ended and the certificate was written"
        found.failures.append(Failure(entry.table, entry.blob, reason))


def _added(table: str, blob: str, size: int, written: Written, found: Verification) -> None:
    if size > written.unread.get((table, blob), 0) and _ended(blob, written.at):
        found.failures.append(Failure(table, blob, "the certificate does not have it"))


def _ended(path: str, moment: datetime) -> bool:
    """Return whether the hour of a blob had ended at a moment."""
    blob = blob_at(path, 0, NO_MOMENT, None)
    if blob is None:
        return True
    return datetime(blob.day.year, blob.day.month, blob.day.day, blob.hour, tzinfo=UTC) + timedelta(hours=1) <= moment


def _generation(entry: BlobEntry) -> Generation:
    return Generation(entry.tenant_id, entry.blob, entry.blob_created_at)


def _table(name: str) -> Table:
    return next(table for table in TABLES if table.name == name)


def _day(path: str) -> date:
    blob = blob_at(path, 0, NO_MOMENT, None)
    return date.min if blob is None else blob.day


def _as_json(entry: BlobEntry) -> dict[str, Any]:
    row = asdict(entry) | {"blob_created_at": _text(entry.blob_created_at)}
    return row | {"hash": _hash(row)}


def _entry(row: Mapping[str, Any]) -> BlobEntry:
    values = {name: row[name] for name in _ENTRY} | {"blob_created_at": _moment(row["blob_created_at"])}
    return BlobEntry(**values)


def _unread(certified: Mapping[str, Any]) -> dict[tuple[str, str], int]:
    return {(each["table"], each["blob"]): int(each["size"]) for each in certified["unread"]}


def _hash(row: Mapping[str, Any]) -> str:
    text = json.dumps([row[name] for name in _ENTRY], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _root(rows: Iterable[Mapping[str, Any]]) -> str:
    return hashlib.sha256("\n".join(sorted(str(row["hash"]) for row in rows)).encode()).hexdigest()


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
