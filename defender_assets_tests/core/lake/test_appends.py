"""Appended rows: files that Polars writes are to every reader what delta-rs would have written."""

import json
import random
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import polars as pl
import pytest
from deltalake import QueryBuilder, write_deltalake
from deltalake.exceptions import CommitFailedError
from hypothesis import given, settings
from hypothesis import strategies as st

from defender_assets.catalog import LAKE_TABLES
from defender_assets.core.azure.account import from_connection_string
from defender_assets.core.errors import LakeError
from defender_assets.core.lake import appends
from defender_assets.core.lake import lake as lake_module
from defender_assets.core.lake.appends import INDEXED, LONGEST, can_write, statistics, texts_of
from defender_assets.core.lake.compaction import compact_day
from defender_assets.core.lake.data_files import data_files
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.lake.snapshots import Snapshot, scan
from defender_assets.core.lake.table_spec import TableSpec
from defender_assets.core.schemas import ALERT_EVIDENCE, DEVICE_INFO
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.exports import DAY, TENANT

NAME = DEVICE_INFO.name
APPENDED = [spec for spec in LAKE_TABLES if spec.large_values is None and spec.compaction is not None]
NEXT_DAY = DAY + timedelta(days=1)
HIGHEST = "\U0010ffff"
# in the order of UTF-8, and where that of UTF-16 or of signed bytes is another
TEXTS = [
    *("", "\0", " ", "a", "a\0", "a" * 63, "a" * 64, "a" * 65, "a" * 64 + "b", "a" * 63 + "é", "a" * 64 + "\0"),
    *("é" * 32, "é" * 33, "\ud7ff" * 22, "\ue000", "\uffff", "\U00010000", "\U00010000" * 17, HIGHEST, HIGHEST * 17),
    *("a" * 62 + HIGHEST, "b" + HIGHEST * 20, '"\\\n\x7f', "null", "2026-01-01"),
]


def rows_of(spec: TableSpec, day: date | None = DAY, **values: Any) -> pl.DataFrame:
    """Three rows; a column without values has two of its type and a null."""
    one, two = datetime(2026, 11, 3, 8, 15, 30, 123_000, UTC), datetime(2026, 11, 4, tzinfo=UTC)
    samples: dict[Any, list[Any]] = {
        pl.String: ["b", "a"],
        pl.Int64: [2**62, -5],
        pl.Boolean: [True, False],
        pl.Date: [day, day],
        pl.Datetime: [one, two],
    }
    columns = {}
    for name, dtype in spec.schema.items():
        held = values.get(name) or [*samples.get(type(dtype), [[], []]), day if dtype == pl.Date else None]
        columns[name] = pl.Series(name, held, dtype, strict=True)
    return pl.DataFrame(columns)


def append(lake: Lake, rows: pl.DataFrame, name: str = NAME, day: date | None = DAY) -> None:
    target = lake.fenced(name, day)
    lake.commit(target, Commit([rows], target.version + 1))


def by_delta_rs(lake: Lake, rows: pl.DataFrame, name: str = NAME, day: date | None = DAY) -> None:
    with patch.object(lake_module, "can_write", return_value=False):
        append(lake, rows, name, day)


def added(lake: Lake, name: str = NAME) -> list[dict[str, Any]]:
    """What the newest commit says of its files, with their statistics as objects."""
    table = lake.open(name)
    log = Path(lake.table_uri(name), "_delta_log", f"{table.version():020}.json").read_text(encoding="utf-8")
    files = [json.loads(line)["add"] for line in log.splitlines() if line.startswith('{"add"')]
    return [{**file, "stats": json.loads(file["stats"])} for file in files]


def parquet_schema(lake: Lake, name: str, path: str) -> list[tuple[object, ...]]:
    columns = "name, type, repetition_type, logical_type"
    query = f"SELECT {columns} FROM parquet_schema('{lake.table_uri(name)}/{path}') OFFSET 1"  # noqa: S608
    # the name of a list's items is the writer's choice
    found = duckdb.connect().execute(query).fetchall()
    return [("item" if name == "element" else name, *rest) for name, *rest in found]


