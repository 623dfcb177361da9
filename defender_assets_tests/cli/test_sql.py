"""`defender-assets sql`: the views that it has, and statements that try to reach more."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from defender_assets.catalog import RAW, SPECS
from defender_assets_tests.cli.conftest import Run
from defender_assets_tests.support.hostile_text import dangerous_in
from defender_assets_tests.support.small_lake import SmallLake
from defender_assets_tests.test_recipes import RECIPES

SECRET = "the content of a file of this machine"
HOSTILE = (
    "SELECT * FROM read_text('{file}')",
    "SELECT * FROM read_csv('{file}')",
    "SELECT * FROM read_blob('{file}')",
    "SELECT * FROM sniff_csv('{file}')",
    "SELECT * FROM '{file}'",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM query('SELECT * FROM read_text(''{file}'')')",
    "SELECT * FROM read_parquet('https://127.0.0.1:1/x.parquet')",
    "SELECT * FROM delta_scan('{folder}')",
    "FROM read_text('{file}') SELECT content",
    "SELECT getenv('HOME')",
    "SELECT * FROM which_secret('az://x', 'azure')",
    "SELECT title FROM leads; COPY leads TO '{folder}/out.csv'",
    "COPY leads TO '{folder}/out.csv'",
    "COPY (SELECT 1) TO '{folder}/out.parquet' (FORMAT parquet)",
    "EXPORT DATABASE '{folder}/out'",
    "IMPORT DATABASE '{folder}'",
    "ATTACH '{folder}/out.db' AS other",
    "CREATE TABLE t AS SELECT 1",
    "CREATE VIEW v AS SELECT * FROM read_text('{file}')",
    "DROP VIEW leads",
    "INSERT INTO leads SELECT * FROM leads",
    "INSTALL httpfs",
    "LOAD '{folder}/x.duckdb_extension'",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET enable_external_access",
    "PRAGMA enable_external_access=true",
    "CREATE SECRET (TYPE azure, CONNECTION_STRING 'x')",
    "EXPLAIN ANALYZE COPY leads TO '{folder}/out.csv'",
    "SELECT * FROM reader",
    "SELECT * FROM connection",
    "",
    "SELECT '\x1b[2J' FROM \x1b[2J",
)


def rows_of(run: Run, *arguments: str) -> list[dict[str, Any]]:
    result = run("sql", *arguments, "--format", "json")
    assert result.exit_code == 0, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_a_statement_reaches_nothing_but_the_views(
    on_small_lake: Run, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    file = tmp_path / "secret.txt"
    file.write_text(SECRET)
    for statement in HOSTILE:
        with subtests.test(statement):
            result = on_small_lake("sql", statement.format(file=file, folder=tmp_path))

            assert result.exit_code == 2, result.stdout
            assert len(result.stderr.splitlines()) == 1
            assert result.stderr.startswith("error: ")
            assert SECRET not in result.output
            assert not dangerous_in(result.output)
            assert list(tmp_path.iterdir()) == [file]


def test_every_value_of_duckdb_is_json_that_any_parser_reads(on_small_lake: Run) -> None:
    statement = (
        "SELECT 1/0 AS inf, ['nan'::double] AS nan, MAP{DATE '2026-01-31': 1} AS days, MAP{[1]: 2} AS lists, "
        "1.5::decimal(5, 2) AS exact, TIME '10:00' AS at, INTERVAL 1 DAY AS span, '\\xAA'::blob AS bytes"
    )

    result = on_small_lake("sql", statement, "--format", "json")
    csv = on_small_lake("sql", "SELECT 1/0 AS inf, 1.5 AS half", "--format", "csv")

    assert json.loads(result.stdout, parse_constant=pytest.fail) == [
        {
            "inf": None,
            "nan": [None],
            "days": {"2026-01-31": 1},
            "lists": {"key": [[1]], "value": [2]},
            "exact": 1.5,
            "at": "10:00:00",
            "span": "1 day, 0:00:00",
            "bytes": "qg==",
        }
    ]
    assert csv.stdout == '"inf","half"\n"inf","1.5"\n'


def test_the_views_are_the_tables_and_the_current_state(on_small_lake: Run) -> None:
    names = {row["name"] for row in rows_of(on_small_lake, "SHOW TABLES")}
    leads = json.loads(on_small_lake("leads", "--format", "json").stdout)

    raw = {spec.name for spec in RAW}
    assert names == {"leads", "stories", "queue", "alert_evidence", *SPECS} - raw
    found = rows_of(on_small_lake, "SELECT lead_id, priority, story_id, alert_time, risk_reasons FROM leads")
    assert found == [{name: lead[name] for name in found[0]} for lead in leads]


def test_values_of_every_kind_are_shown(on_small_lake: Run) -> None:
    statement = (
        "SELECT sum(priority) AS total, avg(priority) AS mean, max(alert_time) - min(alert_time) AS span, "
        "1 AS one, 2 AS one, NULL AS nothing FROM leads"
    )
    (row,) = rows_of(on_small_lake, statement)
    csv_row, table = on_small_lake("sql", statement, "--format", "csv").stdout, on_small_lake("sql", statement).stdout

    assert isinstance(row["total"], int)
    assert (row["one"], row["one_1"], row["nothing"]) == (1, 2, None)
    assert ":" in row["span"]
    assert next(csv.DictReader(io.StringIO(csv_row)))["total"] == str(row["total"])
    assert str(row["total"]) in table


def test_only_rows_from_a_day_on_are_read(on_small_lake: Run, small_lake: SmallLake) -> None:
    statement = "SELECT DISTINCT export_date FROM device_enriched_leads"

    assert len(rows_of(on_small_lake, statement)) == 2
    last = small_lake.days[-1].isoformat()
    assert rows_of(on_small_lake, statement, "--from", last) == [{"export_date": last}]


def test_a_statement_without_a_row_has_its_own_exit_code(on_small_lake: Run) -> None:
    assert on_small_lake("sql", "SELECT title FROM leads WHERE false").exit_code == 3
    unknown = on_small_lake("sql", "SELECT * FROM alerts")
    assert unknown.exit_code == 2
    assert "`SHOW TABLES` lists the views" in unknown.stderr


def test_a_table_is_cut_and_hostile_text_is_escaped(on_small_lake: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")

    result = on_small_lake("sql", "SELECT title, accounts FROM leads ORDER BY title", "--limit", "3")

    assert "The first 3 rows" in result.stdout
    assert not dangerous_in(on_small_lake("sql", "SELECT title, accounts FROM leads", "--limit", "99").stdout)
    assert not dangerous_in(on_small_lake("sql", 'SELECT title AS "a\x1b[31m" FROM leads').stdout)


def test_a_column_without_values_is_shown_under_any_name(on_small_lake: Run) -> None:
    assert "state" in on_small_lake("sql", "SELECT NULL AS state").stdout


def test_rows_with_more_columns_than_fit_are_shown_one_below_the_other(
    on_small_lake: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")

    shown = on_small_lake("sql", "SELECT * FROM leads", "--limit", "3").stdout

    assert len(shown) < 60_000
    assert shown.count("portal_url ") == 3
    assert not dangerous_in(shown)


def test_the_recipes_run_as_they_are(on_small_lake: Run, subtests: pytest.Subtests) -> None:
    for question, statement in RECIPES.items():
        with subtests.test(question):
            result = on_small_lake("sql", statement)
            # `since` is 7 days ago, which may be after the days of this lake
            assert result.exit_code in {0, 3}, result.stderr
