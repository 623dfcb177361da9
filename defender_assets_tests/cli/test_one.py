"""`lead ID` and `story ID`: everything about one, down to the bytes."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from defender_assets.catalog import LEADS, QUEUE
from defender_assets.core.lake.table_spec import BUILT_VERSION
from defender_assets.core.schemas import TABLES
from defender_assets_tests.cli.conftest import Run
from defender_assets_tests.support.hostile_text import HOSTILE_HTML, dangerous_in
from defender_assets_tests.support.small_lake import SmallLake

ALL = {"lead": ["--all"], "story": []}


def rows_of(run: Run, *arguments: str) -> Any:
    result = run(*arguments, "--format", "json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def hostile(on_small_lake: Run) -> dict[str, Any]:
    """The lead whose every text an attacker wrote."""
    (lead,) = [lead for lead in rows_of(on_small_lake, "leads") if HOSTILE_HTML in lead["alert_id"]]
    return dict(lead)


def test_a_lead_is_found_by_the_beginning_of_its_id_or_by_microsofts(on_small_lake: Run) -> None:
    lead = rows_of(on_small_lake, "leads")[0]

    by_id = rows_of(on_small_lake, "lead", lead["lead_id"][:8])
    by_alert = rows_of(on_small_lake, "lead", f" {lead['alert_id']}\u200b")

    assert by_id["lead"] == lead
    assert by_alert == by_id
    newest = by_id["versions"][-1]
    assert newest == {name: lead[name] for name in newest}
    assert set(LEADS.schema) - set(newest) == {BUILT_VERSION.name}
    assert all(lead["lead_id"] in story["lead_ids"] for story in stories_of(on_small_lake, by_id))


def stories_of(run: Run, found: dict[str, Any]) -> list[dict[str, Any]]:
    wanted = {story["story_id"] for story in found["stories"]}
    return [story for story in rows_of(run, "stories") if story["story_id"] in wanted]


def test_the_raw_lines_are_those_of_the_export(on_small_lake: Run, small_lake: SmallLake) -> None:
    lead = rows_of(on_small_lake, "leads")[0]

    lines = rows_of(on_small_lake, "lead", lead["lead_id"], "--raw")["lines"]

    assert len(lines) == len(lead["sources"]) > 1
    containers = {table.name: table.container for table in TABLES}
    for line in lines:
        content = (small_lake.export_dir / containers[line["table"]] / line["blob"]).read_bytes()
        assert content[line["byte_offset"] :].startswith(line["line"].encode() + b"\r\n")
        assert json.loads(line["line"])["properties"]["AlertId"] == lead["alert_id"]


def test_a_story_holds_its_leads_in_order_of_time_and_their_lines(on_small_lake: Run) -> None:
    story = rows_of(on_small_lake, "stories")[0]

    found = rows_of(on_small_lake, "story", story["story_id"][:10], "--raw")

    assert found["story"] == story
    assert {lead["lead_id"] for lead in found["leads"]} == set(story["lead_ids"])
    assert found["leads"] == sorted(found["leads"], key=lambda lead: (lead["alert_time"], lead["lead_id"]))
    assert len(found["lines"]) == len({tuple(of.items()) for lead in found["leads"] for of in lead["sources"]})


@pytest.mark.parametrize("width", ["60", "200"])
@pytest.mark.parametrize("command", ["lead", "story"])
def test_text_shows_every_value_and_nothing_that_acts(
    on_small_lake: Run, monkeypatch: pytest.MonkeyPatch, command: str, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    row = rows_of(on_small_lake, "leads" if command == "lead" else "stories")[0]

    result = on_small_lake(command, row[f"{command}_id"], "--raw", *ALL[command])

    assert result.exit_code == 0
    assert not dangerous_in(result.stdout)
    shown = "".join(result.stdout.split())
    reasons = row["risk_reasons" if command == "lead" else "score_reasons"]
    for text in (row["title"], row[f"{command}_id"], *(reason["reason"] for reason in reasons)):
        assert "".join(text.split()) in shown
    assert "PT1H.json" in shown
    assert f'"tenantId":"{row["tenant_id"]}"' in shown


@pytest.mark.parametrize("width", ["60", "200"])
@pytest.mark.parametrize(("command", "score"), [("lead", "risk score"), ("story", "score")])
def test_the_score_and_its_reasons_come_first(
    on_small_lake: Run, monkeypatch: pytest.MonkeyPatch, command: str, score: str, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    row = rows_of(on_small_lake, "leads" if command == "lead" else "stories")[0]

    output = on_small_lake(command, row[f"{command}_id"], *ALL[command]).stdout
    lines = [line.rstrip() for line in output.splitlines()]

    assert row["title"].startswith(lines[0])
    beginnings = (
        f"{score} ",
        f"{score.split(maxsplit=1)[0].capitalize()} reasons",
        "tenant id",
        "Accounts" if command == "lead" else "Timeline",
        "Sources",
    )
    found = [next(number for number, line in enumerate(lines) if line.startswith(begin)) for begin in beginnings]
    assert found == sorted(found)
    # an empty line precedes a heading
    assert lines[found[1] - 1] == lines[found[-1] - 1] == ""


def test_times_are_in_utc_and_booleans_are_yes_or_no(on_small_lake: Run) -> None:
    lead = rows_of(on_small_lake, "leads")[0]

    output = on_small_lake("lead", lead["lead_id"], "--all").stdout

    at = lead["alert_time"][:19].replace("T", " ")
    assert re.search(rf"^alert time +{at} UTC *$", output, re.MULTILINE)
    assert re.search(r"^has alert info +(yes|no) *$", output, re.MULTILINE)


def test_a_wide_terminal_shows_each_steps_tactic_and_what_it_shares(
    on_small_lake: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "220")
    story = rows_of(on_small_lake, "stories")[0]

    lines = on_small_lake("story", story["story_id"]).stdout.splitlines()

    (heading,) = [line for line in lines if "alert time (UTC)" in line]
    assert heading.split()[-1] == "shares"
    for step in story["timeline"]:
        # a long title goes on in the next line
        beginning = " ".join(step["title"].split()[:2])
        (line,) = [line for line in lines if beginning in line and f" {step['lead_id'][:8]} " in line]
        assert step["tactic"] in line
        assert all(shared.partition(" ")[0] in line.split(step["lead_id"][:8])[1] for shared in step["shares"])


def test_a_hostile_lead_shows_as_text_in_its_values_and_its_lines(
    on_small_lake: Run, hostile: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "600")

    assert not dangerous_in(on_small_lake("lead", hostile["lead_id"]).stdout)
    output = on_small_lake("lead", hostile["lead_id"], "--all", "--raw").stdout

    assert not dangerous_in(output)
    assert output.splitlines()[0].startswith(r"=cmd|' /C calc'!A0 \x1b[31m")
    assert HOSTILE_HTML in output
    assert "[bold red]markup[/]" in output
    assert on_small_lake("lead", hostile["lead_id"], "--raw", "--format", "json").stdout.isascii()


def test_an_id_that_matches_none_or_several_says_what_to_do(on_small_lake: Run) -> None:
    ids = [lead["lead_id"] for lead in rows_of(on_small_lake, "leads")]
    often = next(digit for digit in "0123456789abcdef" if sum(of.startswith(digit) for of in ids) > 1)

    several, none = on_small_lake("lead", often), on_small_lake("story", "\x1b[2Jno")

    assert (several.exit_code, none.exit_code) == (2, 3)
    assert "give more of the id" in several.stderr
    assert sum(of[:12] in several.stderr for of in ids if of.startswith(often)) > 1
    assert r"no story begins with '\x1b[2Jno'" in none.stderr
    assert "`defender-assets stories` shows the ids" in none.stderr


def test_a_lake_without_anything_has_no_lead(run: Run) -> None:
    assert run("lead", "a").exit_code == 3


def test_a_lead_names_its_story_its_portal_page_and_times_in_words_first(
    on_small_lake: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    lead = next(lead for lead in rows_of(on_small_lake, "leads") if lead["story_id"] and lead["device_age_seconds"])

    output = on_small_lake("lead", lead["lead_id"], "--all").stdout

    lines = [line.rstrip() for line in output.splitlines()]
    assert re.fullmatch(rf"priority +{lead['priority']} of 100", lines[1])
    story = f"{lead['story_id'][:8]}: {lead['story_title']} (score {lead['story_score']} of 100)"
    assert re.fullmatch(rf"story +{re.escape(story)}", lines[2])
    assert re.fullmatch(rf"portal URL +{re.escape(lead['portal_url'])}", lines[3])
    assert re.search(r"^device state +\d+ (second|minute|hour|day)s? (before|after) the alert *$", output, re.MULTILINE)
    assert "seconds" not in output.replace(" seconds before the alert", "")
    assert output.count("Priority reasons") == 1


def test_a_lead_has_its_current_priority_and_the_reasons_add_up(on_small_lake: Run) -> None:
    for lead in rows_of(on_small_lake, "leads"):
        found = rows_of(on_small_lake, "lead", lead["lead_id"])
        assert found["lead"] == lead
        assert sum(reason["points"] for reason in found["priority_reasons"]) == lead["priority"]
        assert lead["priority"] == min(100, lead["priority_points"]) >= lead["risk_score"]


def test_a_story_links_the_portal_page_of_its_most_urgent_lead(
    on_small_lake: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    story = rows_of(on_small_lake, "stories")[0]
    first = next(lead for lead in rows_of(on_small_lake, "leads") if lead["story_id"] == story["story_id"])

    lines = on_small_lake("story", story["story_id"]).stdout.splitlines()

    assert re.fullmatch(rf"portal URL +{re.escape(first['portal_url'])} *", lines[2])


def test_without_a_queue_a_lead_still_names_its_story(
    on_small_lake: Run, small_lake: SmallLake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lead = next(lead for lead in rows_of(on_small_lake, "leads") if lead["story_id"])
    shutil.copytree(small_lake.lake_dir, tmp_path / "lake", ignore=shutil.ignore_patterns(QUEUE.name))
    monkeypatch.setenv("DEFENDER_LAKE_URI", str(tmp_path / "lake"))
    monkeypatch.setenv("COLUMNS", "300")

    output = on_small_lake("lead", lead["lead_id"], "--all").stdout

    assert f"{lead['story_id'][:8]}: {lead['story_title']}" in output
    assert re.search(rf"^priority +{lead['risk_score']} of 100 *$", output, re.MULTILINE)


def test_a_lead_fits_one_screen_and_names_what_matters(
    on_small_lake: Run, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    leads = [lead for lead in rows_of(on_small_lake, "leads") if re.fullmatch(r"[\w ]+", lead["title"] or "")]
    assert len(leads) > 5
    for lead in leads:
        with subtests.test(lead["title"]):
            lines = on_small_lake("lead", lead["lead_id"]).stdout.splitlines()

            assert len(lines) < 24
            assert max(map(len, lines)) <= 80
            text = "".join("".join(lines).split())
            for shown in (lead["title"], lead["portal_url"], lead["risk_reasons"][0]["reason"][:60]):
                assert "".join((shown or "").split()) in text
            assert "--all" in lines[-1]


def test_markdown_for_a_ticket_has_every_text_in_a_code_span(on_small_lake: Run, hostile: dict[str, Any]) -> None:
    for lead in rows_of(on_small_lake, "leads"):
        result = on_small_lake("lead", lead["lead_id"], "--format", "markdown")
        assert result.exit_code == 0
        assert not dangerous_in(result.stdout)
        assert f"**Priority:** {lead['priority']} of 100" in result.stdout
        assert result.stdout.startswith("## `")
        # without the code spans, nothing is left but our own words and the portal's link
        rest = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", result.stdout)
        rest = re.sub(r"<https://security\.microsoft\.com/[\w%?=&./-]*>", "", rest)
        assert re.fullmatch(r"[\w\s#*:,.+/-]*", rest), rest
    text = on_small_lake("lead", hostile["lead_id"], "--format", "markdown").stdout
    assert HOSTILE_HTML in text