def with_categories(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.cast({pl.String: pl.Categorical})


@pytest.mark.parametrize("texts", [pl.DataFrame.clone, with_categories])
@pytest.mark.parametrize("spec", APPENDED, ids=lambda spec: spec.name)
def test_a_file_is_what_delta_rs_would_have_written(
    lake: Lake, spec: TableSpec, texts: Callable[[pl.DataFrame], pl.DataFrame]
) -> None:
    rows, day = texts(rows_of(spec)), DAY if spec.has_days else None
    assert can_write(lake.open(spec.name), spec)
    by_delta_rs(lake, rows, spec.name, day)
    (theirs,) = added(lake, spec.name)
    append(lake, rows, spec.name, day)
    (ours,) = added(lake, spec.name)
    assert parquet_schema(lake, spec.name, ours["path"]) == parquet_schema(lake, spec.name, theirs["path"])
    assert Path(ours["path"]).parent == Path(theirs["path"]).parent
    assert len(Path(ours["path"]).name) == len(Path(theirs["path"]).name)
    differing = ("path", "size", "modificationTime", "stats")
    assert {k: v for k, v in ours.items() if k not in differing} == {
        k: v for k, v in theirs.items() if k not in differing
    }
    for numbers in ("numRecords", "nullCount"):
        assert ours["stats"][numbers] == theirs["stats"][numbers]
    for bounds in ("minValues", "maxValues"):
        assert {name: _moment(value) for name, value in ours["stats"][bounds].items()} == {
            name: _moment(value) for name, value in theirs["stats"][bounds].items()
        }
    (first, second) = (pl.read_parquet(Path(lake.table_uri(spec.name), each["path"])) for each in (ours, theirs))
    assert first.equals(second)
    assert first.schema == second.schema
    assert scan(lake.open(spec.name)).collect().schema == spec.schema


def _moment(value: object) -> object:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value


@pytest.mark.parametrize("days", [[None] * 3, [DAY, None, NEXT_DAY], [date(1, 1, 1), date(9999, 12, 31), DAY]])
def test_each_day_has_a_file_also_that_of_rows_without_one(lake: Lake, days: list[date | None]) -> None:
    rows = rows_of(lake.spec(NAME), export_date=days)
    by_delta_rs(lake, rows)
    theirs = sorted((str(Path(file["path"]).parent), file["partitionValues"]["export_date"]) for file in added(lake))
    append(lake, rows)
    ours = sorted((str(Path(file["path"]).parent), file["partitionValues"]["export_date"]) for file in added(lake))
    assert ours == theirs
    assert len(ours) == len(set(days))
    assert sorted(scan(lake.open(NAME)).collect()["export_date"].to_list(), key=str) == sorted(days * 2, key=str)


def test_no_rows_are_a_commit_without_files(lake: Lake) -> None:
    append(lake, rows_of(lake.spec(NAME)).clear())
    assert added(lake) == []
    assert lake.fenced(NAME, DAY).version == 1


# statistics


def found_in(rows: pl.DataFrame) -> dict[str, Any]:
    """The statistics as they are in the log, the same for texts and for their categories."""
    found = statistics(rows, texts_of(rows))
    categories = with_categories(rows)
    assert statistics(categories, texts_of(categories)) == found
    read: dict[str, Any] = json.loads(json.dumps(found))
    return read


@given(st.lists(st.one_of(st.sampled_from(TEXTS), st.text(max_size=70), st.none()), min_size=1, max_size=5))
@settings(max_examples=200, deadline=None)
def test_no_text_is_outside_of_its_statistics(texts: list[str | None]) -> None:
    found = found_in(pl.DataFrame({"a": pl.Series(texts, dtype=pl.String)}))
    held = [text.encode() for text in texts if text is not None]
    assert found["nullCount"] == {"a": len(texts) - len(held)}
    low, high = found["minValues"].get("a"), found["maxValues"].get("a")
    assert (low is None) == (not held)
    for text in held:
        assert low.encode() <= text
        assert high is None or text <= high.encode()
    assert all(len(bound.encode()) <= LONGEST + 1 for bound in (low, high) if bound)


def test_only_a_text_that_nothing_short_exceeds_has_no_maximum() -> None:
    found = {text: found_in(pl.DataFrame({"a": [text]}))["maxValues"] for text in TEXTS}
    assert [text for text, high in found.items() if not high] == [HIGHEST * 17]


def test_times_are_exact_and_those_that_no_reader_knows_are_left_out() -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)
    columns = {"t": pl.Series([datetime(1, 1, 1, tzinfo=UTC), last]), "d": pl.Series([date(1, 1, 1), date(9999, 1, 2)])}
    found = found_in(pl.DataFrame(columns))
    assert found["minValues"] == {"t": "0001-01-01T00:00:00Z", "d": "0001-01-01"}
    assert found["maxValues"] == {"t": "9999-12-31T23:59:59.999999Z", "d": "9999-01-02"}
    beyond = pl.DataFrame({"t": [-(2**62), 2**62]}, {"t": pl.Int64}).cast(pl.Datetime("us", "UTC"))
    assert found_in(beyond) == {"numRecords": 2, "minValues": {}, "maxValues": {}, "nullCount": {"t": 0}}


