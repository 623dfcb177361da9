import base64
import csv
import io
import json
import re
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import write_deltalake

from defender_assets.catalog import LEADS
from defender_assets.cli.demo.command import campaigns_found
from defender_assets.cli.output import ASCII_MARKS, Cells, _is_c_locale, console, table
from defender_assets.core.enums import PRODUCTS
from defender_assets.core.leads.schema import LEAD_SCHEMA
from defender_assets.core.queue.order import PRIORITY_COLUMNS
from defender_assets.core.stories.schema import STORY_SCHEMA
from defender_assets.core.triage.states import STATE_COLUMNS
from defender_assets.outputs.queries.views import collected, current_leads, current_stories
from defender_assets.simulator import ground_truth
from defender_assets_tests.cli.conftest import Run
from defender_assets_tests.support.exports import local_lake
from defender_assets_tests.support.hostile_text import HOSTILE_HTML, HOSTILE_LINE, HOSTILE_TITLE, dangerous_in
from defender_assets_tests.support.small_lake import SCENARIO, SmallLake
from defender_assets_tests.support.terminal import WIDTHS, Terminal, run_in_terminal

READING = ("leads", "stories", "quarantine")


def rows_of(run: Run, *arguments: str) -> list[dict[str, Any]]:
    result = run(*arguments, "--format", "json")
    assert result.exit_code == 0
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_leads_as_json_hold_every_column_and_times_in_utc(on_small_lake: Run, small_lake: SmallLake) -> None:
    leads = rows_of(on_small_lake, "leads")

    lake = local_lake(small_lake.lake_dir)
    assert [lead["lead_id"] for lead in leads] == collected(lake, current_leads(lake))["lead_id"].to_list()
    assert list(leads[0]) == [*LEAD_SCHEMA.names(), *PRIORITY_COLUMNS, *STATE_COLUMNS]
    assert leads[0]["export_date"] in {day.isoformat() for day in small_lake.days}
    assert leads[0]["alert_time"].endswith("Z")
    assert datetime.fromisoformat(leads[0]["alert_time"]).utcoffset() is not None
    assert [lead["priority_points"] for lead in leads] == sorted((of["priority_points"] for of in leads), reverse=True)
    assert any(lead["story_id"] and lead["priority"] > lead["risk_score"] for lead in leads)


def test_stories_as_json_find_the_campaigns(on_small_lake: Run, small_lake: SmallLake) -> None:
    stories = rows_of(on_small_lake, "stories")

    assert set(stories[0]) == {*STORY_SCHEMA.names(), "state", "closed_leads", "assignees"}
    lake = local_lake(small_lake.lake_dir)
    rows = collected(lake, current_leads(lake)), collected(lake, current_stories(lake))
    found = campaigns_found(ground_truth(SCENARIO)["campaigns"], *rows)
    assert found == [True, True]


def test_json_is_ascii_and_keeps_the_title_unchanged(on_small_lake: Run) -> None:
    result = on_small_lake("leads", "--format", "json")

    assert result.stdout.isascii()
    assert not dangerous_in(result.stdout)
    assert HOSTILE_TITLE + HOSTILE_HTML in [lead["title"] for lead in json.loads(result.stdout)]


def test_csv_has_a_row_for_each_lead_and_lists_as_json(on_small_lake: Run) -> None:
    result = on_small_lake("leads", "--format", "csv")

    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert len(rows) == len(rows_of(on_small_lake, "leads"))
    assert list(rows[0]) == [*LEAD_SCHEMA.names(), *PRIORITY_COLUMNS, *STATE_COLUMNS]
    assert sum(reason["points"] for reason in json.loads(rows[0]["risk_reasons"])) == int(rows[0]["risk_score"])
    assert {row["has_alert_info"] for row in rows} <= {"true", "false"}


@pytest.mark.parametrize("command", READING)
def test_text_in_csv_is_no_formula_and_does_not_act_on_a_terminal(on_small_lake: Run, command: str) -> None:
    result = on_small_lake(command, "--format", "csv")

    assert not dangerous_in(result.stdout)
    numbers = {"device_age_seconds"}
    for row in csv.DictReader(io.StringIO(result.stdout)):
        for name, cell in row.items():
            assert name in numbers or not cell.lstrip().startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("command", READING)
def test_text_in_a_table_does_not_act_on_a_terminal(
    on_small_lake: Run, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "600")

    result = on_small_lake(command, "--limit", "500")

    assert result.exit_code == 0
    assert not dangerous_in(result.stdout)
    if command == "leads":
        assert r"\x1b[31m" in result.stdout
        assert "[bold red]markup[/]" in result.stdout
        assert r"\u202egnp.exe" in result.stdout
    if command == "quarantine":
        assert r"\x1b[2J\xff[bold]not json[/bold]\x07" in result.stdout


