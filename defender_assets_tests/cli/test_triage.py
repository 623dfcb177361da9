"""`triage`, as analysts use it: what is accepted, what is refused in one line, and that nobody's text acts."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from defender_assets.catalog import STORIES
from defender_assets.cli import main
from defender_assets.cli.errors import NOTHING_FOUND
from defender_assets.cli.output import TABLE_ROWS
from defender_assets.core.lake.lake import Lake
from defender_assets.core.triage import QUALITY_TABLE, VERDICTS_TABLE
from defender_assets_tests.cli.conftest import Run
from defender_assets_tests.support.days import today
from defender_assets_tests.support.exports import DAY, TENANT, local_lake
from defender_assets_tests.support.hostile_text import HOSTILE_TITLE, dangerous_in
from defender_assets_tests.support.triaged_leads import lead, put, put_leads
from defender_assets_tests.support.unprivileged import unprivileged_folder

AN_ID, ANOTHER, THIRD = "aa01", "aa02", "bb03"
STORY = "cc04"


@pytest.fixture
def team(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake with three leads, two of them in a story, that the commands read."""
    put_leads(lake, *(lead(each) for each in (AN_ID, ANOTHER, THIRD)))
    put(lake, STORIES.name, DAY, {"story_id": STORY, "lead_ids": [AN_ID, ANOTHER], "lead_count": 2, "points": 9})
    monkeypatch.setenv("DEFENDER_LAKE_URI", lake.uri)
    monkeypatch.setenv("DEFENDER_AUTHOR", "ana")
    monkeypatch.setenv("COLUMNS", "200")
    return lake


def stated(lake: Lake) -> list[dict[str, Any]]:
    return lake.read(VERDICTS_TABLE).collect().sort("sequence", "lead_id").to_dicts()


def test_several_ids_an_alert_id_and_a_story_are_one_commit(team: Lake, run: Run) -> None:
    result = run("triage", THIRD[:2], f"da-{THIRD}", STORY, "--state", "closed", "--verdict", "false_positive")

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
        ([AN_ID, "--assign", "bo", "--author", " "], "the author is empty"),
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


@pytest.mark.parametrize("text", [CSV, "\ufeff" + CSV, JSON])
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
        (b'[{"id": 1, "state": "new"}]', "said, row 1 has a value that is no text"),
        (b"id\n\xff\n", "said is not UTF-8"),
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


def shown(run: Run, *arguments: str) -> list[str]:
    rows = json.loads(run(*arguments, "--format", "json").stdout)
    return sorted(row.get("lead_id") or row["story_id"] for row in rows)


def test_closed_leads_are_left_out_unless_they_are_asked_for(team: Lake, run: Run) -> None:
    run("triage", AN_ID, "--state", "closed", "--verdict", "true_positive")
    run("triage", ANOTHER, "--state", "in_progress", "--assign", "bo")

    assert shown(run, "leads") == [ANOTHER, THIRD]
    found = {state: shown(run, "leads", "--state", state) for state in ("all", "new", "in_progress", "closed")}
    assert found == {
        "all": [AN_ID, ANOTHER, THIRD],
        "new": [THIRD],
        "in_progress": [ANOTHER],
        "closed": [AN_ID],
    }
    assert shown(run, "leads", "--day", DAY.isoformat()) == [ANOTHER, THIRD]
    table = run("leads", "--state", "all").stdout
    assert "closed as true positive" in table
    assert "in progress, bo" in table


def test_a_story_is_left_out_when_its_leads_are_all_closed(team: Lake, run: Run) -> None:
    run("triage", AN_ID, "--state", "closed", "--verdict", "true_positive")
    assert shown(run, "stories") == [STORY]
    assert "new (1 of 2 closed)" in run("stories").stdout
    assert run("story", STORY).stdout.count("closed as true positive") == 1
    run("triage", STORY, "--state", "closed", "--verdict", "true_positive")
    assert shown(run, "stories") == []
    assert shown(run, "stories", "--state", "closed") == [STORY]
    assert json.loads(run("story", STORY, "--format", "json").stdout)["story"]["state"] == "closed"


def test_a_closed_lead_that_changed_is_shown_again_with_what_changed(team: Lake, run: Run) -> None:
    run("triage", AN_ID, "--state", "closed", "--verdict", "false_positive")
    rows = [lead(AN_ID, "v2", severity="High"), lead(ANOTHER), lead(THIRD)]
    put_leads(team, *rows)

    assert shown(run, "leads") == [AN_ID, ANOTHER, THIRD]
    words = "open again, closed as false positive before. Severity changed from Medium to High"
    assert words in run("lead", AN_ID).stdout
    (row,) = [row for row in json.loads(run("leads", "--format", "json").stdout) if row["lead_id"] == AN_ID]
    assert (row["state"], row["reopened"], row["analyst_verdict"]) == ("new", True, "false_positive")
    # closed again: the version that was seen now counts
    run("triage", AN_ID, "--state", "closed", "--verdict", "true_positive")
    assert shown(run, "leads") == [ANOTHER, THIRD]