def test_other_types_and_further_columns_have_no_statistics() -> None:
    rows = pl.DataFrame({"f": [float("nan")], "b": [b"x"], "l": [["x"]], "s": [{"x": "x"}]})
    rows = rows.with_columns(pl.lit("x").alias(f"c{n}") for n in range(INDEXED))
    assert list(found_in(rows)["minValues"]) == [f"c{n}" for n in range(INDEXED - 4)]
    assert found_in(rows.select("f")) == {"numRecords": 1, "minValues": {}, "maxValues": {}, "nullCount": {}}


def test_reads_that_skip_files_find_what_full_reads_find(lake: Lake) -> None:
    """Polars and delta-rs leave files out by their statistics; a few texts are in a few files each."""
    rng = random.Random(7)
    first = datetime(2026, 11, 3, tzinfo=UTC)
    times = [first + timedelta(microseconds=n) for n in (0, 1, 999, 1_000, 1_001, 999_999)]
    for _ in range(12):
        some = rng.sample(TEXTS, 2)
        append(
            lake,
            rows_of(lake.spec(NAME), DeviceId=[*some, None], Timestamp=[*rng.sample(times, 2), None]),
        )
    table = lake.open(NAME)
    assert data_files(table).height == 12
    held = pl.concat(pl.read_parquet(uri) for uri in table.file_uris()).select("DeviceId", "Timestamp")
    sql = QueryBuilder().register("t", table)
    for text in TEXTS:
        for expression in (pl.col("DeviceId") == text, pl.col("DeviceId") < text, pl.col("DeviceId") > text):
            found = scan(table).filter(expression).select("DeviceId", "Timestamp").collect()
            assert sorted(found.rows()) == sorted(held.filter(expression).rows())
        quoted = text.replace("'", "''")
        if "\0" not in text:
            counted = pl.DataFrame(sql.execute(f"SELECT count(*) AS n FROM t WHERE \"DeviceId\" = '{quoted}'"))  # noqa: S608
            assert counted.item() == held.filter(pl.col("DeviceId") == text).height
    for time in times:
        for expression in (pl.col("Timestamp") == time, pl.col("Timestamp") >= time):
            assert scan(table).filter(expression).collect().height == held.filter(expression).height
        counted = pl.DataFrame(
            sql.execute(f"SELECT count(*) AS n FROM t WHERE \"Timestamp\" >= timestamp '{time.isoformat()}'")  # noqa: S608
        )
        assert counted.item() == held.filter(pl.col("Timestamp") >= time).height


def test_files_are_left_out_by_their_statistics(lake: Lake) -> None:
    for device in ("a", "b"):
        append(lake, rows_of(lake.spec(NAME), DeviceId=[device] * 3))
    table = lake.open(NAME)
    (gone,) = [uri for uri in table.file_uris() if pl.read_parquet(uri)["DeviceId"].item(0) == "a"]
    Path(gone).unlink()
    assert scan(table).filter(pl.col("DeviceId") == "b").collect().height == 3


