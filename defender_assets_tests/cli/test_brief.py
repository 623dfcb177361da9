import re
import sys
from datetime import datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Self

import click
import pytest

from defender_assets.catalog import BRIEFS
from defender_assets_tests.cli.conftest import Run
from defender_assets_tests.support.hostile_text import dangerous_in
from defender_assets_tests.support.small_lake import SmallLake
from defender_assets_tests.support.terminal import Terminal


def test_the_newest_brief_is_written_unless_a_day_is_named(on_small_lake: Run, small_lake: SmallLake) -> None:
    pages = dict(small_lake.lake.read(BRIEFS.name).select("export_date", "html").collect().rows())

    assert sorted(pages) == small_lake.days
    assert without_triage(on_small_lake("brief").stdout) == pages[small_lake.days[-1]]
    first = on_small_lake("brief", "--day", small_lake.days[0].isoformat()).stdout
    assert without_triage(first) == pages[small_lake.days[0]]
    assert not dangerous_in(first)


def without_triage(html: str) -> str:
    """The page without what only a shown brief has, while nobody has said anything."""
    html, states = re.subn(r'<p class="lede">State as of [^<]*</p>', "", html)
    assert states == 1
    html = re.sub(r'<p class="lede">The day before: [^<]*</p>', "", html)
    html = re.sub(r"<span>(new|changed|grown by \d+ alerts?)</span>(?=<span>\d+ alert)", "", html)
    return re.sub(r' *<p class="note"><code>defender-assets lead \w{8}</code></p>', "", html)


def test_the_written_file_is_named(on_small_lake: Run, small_lake: SmallLake, tmp_path: Path) -> None:
    out = tmp_path / "brief.html"

    output = on_small_lake("brief", "--out", str(out)).stdout

    assert "brief.html" in output
    assert f"The brief of {small_lake.days[-1]}" in output
    assert without_triage(out.read_text(encoding="utf-8")) == without_triage(on_small_lake("brief").stdout)


def test_a_day_without_a_brief_says_what_to_do(on_small_lake: Run, run: Run) -> None:
    result = on_small_lake("brief", "--day", "2020-01-01")

    assert result.exit_code == 3
    assert "there is no brief for 2020-01-01" in result.stderr
    assert "defender-assets ui" in result.stderr
    assert result.stdout == ""


def test_the_table_keeps_the_page_out_of_its_log(small_lake: SmallLake) -> None:
    log = small_lake.lake_dir / BRIEFS.name / "_delta_log"

    assert sum(commit.stat().st_size for commit in log.glob("*.json")) < 20_000
    assert all("doctype" not in commit.read_text() for commit in log.glob("*.json"))


def test_at_a_terminal_the_page_is_a_file_that_can_be_opened(
    on_small_lake: Run, small_lake: SmallLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(click, "launch", opened.append)
    page = on_small_lake("brief").stdout
    file = tmp_path / f"brief-{small_lake.days[-1]}.html"

    with Terminal("brief", columns=80) as terminal:
        assert terminal.end() == 0
        assert str(file) in terminal.shown.replace("\n", "")
        assert "--open" in terminal.shown
        assert "<html" not in terminal.shown
    assert without_triage(file.read_text(encoding="utf-8")) == without_triage(page)
    assert opened == []

    assert str(file) in on_small_lake("brief", "--open").stdout
    assert opened == [str(file)]


def test_a_brief_of_a_day_that_has_not_ended_is_said_to_be_one(
    on_small_lake: Run, small_lake: SmallLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.combine(small_lake.days[-1], time(13), tz)

    assert on_small_lake("brief").stderr == ""
    monkeypatch.setattr(sys.modules["defender_assets.cli.brief"], "datetime", Clock)

    told = on_small_lake("brief").stderr

    assert f"{small_lake.days[-1]} has not ended" in told
    assert f"--day {small_lake.days[-1] - timedelta(days=1)}" in told
