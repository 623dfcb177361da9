from pathlib import Path

from defender_assets.catalog import BRIEFS
from defender_assets_tests.cli.conftest import Run
from defender_assets_tests.support.hostile_text import dangerous_in
from defender_assets_tests.support.small_lake import SmallLake


def test_the_newest_brief_is_written_unless_a_day_is_named(on_small_lake: Run, small_lake: SmallLake) -> None:
    pages = dict(small_lake.lake.read(BRIEFS.name).select("export_date", "html").collect().rows())

    assert sorted(pages) == small_lake.days
    assert on_small_lake("brief").stdout == pages[small_lake.days[-1]]
    first = on_small_lake("brief", "--day", small_lake.days[0].isoformat()).stdout
    assert first == pages[small_lake.days[0]]
    assert not dangerous_in(first)


def test_the_written_file_is_named(on_small_lake: Run, small_lake: SmallLake, tmp_path: Path) -> None:
    out = tmp_path / "brief.html"

    output = on_small_lake("brief", "--out", str(out)).stdout

    assert "brief.html" in output
    assert f"The brief of {small_lake.days[-1]}" in output
    assert out.read_text(encoding="utf-8") == on_small_lake("brief").stdout


def test_a_day_without_a_brief_says_what_to_do(on_small_lake: Run, run: Run) -> None:
    result = on_small_lake("brief", "--day", "2020-01-01")

    assert result.exit_code == 2
    assert "there is no brief for 2020-01-01" in result.stderr
    assert "make ui" in result.stderr
    assert result.stdout == ""


def test_the_table_keeps_the_page_out_of_its_log(small_lake: SmallLake) -> None:
    log = small_lake.lake_dir / BRIEFS.name / "_delta_log"

    assert sum(commit.stat().st_size for commit in log.glob("*.json")) < 20_000
    assert all("doctype" not in commit.read_text() for commit in log.glob("*.json"))
