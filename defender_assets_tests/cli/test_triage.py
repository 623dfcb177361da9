"""`triage`, as analysts use it: what is accepted, and what is refused in one line."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from defender_assets.catalog import STORIES
from defender_assets.cli import main
from defender_assets.core.lake.lake import Lake
from defender_assets.core.triage.schema import VERDICTS_TABLE
from defender_assets_tests.cli.conftest import AN_ID, ANOTHER, STORY, THIRD, Run
from defender_assets_tests.support.exports import DAY, local_lake
from defender_assets_tests.support.hostile_text import HOSTILE_TITLE, dangerous_in
from defender_assets_tests.support.triaged_leads import lead, put, put_leads
from defender_assets_tests.support.unprivileged import unprivileged_folder


def stated(lake: Lake) -> list[dict[str, Any]]:
    return lake.read(VERDICTS_TABLE).collect().sort("sequence", "lead_id").to_dicts()


def test_several_ids_an_alert_id_and_a_story_are_one_commit(team: Lake, run: Run) -> None:
    result = run(
        "triage",
        f"\xa0{THIRD[:2].upper()}",
        f" DA-{THIRD}\u200b",
        f"{STORY}\n",
        "--state",
        "closed",
        "--verdict",
        "false_positive",
    )

    assert (result.exit_code, result.stderr) == (0, "")
    assert "3 statements by ana, number 1." in result.stdout
    rows = stated(team)
    assert [(row["lead_id"], row["sequence"], row["author"]) for row in rows] == [
        (AN_ID, 1, "ana"),
        (ANOTHER, 1, "ana"),
        (THIRD, 1, "ana"),
    ]
    assert rows[0]["priority"] == 40
    assert rows[0]["title"] == f"Title of {AN_ID}"


def test_a_lead_that_joins_a_story_later_is_not_stated(team: Lake, run: Run) -> None:
    run("triage", STORY, "--state", "in_progress")
    put(team, STORIES.name, DAY, {"story_id": STORY, "lead_ids": [AN_ID, ANOTHER, THIRD], "points": 9})
    assert {row["lead_id"] for row in stated(team)} == {AN_ID, ANOTHER}


def test_json_is_what_was_written(team: Lake, run: Run) -> None:
    shown = json.loads(run("triage", THIRD, "--assign", "bo", "--author", "cy", "--format", "json").stdout)
    assert [(row["lead_id"], row["assignee"], row["author"]) for row in shown] == [(THIRD, "bo", "cy")]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "no lead is named: give an ID"),
        ([AN_ID], "nothing is stated: give a state, an assignee or a comment"),
        ([AN_ID, "--state", "closed"], "closing a lead needs a verdict: one of true_positive"),
        ([AN_ID, "--verdict", "undetermined"], "a verdict belongs to a closed lead"),
        (["aa", "--assign", "bo"], "2 leads or stories begin with 'aa', such as aa01, aa02: give more of the id"),
        ([AN_ID, "\x1b[2Jno", "--assign", "bo"], r"no lead or story begins with '\x1b[2Jno' in "),
        (["", "--assign", "bo"], "an id is empty"),
        ([AN_ID, "--assign", "bo", "--author", " \u200b"], "the author is empty"),
        ([AN_ID, "--comment", "x" * 10_001], "the comment has 10,001 characters"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_stated(team: Lake, run: Run, arguments: list[str], line: str) -> None:
    result = run("triage", *arguments)

    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {line}")
    assert result.stderr.count("\n") == 1
    assert not team.exists(VERDICTS_TABLE)


CSV = "lead_id,verdict,comment\naa01,true_positive,real\nbb03,,\n"
JSON = '[{"id": "aa01", "verdict": "true_positive", "comment": "real"}, {"id": "bb03", "verdict": null}]'


IN_SPANISH = CSV.replace(",", ";").replace("\n", "\r\n")
TYPED = CSV.replace("id,", "ID ,").replace(",", ", ").replace("\n", "\n\n")


@pytest.mark.parametrize("text", [CSV, "\ufeff" + CSV, JSON, IN_SPANISH, CSV.replace(",", "\t"), TYPED])
def test_statements_come_from_a_file_and_the_options_fill_what_it_leaves_out(
    team: Lake, run: Run, tmp_path: Path, text: str
) -> None:
    (tmp_path / "said").write_text(text, encoding="utf-8")

    result = run("triage", "--from", "said", "--state", "closed", "--verdict", "undetermined")

    assert result.exit_code == 0, result.stderr
    assert [(row["lead_id"], row["state"], row["verdict"], row["comment"]) for row in stated(team)] == [
        ("aa01", "closed", "true_positive", "real"),
        ("bb03", "closed", "undetermined", None),
    ]


def test_a_dash_is_standard_input(team: Lake) -> None:
    result = CliRunner().invoke(main, ["triage", "--from", "-", "--assign", "bo"], input="id\naa02\n")
    assert result.exit_code == 0
    assert [row["lead_id"] for row in stated(team)] == ["aa02"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"id,state\naa01,done\n", "said, row 1: the state is 'done'"),
        (b"id,state\naa01,new\naa02,closed\n", "said, row 2: closing a lead needs a verdict"),
        (b"id,severity\naa01,High\n", "said, row 1 has 'severity': expected id, state, verdict, assignee, comment"),
        (b"id\naa01,x\n", "said, row 1 has 'more cells than headings'"),
        (b"state\nnew\n", "said, row 1: an id is empty"),
        (b"[1]", "said has a row that is no object"),
        (b"[{", "said is neither CSV nor JSON"),
        (b"[" * 100_000, "said is neither CSV nor JSON"),
        (b'[{"id": 1, "state": "new"}]', "said, row 1 has a value that is no text"),
        (b"id\n\xff\n", "said is not UTF-8"),
        (b'id,comment\naa01,"never closed\naa02,x\nbb03,y\n', "said, line 4 is no CSV (unexpected end of data)"),
        (b'id,comment\naa01,"a"b"\n', "said, line 2 is no CSV"),
        (b"id,comment\naa01," + b"x" * 200_000, "said, line 2 is no CSV (field larger than field limit"),
        (b"id,state\n", "said has no statement: expected id, state, verdict, assignee, comment"),
        (b"", "said has no statement"),
        (b"[]", "said has no statement"),
        (b"id,state\naa01,new\naa0,new\n", "2 leads or stories begin with 'aa0'"),
        (b"id,state\naa01,new\nda-aa01,in_progress\n", "there are two statements of the lead aa01"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_its_row(
    team: Lake, run: Run, tmp_path: Path, text: bytes, line: str
) -> None:
    (tmp_path / "said").write_bytes(text)
    result = run("triage", "--from", "said")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {line}")
    assert result.stderr.count("\n") == 1
    assert not team.exists(VERDICTS_TABLE)


def test_a_missing_file_is_one_line(run: Run) -> None:
    result = run("triage", "--from", "nothing", "--state", "new")
    assert result.exit_code == 2
    assert result.stderr == "error: nothing cannot be read (No such file or directory): name a CSV or JSON file\n"


def test_a_hostile_comment_acts_nowhere(team: Lake, run: Run) -> None:
    for output_format in ("table", "json"):
        result = run("triage", AN_ID, "--comment", HOSTILE_TITLE, "--format", output_format)
        assert result.exit_code == 0
        assert not dangerous_in(result.stdout)
    # what was written is kept as it is
    assert stated(team)[0]["comment"] == HOSTILE_TITLE


def test_an_alert_whose_title_is_no_text_is_untitled(team: Lake, run: Run) -> None:
    put_leads(team, lead(AN_ID, title=None, has_alert_info=True))

    for arguments in (("leads",), ("lead", AN_ID), ("lead", AN_ID, "--all"), ("triage", AN_ID, "--state", "new")):
        shown = run(*arguments).stdout.lower()
        assert "untitled" in shown
        assert "evidence only" not in shown
        assert "without its alert" not in shown


def test_a_hostile_title_of_a_story_acts_nowhere(team: Lake, run: Run) -> None:
    story = {"story_id": "dd05", "lead_ids": [AN_ID, THIRD], "lead_count": 2, "points": 9, "title": HOSTILE_TITLE}
    put(team, STORIES.name, DAY, story)

    for arguments in (("story", "dd05"), ("stories",), ("lead", THIRD), ("lead", THIRD, "--all")):
        assert not dangerous_in(run(*arguments).stdout)


def test_who_may_not_write_gets_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # modules are loaded before: below, this process may not read where they are
    run("triage", AN_ID, "--state", "in_progress")
    with unprivileged_folder() as folder:
        lake = local_lake(folder / "lake")
        put_leads(lake, lead(AN_ID))
        (folder / "lake").chmod(0o500)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("DEFENDER_LAKE_URI", lake.uri)
        result = run("triage", AN_ID, "--state", "in_progress", "--author", "ana")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "write permission" in result.stderr


def test_without_a_setting_the_author_is_the_user_of_the_machine(
    team: Lake, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEFENDER_AUTHOR")
    monkeypatch.setenv("LOGNAME", "dee")
    run("triage", AN_ID, "--state", "in_progress")
    assert [row["author"] for row in stated(team)] == ["dee"]


def test_an_author_that_looks_like_a_secret_is_refused(team: Lake, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFENDER_AUTHOR", "https://hooks.slack.com/services/T0/B0/x")
    result = run("triage", AN_ID, "--state", "in_progress")
    assert result.exit_code == 2
    assert "DEFENDER_AUTHOR contains a key" in result.stderr
    assert "hooks" not in result.stderr


def test_a_story_whose_leads_are_gone_is_one_line(team: Lake, run: Run) -> None:
    put(team, STORIES.name, DAY, {"story_id": "dd05", "lead_ids": ["gone"], "points": 9})
    result = run("triage", "dd05", "--state", "new")
    assert (result.exit_code, result.stderr) == (2, "error: no lead of the story dd05 is held any more (retention)\n")
    assert not team.exists(VERDICTS_TABLE)
