"""How delta-rs writes the data files of a table."""

from pathlib import Path

import duckdb
import polars as pl

from defender_assets.catalog import LAKE_TABLES
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.schemas import DEVICE_INFO
from defender_assets_tests.support.exports import DAY, TENANT


def test_columns_of_distinct_values_have_no_dictionary(tmp_path: Path) -> None:
    rows = pl.DataFrame(
        {"tenant_id": [TENANT] * 9, "export_date": [DAY] * 9, "record_id": [f"{n:032x}" for n in range(9)]}
    )
    lake = Lake(str(tmp_path), LAKE_TABLES)
    lake.commit(
        lake.fenced(DEVICE_INFO.name, DAY),
        Commit([rows.match_to_schema(DEVICE_INFO.schema, missing_columns="insert")], 1, replaces=""),
    )
    files = f"{tmp_path}/{DEVICE_INFO.name}/*/*.parquet"
    found = duckdb.connect().execute(f"SELECT path_in_schema, encodings FROM parquet_metadata('{files}')").fetchall()  # noqa: S608
    encodings = {name: "DICTIONARY" in used for name, used in found}
    assert not any(encodings[name] for name in ("Timestamp", "ReportId", "byte_offset", "record_id"))
    assert encodings["tenant_id"]
