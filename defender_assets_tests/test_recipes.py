"""The SQL of `docs/recipes.md` runs on the tables of a lake and gives the documented answers."""

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest
from arro3.core import Table as ArrowTable
from deltalake import DeltaTable

from defender_assets.catalog import LEADS, STORIES
from defender_assets.core.schemas import TABLES
from defender_assets.outputs.queries.views import collected, current_leads, current_stories
from defender_assets_tests.support.small_lake import SmallLake

TEXT = (Path(__file__).parents[1] / "docs" / "recipes.md").read_text()
VIEWS, *_ = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)
RECIPES = dict(re.findall(r"^## ([^\n]+\?)\n.*?```sql\n(.*?)```", TEXT, re.DOTALL | re.MULTILINE))


@pytest.fixture(scope="module")
def duck(small_lake: SmallLake) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the tables of the lake and the views of the document; `since` is the first day of the data."""
    with duckdb.connect() as connection:
        for name in (LEADS.name, STORIES.name, *(table.name for table in TABLES)):
            connection.register(name, ArrowTable.from_arrow(small_lake.lake.read(name).collect()))
        connection.execute(VIEWS)
        connection.execute(f"SET VARIABLE since = TIMESTAMPTZ '{small_lake.days[0]} 00:00:00+00'")
        yield connection


def test_there_are_twelve_recipes() -> None:
    assert len(RECIPES) == 12


@pytest.mark.parametrize("question", RECIPES)
def test_a_recipe_has_an_answer(duck: duckdb.DuckDBPyConnection, question: str) -> None:
    assert duck.execute(RECIPES[question]).fetchall()


def test_old_readers_can_read_the_tables(small_lake: SmallLake) -> None:
    for folder in small_lake.lake_dir.iterdir():
        table = DeltaTable(folder)
        assert (table.protocol().min_reader_version, table.protocol().min_writer_version) == (1, 2)
        assert not re.search(r'"timestamp_ntz"|"variant"', table.schema().to_json())


def test_the_command_lines_contain_the_requested_text(duck: duckdb.DuckDBPyConnection) -> None:
    found = duck.execute(RECIPES["Which evidence names a process with this in its command line?"]).fetchall()
    assert found
    assert all("powershell" in command_line.lower() for *_, command_line, _, _ in found)


def test_the_view_of_the_leads_is_the_current_state(duck: duckdb.DuckDBPyConnection, small_lake: SmallLake) -> None:
    ours = (
        collected(small_lake.lake, current_leads(small_lake.lake)).select("tenant_id", "lead_id", "export_date").rows()
    )
    theirs = duck.execute("SELECT tenant_id, lead_id, export_date FROM leads").fetchall()
    assert sorted(theirs) == sorted(ours)


def test_the_counts_match_the_leads(duck: duckdb.DuckDBPyConnection, small_lake: SmallLake) -> None:
    leads = collected(small_lake.lake, current_leads(small_lake.lake))
    counted = duck.execute(RECIPES["Which alerts are there, by product and severity?"]).fetchall()
    assert sum(alerts for _, _, alerts in counted) == leads.height
    techniques = duck.execute(RECIPES["Which ATT&CK techniques come up?"]).fetchall()
    expected = leads["attack_techniques"].explode(empty_as_null=False).drop_nulls().value_counts()
    assert {technique: alerts for technique, alerts, _ in techniques} == dict(expected.iter_rows())


def test_the_stories_are_the_active_ones(duck: duckdb.DuckDBPyConnection, small_lake: SmallLake) -> None:
    stories = collected(small_lake.lake, current_stories(small_lake.lake).filter(pl.col("products").list.len() > 1))
    found = duck.execute(RECIPES["Which intrusions cross products?"]).fetchall()
    assert {row[0] for row in found} >= set(stories["story_id"])
