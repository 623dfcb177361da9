"""Converts JSON values to columns, exactly or not at all. A value that does not fit goes to `unmapped` as written."""

import re
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import polars as pl
from msgspec import Raw

from defender_assets.core.schemas import INSTANT, Column

INT64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
NULLS = frozenset({b"null", b'""'})
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_ID_LIST = re.compile(r"\s*[A-Za-z0-9_-]+\s*(,\s*[A-Za-z0-9_-]+\s*)*,?\s*")
_FLAGS = {"true": True, "True": True, "false": False, "False": False}


class TypeMismatchError(Exception):
    """The value would change if it were stored in the column."""


class LoggedOnUser(msgspec.Struct, forbid_unknown_fields=True):
    """One element of LoggedOnUsers (source facts, section 5)."""

    UserName: str | None = None
    DomainName: str | None = None
    Sid: str | None = None


_text = msgspec.json.Decoder(str)
_integer = msgspec.json.Decoder(INT64)
_flag = msgspec.json.Decoder(bool)
_texts: msgspec.json.Decoder[list[str | None] | None] = msgspec.json.Decoder(list[str | None] | None)
_users: msgspec.json.Decoder[list[LoggedOnUser | None] | None] = msgspec.json.Decoder(list[LoggedOnUser | None] | None)
_DECODING = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def wire_type(column: Column) -> Any:
    """Return the JSON type of the column in the export; lists and structs are written as text."""
    if column.dtype == pl.Int64():
        return INT64 | None
    if column.dtype == pl.Boolean():
        return bool | None
    return str | None


def coerce(column: Column, raw: Raw) -> str | int | bool | None:
    """Return the value in the column's wire type.

    Raises:
        TypeMismatchError: the value would change.
    """
    written = bytes(raw)
    if written in NULLS:
        return None
    try:
        return _FITS.get(type(column.dtype), _fit_text)(column, written)
    except _DECODING:
        raise TypeMismatchError from None


def _fit_integer(_: Column, written: bytes) -> int:
    if written[:1] != b'"':
        return _integer.decode(written)
    digits = _text.decode(written)
    if not _INTEGER.fullmatch(digits):
        raise TypeMismatchError
    return _integer.decode(digits)


def _fit_flag(_: Column, written: bytes) -> bool:
    if written[:1] != b'"':
        return _flag.decode(written)
    try:
        return _FLAGS[_text.decode(written)]
    except KeyError:
        raise TypeMismatchError from None


def _fit_list(column: Column, written: bytes) -> str:
    if written[:1] == b"[":
        array_decoder(column)(written.decode())
        return written.decode()
    return _text.decode(written)


def _fit_text(column: Column, written: bytes) -> str:
    # the documented value is the text of an object; keep the text of a plain object as well
    if column.name == "AdditionalFields" and written[:1] in b"{[":
        return written.decode()
    return _text.decode(written)


_FITS: dict[type[pl.DataType], Callable[[Column, bytes], str | int | bool]] = {
    pl.Int64: _fit_integer,
    pl.Boolean: _fit_flag,
    pl.List: _fit_list,
}


def array_decoder(column: Column, *, comma_list: bool = False) -> Callable[[str], list[Any] | None]:
    """Return the decoder of a list column's text; it raises a decoding error if the text is anything else.

    With `comma_list` it also accepts ids separated by commas.
    """
    if column.dtype != pl.List(pl.String):
        return lambda text: _as_dicts(_users.decode(text))
    if not comma_list:
        return _texts.decode

    def decode(text: str) -> list[str | None] | None:
        if text.lstrip().startswith("["):
            return _texts.decode(text)
        if not _ID_LIST.fullmatch(text):
            raise msgspec.DecodeError("neither a JSON array nor ids separated by commas")
        return [part.strip() for part in text.split(",") if part.strip()]

    return decode


def _as_dicts(users: list[LoggedOnUser | None] | None) -> list[Any] | None:
    return None if users is None else [None if user is None else msgspec.structs.asdict(user) for user in users]


def read_arrays(column: Column, texts: pl.Series, *, comma_list: bool = False) -> tuple[pl.Series, pl.Series]:
    """Return the list column of the texts, and a mask of those that do not fit. Each distinct text is decoded once."""
    decode = array_decoder(column, comma_list=comma_list)
    distinct = texts.drop_nulls().unique(maintain_order=True)
    arrays: list[list[Any] | None] = []
    mismatches: list[bool] = []
    for text in distinct:
        try:
            arrays.append(decode(text))
            mismatches.append(False)
        except _DECODING:
            arrays.append(None)
            mismatches.append(True)
    read = pl.DataFrame(
        {"text": distinct, "array": _list_series(column.dtype, arrays), "mismatch": mismatches},
        schema={"text": pl.String, "array": column.dtype, "mismatch": pl.Boolean},
    )
    joined = pl.DataFrame({"text": texts}, schema={"text": pl.String}).join(
        read, on="text", how="left", maintain_order="left"
    )
    return joined["array"].alias(column.name), joined["mismatch"].fill_null(value=False)


def _list_series(dtype: pl.DataType, arrays: list[list[Any] | None]) -> pl.Series:
    """Return a list series, built from one flat series because nested Python lists are slow to convert."""
    items = [item for array in arrays if array for item in array]
    rows = [row for row, array in enumerate(arrays) for _ in array or ()]
    inner = dtype.inner if isinstance(dtype, pl.List) else dtype
    flat = pl.DataFrame({"row": pl.Series(rows, dtype=pl.UInt32), "item": pl.Series(items, dtype=inner)})
    grouped = flat.group_by("row", maintain_order=True).agg("item")
    absent = pl.Series("absent", [array is None for array in arrays], dtype=pl.Boolean)
    return (
        absent.to_frame()
        .with_row_index("row")
        .join(grouped, on="row", how="left", maintain_order="left")
        .select(pl.when(~pl.col("absent")).then(pl.col("item").fill_null(pl.lit([], dtype=dtype))))
        .to_series()
    )


def read_instants(texts: pl.Series) -> pl.Series:
    """Return ISO 8601 texts as Datetime(us, UTC). Fractions are cut to 6 digits; without an offset the time is UTC.

    Null if the text is not a time in the years 1 to 9999, the range of .NET, Python and Spark.
    """
    read = texts.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", time_zone="UTC", strict=False)
    if read.null_count() != texts.null_count():
        naive = texts.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
        read = read.fill_null(naive.dt.replace_time_zone("UTC")).cast(INSTANT)
    return read.set(~read.dt.year().is_between(1, 9999), None)
