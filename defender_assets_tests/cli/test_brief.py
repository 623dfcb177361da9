from pathlib import Path

from defender_assets.catalog import BRIEFS
from defender_assets_tests.cli.conftest import Run
from defender_assets_tests.support.hostile_text import dangerous_in
from defender_assets_tests.support.small_lake import Held


def test_the_newest_brief_is_written_unless_a_day_is_named(on_held: Run, held: Held) -> None:
    pages = dict(held.lake.read(BRIEFS.name).select("export_date", "html").collect().rows())

    assert sorted(pages) == held.days
    assert on_held("brief").stdout == pages[held.days[-1]]
    first = on_held("brief", "--day", held.days[0].isoformat()).stdout
    assert first == pages[held.days[0]]
    assert not dangerous_in(first)


def test_the_written_file_is_named(on_held: Run, held: Held, tmp_path: Path) -> None:
    out = tmp_path / "brief.html"

    output = on_held("brief", "--out", str(out)).stdout

    assert "brief.html" in output
    assert f"The brief of {held.days[-1]}" in output
    assert out.read_text(encoding="utf-8") == on_held("brief").stdout


def test_a_day_without_a_brief_says_what_to_do(on_held: Run, run: Run) -> None:
    result = on_held("brief", "--day", "2020-01-01")

    assert result.exit_code == 2
    assert "there is no brief for 2020-01-01" in result.stderr
    assert "make ui" in result.stderr
    assert result.stdout == ""


def test_the_table_keeps_the_page_out_of_its_log(held: Held) -> None:
    log = held.lake_dir / BRIEFS.name / "_delta_log"

    assert sum(commit.stat().st_size for commit in log.glob("*.json")) < 20_000
    assert all("doctype" not in commit.read_text() for commit in log.glob("*.json"))