def test_a_lead_shows_every_statement_and_no_text_of_them_acts(team: Lake, run: Run) -> None:
    said = run("triage", AN_ID, "--comment", HOSTILE_TITLE, "--assign", HOSTILE_TITLE, "--author", HOSTILE_TITLE)
    run("triage", AN_ID, "--state", "closed", "--verdict", "undetermined", "--comment", "nothing found")

    summary, output = run("lead", AN_ID).stdout, run("lead", AN_ID, "--all").stdout
    found = json.loads(run("lead", AN_ID, "--format", "json").stdout)

    assert not dangerous_in(said.stdout + summary + output + run("leads", "--state", "all").stdout)
    assert "nothing found" in summary
    assert "nothing found" in output
    assert r"\x1b[31m" in output
    assert [row["sequence"] for row in found["statements"]] == [1, 2]
    assert found["lead"]["state"] == "closed"
    cells = run("leads", "--state", "all", "--format", "csv").stdout
    assert "\"'=cmd" in cells


def test_leads_and_stories_of_a_tenant_and_an_assignee(team: Lake, run: Run) -> None:
    run("triage", AN_ID, "--assign", "Bo Berg")
    assert shown(run, "leads", "--assignee", "berg") == [AN_ID]
    assert shown(run, "stories", "--assignee", "BO") == [STORY]
    assert shown(run, "stories", "--assignee", "cy") == []
    assert shown(run, "leads", "--tenant", TENANT[:5].upper()) == [AN_ID, ANOTHER, THIRD]
    assert shown(run, "leads", "--tenant", "no") == shown(run, "stories", "--tenant", "no") == []


@pytest.fixture
def written(lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lake:
    """A lake of today whose leads Microsoft wrote one, 30 and 100 hours ago; the first two are a story."""
    monkeypatch.setenv("DEFENDER_LAKE_URI", lake.uri)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "state"))
    put_leads(lake, *(ago(*each) for each in ((AN_ID, 1), (ANOTHER, 30), (THIRD, 100))), day=today())
    put(lake, STORIES.name, today(), {"story_id": STORY, "lead_ids": [AN_ID, ANOTHER], "points": 9})
    return lake


def ago(lead_id: str, hours: float) -> dict[str, Any]:
    return lead(lead_id, last_updated_at=datetime.now(UTC) - timedelta(hours=hours))


def test_since_a_time_shows_what_was_new_or_changed(written: Lake, run: Run) -> None:
    assert shown(run, "leads", "--since", "24h") == [AN_ID]
    assert shown(run, "leads", "--since", "3d") == [AN_ID, ANOTHER]
    assert shown(run, "stories", "--since", "2h") == [STORY]
    assert shown(run, "stories", "--since", "0h") == []
    assert AN_ID in shown(run, "leads", "--since", "yesterday")
    assert shown(run, "leads", "--day", "today") == [AN_ID, ANOTHER, THIRD]
    assert shown(run, "leads", "--day", "yesterday") == []
    result = run("leads", "--since", "soon")
    assert result.exit_code == 2
    assert "expected 24h, 7d, yesterday or last" in result.stderr


def test_since_last_shows_each_change_once_also_what_arrives_late(written: Lake, run: Run) -> None:
    def last(*more: str) -> list[str]:
        return shown(run, "leads", "--since", "last", *more)

    assert last("--severity", "high") == []
    # what another filter hid was not seen
    assert last() == [AN_ID]
    assert last() == []
    # another lake and the stories have their own looks
    assert shown(run, "stories", "--since", "last") == [STORY]
    # one that was written before the first look's leads arrives now, and one changes
    put_leads(written, ago(AN_ID, 0.1), ago(ANOTHER, 20), ago(THIRD, 100), day=today())
    assert last() == [AN_ID, ANOTHER]
    assert last() == []
    assert shown(run, "stories", "--since", "last") == [STORY]


@pytest.mark.parametrize("form", [("--format", "json"), ("--format", "csv"), ()], ids=["json", "csv", "table"])
def test_what_a_limit_cut_is_shown_by_the_next_look(written: Lake, run: Run, form: tuple[str, ...]) -> None:
    put_leads(written, *(ago(*each) for each in ((AN_ID, 1), (ANOTHER, 2), (THIRD, 3))), day=today())

    looks = [run("leads", "--since", "last", "--limit", "2", *form).stdout for _ in range(3)]

    assert [[each for each in (AN_ID, ANOTHER, THIRD) if f"Title of {each}" in look] for look in looks] == [
        [AN_ID, ANOTHER],
        [THIRD],
        [],
    ]