def test_a_table_is_cut_and_says_so(on_small_lake: Run) -> None:
    total = len(rows_of(on_small_lake, "leads"))
    assert f"1 of {total} leads: --limit N shows more" in on_small_lake("leads", "--limit", "1").stdout
    assert "--limit N" not in on_small_lake("leads", "--limit", "500").stdout
    assert len(rows_of(on_small_lake, "leads", "--limit", "2")) == 2


def test_leads_of_a_product_and_a_severity(on_small_lake: Run) -> None:
    everything = rows_of(on_small_lake, "leads")
    endpoint = rows_of(on_small_lake, "leads", "--product", "Endpoint")
    high = rows_of(on_small_lake, "leads", "--severity", "high")

    assert {lead["product"] for lead in endpoint} == {"endpoint"}
    assert {lead["severity"] for lead in high} == {"High"}
    assert 0 < len(endpoint) < len(everything)
    assert 0 < len(high) < len(everything)


@pytest.mark.parametrize("command", ["leads", "stories"])
def test_an_unknown_product_is_refused_with_the_known_ones(run: Run, command: str) -> None:
    result = run(command, "--product", "defender")

    assert result.exit_code == 2
    assert all(f"'{product}'" in result.stderr for product in PRODUCTS)


def test_stories_of_a_product_and_a_severity(on_small_lake: Run) -> None:
    assert all("identity" in story["products"] for story in rows_of(on_small_lake, "stories", "--product", "identity"))
    stories = rows_of(on_small_lake, "stories")
    assert rows_of(on_small_lake, "stories", "--severity", "Informational") == stories
    assert len(rows_of(on_small_lake, "stories", "--severity", "high")) == sum(s["severity"] == "High" for s in stories)


def test_leads_and_stories_of_a_device_and_a_user(on_small_lake: Run) -> None:
    story = rows_of(on_small_lake, "stories")[0]
    device, user = story["device_names"][0].partition(".")[0], story["accounts"][0]

    assert story in rows_of(on_small_lake, "stories", "--device", device.upper(), "--user", user)
    leads = rows_of(on_small_lake, "leads", "--device", device)
    assert leads
    assert all(device in json.dumps([lead["device_name"], lead["devices"]]) for lead in leads)
    assert rows_of(on_small_lake, "leads", "--user", "nobody.at.all") == []


