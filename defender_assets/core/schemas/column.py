"""Columns and typed tables: names, types, meanings, origins, keys. Each table has its own module here."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import polars as pl

CONTAINER_PREFIX = "insights-logs-advancedhunting-"
INSTANT = pl.Datetime("us", "UTC")
TEXT, INTEGER, TEXTS = pl.String(), pl.Int64(), pl.List(pl.String)
LOGGED_ON_USERS = pl.List(pl.Struct({"UserName": pl.String, "DomainName": pl.String, "Sid": pl.String}))


@dataclass(frozen=True, order=True)
class Origin:
    """A column of an upstream table."""

    table: str
    column: str


def origins(columns: str, **tables: str) -> tuple[Origin, ...]:
    """Return the upstream columns of a list of `alias.column`, sorted; `tables` maps aliases to table names.

    >>> origins("info.Title evidence.Title", info="a", evidence="b")
    (Origin(table='a', column='Title'), Origin(table='b', column='Title'))

    Raises:
        KeyError: when an alias is unknown.
    """
    pairs = (item.split(".") for item in columns.split())
    return tuple(sorted({Origin(tables[alias], column) for alias, column in pairs}))


@dataclass(frozen=True)
class Column:
    """One column: its name in the spelling of its author (Microsoft or this project), type in the lake and meaning.

    `known_words` are the values of an enumeration seen so far; every enumeration is open. `origins` are the upstream
    columns that its values are computed from: none for constants, days, and what raw takes from a blob.
    """

    name: str
    dtype: pl.DataType
    meaning: str
    known_words: tuple[str, ...] = ()
    origins: tuple[Origin, ...] = ()

    def made_from(self, origins: tuple[Origin, ...]) -> "Column":
        return replace(self, origins=origins)

    @property
    def type_name(self) -> str:
        """Return the type for documentation."""
        if isinstance(self.dtype, pl.List):
            return "list of structs" if isinstance(self.dtype.inner, pl.Struct) else "list of strings"
        names = {pl.Datetime: "timestamp (UTC)", pl.String: "string", pl.Binary: "bytes"}
        return names.get(type(self.dtype), str(self.dtype).lower())

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the field names of a list of structs; empty for any other type."""
        inner = self.dtype.inner if isinstance(self.dtype, pl.List) else None
        return tuple(field.name for field in inner.fields) if isinstance(inner, pl.Struct) else ()


def column_schema(columns: Iterable[Column]) -> pl.Schema:
    """Return the names and types of columns."""
    return pl.Schema({column.name: column.dtype for column in columns})


def text(name: str, meaning: str, *known_words: str) -> Column:
    """Return a String column."""
    return Column(name, pl.String(), meaning, known_words)


def integer(name: str, meaning: str) -> Column:
    """Return an Int64 column."""
    return Column(name, pl.Int64(), meaning)


def flag(name: str, meaning: str) -> Column:
    """Return a Boolean column."""
    return Column(name, pl.Boolean(), meaning)


def instant(name: str, meaning: str) -> Column:
    """Return a Datetime column: microseconds, UTC."""
    return Column(name, INSTANT, meaning)


def texts(name: str, meaning: str, *known_words: str) -> Column:
    """Return a List(String) column; in the export it is a string with a JSON array."""
    return Column(name, TEXTS, meaning, known_words)


SERVICE_SOURCES = (
    "Microsoft Defender for Endpoint", "Microsoft Defender for Office 365", "Microsoft Defender for Identity",
    "Microsoft Defender for Cloud Apps", "Microsoft Defender XDR", "Microsoft 365 Defender",
    "Microsoft Threat Protection", "AAD Identity Protection", "App Governance", "Microsoft Data Loss Prevention",
    "Microsoft Defender for Cloud", "Microsoft Sentinel", "Microsoft Defender ATP", "Office 365 ATP", "Azure ATP",
    "Microsoft Cloud App Security",
)  # fmt: skip
"""Products that raise alerts, older spellings included (source facts, section 3)."""

PROVENANCE = (
    text("tenant_id", "Entra tenant that the record belongs to, lower case"),
    Column("export_date", pl.Date(), "Day of arrival (UTC): the y=/m=/d= of the blob's path. The partition"),
    instant("exported_at", "When Microsoft wrote the record (envelope `time`)"),
    instant("received_at", "When Microsoft's service received the record (envelope `_TimeReceivedBySvc`)"),
    text("blob", "Path of the blob in its container"),
    integer("byte_offset", "Offset in the blob of the first byte of the record's line"),
    text("record_id", "Hash of table, tenant and the bytes of `properties`: equal for Azure's re-deliveries"),
    text("unmapped", "JSON object of what no column could take unchanged; null when there is nothing"),
    instant("blob_created_at", "Creation time of the blob: its generation. Null in rows of older versions"),
)
"""Columns that this project adds to every typed table."""


@dataclass(frozen=True, eq=False)
class Table:
    """One advanced-hunting table; compared by identity.

    `name` is the typed Delta table and asset, `raw` the raw one, `hunting_name` Microsoft's name, `key` the column that
    every record must have. `comma_lists` are list columns that the export has as comma-separated text.
    """

    name: str
    raw: str
    hunting_name: str
    key: str
    columns: tuple[Column, ...]
    comma_lists: frozenset[str] = frozenset()

    @property
    def container(self) -> str:
        """Return the container that Microsoft exports this table to."""
        return f"{CONTAINER_PREFIX}{self.hunting_name.lower()}"

    @property
    def category(self) -> str:
        """Return the envelope's `category` of this table's records."""
        return f"AdvancedHunting-{self.hunting_name}"

    @cached_property
    def all_columns(self) -> tuple[Column, ...]:
        """Return Microsoft's columns, then `PROVENANCE`, with their origins in raw."""
        content = (Origin(self.raw, "content"),)
        same_name = {
            name: (Origin(self.raw, name),) for name in ("tenant_id", "export_date", "blob", "blob_created_at")
        }
        origins = same_name | {"byte_offset": (Origin(self.raw, "byte_start"), *content)}
        return tuple(column.made_from(origins.get(column.name, content)) for column in (*self.columns, *PROVENANCE))

    @cached_property
    def schema(self) -> pl.Schema:
        return column_schema(self.all_columns)