@pytest.mark.parametrize("texts", [pl.DataFrame.clone, with_categories])
def test_a_long_text_is_not_repeated_in_the_footer(lake: Lake, texts: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    noise = random.Random(1).randbytes(200_000).hex()
    append(lake, texts(rows_of(lake.spec(NAME), AdditionalFields=[noise, None, None])))
    (file,) = added(lake)
    assert file["size"] < len(noise)
    assert scan(lake.open(NAME)).collect()["AdditionalFields"].to_list() == [noise, None, None]


def test_a_polars_that_keeps_the_categories_in_a_file_writes_texts(lake: Lake) -> None:
    def ignored(columns: tuple[tuple[str, pl.DataType], ...]) -> dict[str, str]:
        return {"columns": str(len(columns))}

    rows = rows_of(lake.spec(NAME))
    with patch.object(appends, "_arrow_metadata", ignored):
        append(lake, with_categories(rows))
    (file,) = lake.open(NAME).file_uris()
    assert pl.read_parquet(file).equals(rows.drop("export_date"))


# tables that another program changed


def test_a_constraint_of_another_program_holds(lake: Lake) -> None:
    lake.open(NAME).alter.add_constraint({"never": "\"DeviceId\" <> 'bad'"})
    assert not can_write(lake.open(NAME), lake.spec(NAME))
    append(lake, rows_of(lake.spec(NAME), DeviceId=["good"] * 3))
    with pytest.raises(LakeError, match="failed validation check"):
        append(lake, rows_of(lake.spec(NAME), DeviceId=["good", "good", "bad"]))
    assert scan(lake.open(NAME)).collect().height == 3


@pytest.mark.parametrize("name", ["delta.dataSkippingNumIndexedCols", "delta.enableChangeDataFeed"])
def test_a_table_with_a_property_of_another_program_is_written_by_delta_rs(lake: Lake, name: str) -> None:
    table = lake.open(NAME)
    table.alter.set_table_properties({name: "5" if "Num" in name else "true"})
    assert not can_write(lake.open(NAME), lake.spec(NAME))
    append(lake, rows_of(lake.spec(NAME)))
    if "Num" in name:
        (file,) = added(lake)
        assert len(file["stats"]["nullCount"]) == 5
    assert scan(lake.open(NAME)).collect().height == 3


def test_columns_of_a_newer_version_are_null(lake: Lake) -> None:
    newer = rows_of(lake.spec(NAME)).with_columns(zone=pl.lit("z"))
    lake.open(NAME)
    write_deltalake(lake.table_uri(NAME), newer, mode="append", schema_mode="merge")
    append(lake, rows_of(lake.spec(NAME)))
    assert sorted(scan(lake.open(NAME)).collect()["zone"].to_list(), key=str) == [None] * 3 + ["z"] * 3


def test_old_and_new_files_are_compacted_together(lake: Lake) -> None:
    rows = rows_of(lake.spec(NAME))
    by_delta_rs(lake, rows)
    append(lake, rows)
    by_delta_rs(lake, rows)
    before = scan(lake.open(NAME)).collect()
    compact_day(lake, NAME, DAY)
    assert data_files(lake.open(NAME)).height == 1
    after = scan(lake.open(NAME)).collect()
    columns = before.columns
    assert after.select(columns).sort("Timestamp").equals(before.sort("Timestamp"))
    append(lake, rows)
    lake.open(NAME).optimize.compact()
    assert scan(lake.open(NAME)).collect().height == before.height + rows.height


# faults


def test_of_two_writers_of_a_day_the_second_fails(lake: Lake) -> None:
    rows = rows_of(lake.spec(NAME))
    targets = [lake.fenced(NAME, DAY) for _ in range(2)]
    lake.commit(targets[0], Commit([rows], 1))
    with pytest.raises(CommitFailedError):
        lake.commit(targets[1], Commit([rows], 1))
    assert scan(lake.open(NAME)).collect().height == rows.height
    # the rows of the second are a dead file
    assert len(list(Path(lake.table_uri(NAME)).rglob("*.parquet"))) == 2
    (dead,) = lake.open(NAME).vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
    assert dead not in data_files(lake.open(NAME))["path"]


@pytest.mark.parametrize("days", [(DAY, DAY), (NEXT_DAY, DAY), (DAY, NEXT_DAY), (NEXT_DAY, NEXT_DAY)])
def test_a_commit_that_comes_in_between_is_never_passed_over(lake: Lake, days: tuple[date, date]) -> None:
    """Others commit after this writer's commit and before it has seen it: only those of other days let it go on."""
    target, refresh = lake.fenced(NAME, DAY), Snapshot.update_incremental
    rows = rows_of(lake.spec(NAME))

    def overtaken(table: Snapshot) -> None:
        with patch.object(Snapshot, "update_incremental", refresh):
            for day in days:
                append(lake, rows_of(lake.spec(NAME), day), day=day)
        refresh(table)

    with patch.object(Snapshot, "update_incremental", overtaken):
        lake.commit(target, Commit([rows], 1))
    assert target.table.version() == 1
    assert not lake.is_as_left(target)
    if DAY in days:
        with pytest.raises(CommitFailedError):
            lake.commit(target, Commit([rows], 2))
        assert lake.fenced(NAME, DAY).version == 1 + days.count(DAY)
    else:
        lake.commit(target, Commit([rows], 2))
        assert scan(lake.open(NAME)).collect().height == 4 * rows.height


def test_a_writer_that_dies_before_its_commit_leaves_a_dead_file_only(lake: Lake) -> None:
    rows = rows_of(lake.spec(NAME))
    with (
        patch.object(Snapshot, "create_write_transaction", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        append(lake, rows)
    assert len(list(Path(lake.table_uri(NAME)).rglob("*.parquet"))) == 1
    assert scan(lake.open(NAME)).collect().is_empty()
    append(lake, rows)
    assert scan(lake.open(NAME)).collect().height == rows.height
    assert len(lake.open(NAME).vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)) == 1
    assert scan(lake.open(NAME)).collect().height == rows.height


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_takes_half_a_file_keeps_no_part_of_it(lake: Lake) -> None:
    target = lake.fenced(NAME, DAY)
    with (
        files_of_at_most(1_000),
        pytest.raises(LakeError, match=r"cannot write export_date.*: File too large; .* space"),
    ):
        lake.commit(target, Commit([rows_of(lake.spec(NAME))], 1))
    assert list(Path(lake.table_uri(NAME)).rglob("*.parquet")) == []
    lake.commit(target, Commit([rows_of(lake.spec(NAME))], 1))
    assert scan(lake.open(NAME)).collect().height == 3


def test_a_file_in_place_of_a_day_is_named(lake: Lake) -> None:
    target = lake.fenced(NAME, DAY)
    Path(lake.table_uri(NAME), f"export_date={DAY}").touch()
    with pytest.raises(LakeError, match="a file is where a folder belongs: move it away"):
        lake.commit(target, Commit([rows_of(lake.spec(NAME))], 1))


def test_an_error_of_the_rows_is_not_one_of_the_lake(lake: Lake) -> None:
    def frames() -> Iterator[pl.DataFrame]:
        yield rows_of(lake.spec(NAME))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lake.commit(lake.fenced(NAME, DAY), Commit(frames(), 1))
    with pytest.raises(TypeError, match="do not have the table's schema"):
        append(lake, rows_of(lake.spec(ALERT_EVIDENCE.name)))
    assert lake.fenced(NAME, DAY).version == 0
    assert scan(lake.open(NAME)).collect().is_empty()


# accounts


@pytest.mark.azure
def test_rows_are_appended_in_an_account(account: Emulator) -> None:
    lake = Lake("az://lake/tables", LAKE_TABLES, from_connection_string("TEST", account.connection_string))
    rows = rows_of(lake.spec(NAME), tenant_id=[TENANT, "a/b %41?#é", None])
    by_delta_rs(lake, rows)
    append(lake, rows)
    table = lake.open(NAME)
    assert data_files(table).height == 2
    assert lake.files(NAME).sizes(f"export_date={DAY}") == dict(data_files(table).select("path", "size_bytes").rows())
    found = scan(table).collect()
    assert found.filter(pl.col("tenant_id").is_null()).height == 2
    assert found.unique().height == rows.height


@pytest.mark.azure
def test_an_account_that_refuses_is_an_error_of_one_line(account: Emulator) -> None:
    writer = Lake("az://lake/tables", LAKE_TABLES, from_connection_string("TEST", account.connection_string))
    writer.open(NAME)
    refused = from_connection_string("TEST", account.sas_connection_string("rl"))
    reader = Lake("az://lake/tables", LAKE_TABLES, refused)
    with pytest.raises(LakeError, match=r"cannot write export_date.* the SAS lacks .*write") as error:
        append(reader, rows_of(writer.spec(NAME)))
    assert not any(secret in str(error.value) for secret in refused.secrets)
    assert writer.files(NAME).sizes(f"export_date={DAY}") == {}
