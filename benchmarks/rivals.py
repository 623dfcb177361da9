"""Alternatives to this project that write the export to Delta. Run separately, in the environment of the rivals.

`python rivals.py NAME FOLDER OUT COLUMNS`, where COLUMNS is JSON: column -> DuckDB type. None of them keeps offsets,
hashes, de-duplicates or checks for losses. Lists stay text and only `Timestamp` is parsed, except in
`duckdb_all_types`, which types what this project types.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ENVELOPE = ("time", "tenantId", "operationName", "category", "_TimeReceivedBySvc", "Tenant")
Columns = dict[str, str]


def duckdb_typed(folder: Path, out: str, columns: Columns) -> None:
    _duckdb(folder, out, columns, "* EXCLUDE properties, properties.*")


def duckdb_all_types(folder: Path, out: str, columns: Columns) -> None:
    typed = [f'TRY_CAST("{name}" AS TIMESTAMP) AS "{name}"' for name in ("time", "_TimeReceivedBySvc")]
    for name, kind in columns.items():
        value = f'properties."{name}"'
        if kind == "STRUCT[]":
            user = '{"UserName":"VARCHAR","DomainName":"VARCHAR","Sid":"VARCHAR"}'
            value = f"from_json(nullif({value}, ''), '[{user}]')"
        elif kind == "VARCHAR[]":
            ids = f"string_split(nullif({value}, ''), ',')"
            value = f"""CASE WHEN starts_with({value}, '[') THEN from_json({value}, '["VARCHAR"]') ELSE {ids} END"""
        elif kind == "VARCHAR" and name != "Timestamp":
            value = f"nullif({value}, '')"
        typed.append(f'{value} AS "{name}"')
    _duckdb(folder, out, columns, ", ".join(["tenantId", *typed]))


def _duckdb(folder: Path, out: str, columns: Columns, select: str) -> None:
    import duckdb
    from deltalake import write_deltalake

    kinds = {name: kind if kind in {"BIGINT", "BOOLEAN"} else "VARCHAR" for name, kind in columns.items()}
    kinds["Timestamp"] = "TIMESTAMP"
    struct = ", ".join(f'"{name}" {kind}' for name, kind in kinds.items())
    fields = ", ".join(f"'{name}': 'VARCHAR'" for name in ENVELOPE)
    source = f"read_json('{folder}/**/*.json', format='newline_delimited', hive_partitioning=false, "
    source += f"maximum_object_size=16777216, columns={{{fields}, 'properties': 'STRUCT({struct})'}})"
    connection = duckdb.connect()
    connection.execute("SET preserve_insertion_order=false; SET memory_limit='4GB'")
    query = f"SELECT {select} FROM {source}"  # noqa: S608 (our own folder and columns)
    write_deltalake(out, connection.sql(query).to_arrow_reader(65536))


def polars_scan(folder: Path, out: str, columns: Columns) -> None:
    import polars as pl

    kinds = {"VARCHAR": pl.String, "BIGINT": pl.Int64, "BOOLEAN": pl.Boolean}
    inner = pl.Struct({name: kinds.get(kind, pl.String) for name, kind in columns.items()})
    rows = pl.scan_ndjson(
        sorted(folder.rglob("*.json")), schema={**dict.fromkeys(ENVELOPE, pl.String), "properties": inner}
    ).unnest("properties")
    moment = pl.col("Timestamp").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", time_zone="UTC")
    rows.with_columns(moment).sink_delta(out)


def orjson_pyarrow(folder: Path, out: str, columns: Columns) -> None:
    import orjson
    import pyarrow as pa
    from deltalake import write_deltalake

    kinds = {"VARCHAR": pa.string(), "BIGINT": pa.int64(), "BOOLEAN": pa.bool_()}
    schema = pa.schema(
        [*((name, pa.string()) for name in ENVELOPE), *((n, kinds.get(k, pa.string())) for n, k in columns.items())]
    )

    def batches() -> Iterator[pa.RecordBatch]:
        for file in sorted(folder.rglob("*.json")):
            with file.open("rb") as opened:
                while lines := opened.readlines(16 * 2**20):
                    found = [orjson.loads(line) for line in lines]
                    yield pa.RecordBatch.from_pylist([{**each, **each.pop("properties")} for each in found], schema)

    write_deltalake(out, pa.RecordBatchReader.from_batches(schema, batches()))


def dlt_filesystem(folder: Path, out: str, _: Columns) -> None:
    import dlt
    from dlt.sources.filesystem import filesystem, read_jsonl

    lines = filesystem(bucket_url=folder.as_uri(), file_glob="**/*.json") | read_jsonl()
    pipeline = dlt.pipeline(
        "rival",
        pipelines_dir=f"{out}/state",
        destination=dlt.destinations.filesystem(bucket_url=Path(out).as_uri()),
        dataset_name="export",
    )
    pipeline.run(lines.with_name("rows"), table_format="delta").raise_on_failed_jobs()


def simdjson_pass(folder: Path, _: str, __: Columns) -> None:
    import simdjson

    parser = simdjson.Parser()
    for file in sorted(folder.rglob("*.json")):
        with file.open("rb") as opened:
            for line in opened:
                parser.parse(line)


def disk_read(folder: Path, _: str, __: Columns) -> None:
    for file in sorted(folder.rglob("*.json")):
        with file.open("rb") as opened:
            while opened.read(8 * 2**20):
                pass


RIVALS: dict[str, Callable[[Path, str, Columns], None]] = {
    each.__name__: each
    for each in (disk_read, simdjson_pass, duckdb_typed, duckdb_all_types, polars_scan, orjson_pyarrow, dlt_filesystem)
}

if __name__ == "__main__":
    RIVALS[sys.argv[1]](Path(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4]))