def test_a_narrow_terminal_shows_fewer_columns_and_always_the_id(
    on_small_lake: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = {}
    for width in ("50", "80", "160"):
        monkeypatch.setenv("COLUMNS", width)
        shown[width] = on_small_lake("leads", "--limit", "1").stdout.splitlines()[2].split()

    assert shown["50"] == ["priority", "title", "device", "id"]
    assert shown["80"] == ["priority", "severity", "title", "device", "id"]
    assert {"risk", "product", "accounts", "story"} <= set(shown["160"])


def test_when_all_cells_are_short_the_first_column_does_not_wrap(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    cells: Cells = {
        "container": lambda row: row["name"],
        "days": lambda row: row["days"],
        "seen": lambda row: row["at"],
    }

    console().print(table([{"name": "alertevidence", "days": "4 of 4 days", "at": "6 minutes ago"}], cells))

    assert "alertevidence " in capsys.readouterr().out


def test_muted_leads_are_shown_when_asked_for(
    on_small_lake: Run, small_lake: SmallLake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    leads = small_lake.lake.read(LEADS.name).collect()
    columns = leads.with_columns(muted_by=pl.when(pl.col("severity") == "High").then(pl.lit("known scanner")))
    shutil.copytree(small_lake.lake_dir, tmp_path / "lake")
    write_deltalake(tmp_path / "lake" / LEADS.name, columns, mode="overwrite", schema_mode="overwrite")
    monkeypatch.setenv("DEFENDER_LAKE_URI", str(tmp_path / "lake"))

    unmuted, everything = rows_of(on_small_lake, "leads"), rows_of(on_small_lake, "leads", "--muted")

    assert "High" not in {lead["severity"] for lead in unmuted}
    assert "High" in {lead["severity"] for lead in everything}


@pytest.mark.parametrize("command", ["leads", "stories"])
def test_a_days_rows_and_the_state_at_its_end(on_small_lake: Run, small_lake: SmallLake, command: str) -> None:
    first, second = (day.isoformat() for day in small_lake.days)
    versions = rows_of(on_small_lake, command, "--all-versions")

    for day in (first, second):
        of_day = rows_of(on_small_lake, command, "--day", day)
        assert of_day == [row for row in versions if row["export_date"] == day]
    assert rows_of(on_small_lake, command, "--until", first) == rows_of(on_small_lake, command, "--day", first)


def test_quarantined_lines_keep_their_bytes(on_small_lake: Run, small_lake: SmallLake) -> None:
    lines = rows_of(on_small_lake, "quarantine", "--table", "microsoft_365_defender_alert_info", "--reason", "not_json")

    assert HOSTILE_LINE.rstrip() in [base64.b64decode(line["content"]) for line in lines]
    assert rows_of(on_small_lake, "quarantine", "--day", "2026-10-01") == []
    of_first = rows_of(on_small_lake, "quarantine", "--day", small_lake.days[0].isoformat())
    assert {line["export_date"] for line in of_first} == {small_lake.days[0].isoformat()}


@pytest.mark.parametrize("command", READING)
def test_an_empty_lake_is_explained_and_stays_empty(run: Run, tmp_path: Path, command: str) -> None:
    result = run(command)

    assert result.exit_code == 3
    assert "defender-assets demo" in result.stdout
    assert rows_of(run, command) == []
    assert len(run(command, "--format", "csv").stdout.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["leads", "stories"])
def test_an_empty_result_names_what_left_nothing(on_small_lake: Run, command: str) -> None:
    def nothing(*options: str) -> str:
        result = on_small_lake(command, *options)
        assert result.exit_code == 3
        return result.stdout

    held = sorted(row["export_date"] for row in rows_of(on_small_lake, command, "--all-versions"))
    days = f"the lake has {command} of {held[0]} to {held[-1]}"
    assert f"--day 2020-01-01 leaves none: {days}" in nothing("--day", "2020-01-01", "--severity", "high")
    assert f"--until 2020-01-01 leaves none: {days}" in nothing("--until", "2020-01-01")
    high = len(rows_of(on_small_lake, command, "--severity", "high"))
    told = nothing("--severity", "high", "--user", "nobody.at.all")
    assert f"--user nobody.at.all matches none of the {high} {command} that --severity high leaves." in told
    total = len(rows_of(on_small_lake, command))
    assert f"--device \\x1b[2J matches none of the {total} {command}." in nothing("--device", "\x1b[2J")
    # what is wrong has another exit code
    assert on_small_lake(command, "--severity", "extreme").exit_code == 2
    assert on_small_lake("lead", "ffffffffffff").exit_code == 3


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_terminal_breaks_no_line_and_no_name_of_a_device(on_small_lake: Run, columns: int) -> None:
    leads = rows_of(on_small_lake, "leads")

    shown = run_in_terminal("leads", columns=columns).splitlines()

    assert max(map(len, shown)) <= columns
    words = {word for line in shown for word in line.split()}
    hosts = {lead["device_name"] for lead in leads if re.fullmatch(r"[a-z0-9.-]+", lead["device_name"] or "")}
    assert hosts
    assert {host if columns >= 120 else host.partition(".")[0] for host in hosts} <= words


def test_a_message_breaks_between_words_on_a_terminal(on_small_lake: Run) -> None:
    with Terminal("check", columns=80) as terminal:
        assert terminal.end() == 1  # bad lines at the end of a blob
        shown = [line.rstrip() for line in terminal.shown.splitlines()]

    too_long = [line for line in shown if len(line) > 80]
    assert too_long
    assert [line for line in too_long if " " in line] == []


def test_a_terminal_of_the_locale_c_gets_ascii(on_small_lake: Run) -> None:
    shown = run_in_terminal("leads", columns=80, env={"LANG": "C", "LC_ALL": ""})

    assert shown.isascii()
    assert "-------" in shown
    assert "\\u25" not in shown


@pytest.mark.parametrize(
    ("variables", "plain"),
    [
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),
        ({"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}, True),
        ({"LANG": "en_US.UTF-8", "LC_CTYPE": "C"}, False),
        ({"LANG": ""}, False),
        ({"LC_ALL": "C.UTF-8", "LANG": "C"}, False),
    ],
)
def test_which_locale_is_c(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], plain: bool) -> None:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.setenv(name, variables.get(name, ""))

    assert _is_c_locale() is plain


def test_marks_have_one_character_of_ascii_and_other_text_is_escaped() -> None:
    assert "✓ a → b… ü".encode("ascii", ASCII_MARKS) == rb"+ a > b. \xfc"