def test_the_default_length_of_a_table_is_a_limit_as_well(written: Lake, run: Run) -> None:
    put_leads(written, *(ago(f"{number:04}", 1) for number in range(TABLE_ROWS + 1)), day=today())

    assert "25 of 26 leads" in run("leads", "--since", "last").stdout
    assert len(shown(run, "leads", "--since", "last")) == 1


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("leads", ("--severity", "high")),
        ("leads", ("--tenant", "no")),
        ("leads", ("--state", "closed")),
        ("leads", ("--user", "nobody")),
        ("stories", ("--assignee", "bo")),
    ],
)
def test_what_a_filter_hid_is_shown_by_the_next_look(
    written: Lake, run: Run, command: str, options: tuple[str, ...]
) -> None:
    assert run(command, "--since", "last", *options).exit_code == NOTHING_FOUND
    assert shown(run, command, "--since", "last", *options) == []
    assert shown(run, command, "--since", "last") == ([AN_ID] if command == "leads" else [STORY])


@pytest.mark.parametrize("form", [("--format", "json"), ("--format", "csv"), ()], ids=["json", "csv", "table"])
def test_what_did_not_reach_its_reader_was_not_seen(
    written: Lake, run: Run, form: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as pipe, monkeypatch.context() as patch:  # noqa: PTH123
        patch.setattr("sys.stdout", pipe)
        with pytest.raises(SystemExit):
            main.main(["leads", "--since", "last", *form], standalone_mode=False)
        # what it still holds has no reader either
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)

    assert shown(run, "leads", "--since", "last") == [AN_ID]


def test_two_people_have_looks_of_their_own(
    written: Lake, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for person in ("ana", "bo"):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / person))
        monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / person))
        assert shown(run, "leads", "--since", "last") == [AN_ID]
        assert shown(run, "leads", "--since", "last") == []


def test_looks_that_cannot_be_read_or_kept_are_a_first_look(
    written: Lake, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    looks = tmp_path / "state" / "defender-assets" / "looks.json"
    looks.parent.mkdir(parents=True)
    for content in ("{", "[1]", '{"leads": 1}', '{"leads": {"from": "2026-01-01", "seen": []}}'):
        looks.write_text(content)
        assert shown(run, "leads", "--since", "last") == [AN_ID]
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "file"))
    result = run("leads", "--since", "last")
    assert result.exit_code == 0
    assert "cannot be kept" in result.stderr


def test_quality_counts_verdicts_and_a_lead_says_how_often_its_detection_was_right(team: Lake, run: Run) -> None:
    put_leads(team, *(lead(each, title=HOSTILE_TITLE) for each in (AN_ID, ANOTHER, THIRD)))
    run("triage", AN_ID, "--state", "closed", "--verdict", "true_positive")
    run("triage", ANOTHER, "--state", "closed", "--verdict", "false_positive")

    table = run("quality")
    (row,) = json.loads(run("quality", "--format", "json").stdout)

    assert (table.exit_code, table.stderr) == (0, "")
    assert "50%" in table.stdout
    assert "9% to 91%" in table.stdout
    assert f"counted from {DAY}" in table.stdout
    assert not dangerous_in(table.stdout)
    assert (row["leads"], row["true_positive"], row["false_positive"], row["band"]) == (3, 1, 1, "all")
    assert [row["band"] for row in json.loads(run("quality", "--bands", "--format", "json").stdout)] == ["all", "25-49"]
    assert json.loads(run("quality", "--tenant", "no", "--format", "json").stdout) == []
    assert team.read(QUALITY_TABLE).collect().height == 2
    assert "1 of 2 were true, 9 to 91 %" in run("lead", THIRD).stdout


def test_quality_of_nothing_writes_nothing(run: Run, tmp_path: Path) -> None:
    assert "No detections" in run("quality").stdout
    assert list(tmp_path.iterdir()) == []


def test_where_everything_is_closed_the_commands_say_how_to_see_it(team: Lake, run: Run) -> None:
    run("triage", STORY, THIRD, "--state", "closed", "--verdict", "undetermined")
    for command in ("leads", "stories"):
        assert "losed ones" in (shown := run(command).stdout)
        assert "left out" in shown
        assert "(--state all)" in shown


def test_a_story_whose_leads_are_gone_is_one_line(team: Lake, run: Run) -> None:
    put(team, STORIES.name, DAY, {"story_id": "dd05", "lead_ids": ["gone"], "points": 9})
    result = run("triage", "dd05", "--state", "new")
    assert (result.exit_code, result.stderr) == (2, "error: no lead of the story dd05 is held any more (retention)\n")
    assert not team.exists(VERDICTS_TABLE)
