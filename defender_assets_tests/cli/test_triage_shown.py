"""What statements change in what the commands show: states, what is left out, and how often a detection was right."""

import json
from pathlib import Path

from defender_assets.core.lake.lake import Lake
from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.core.triage.precision import QUALITY_TABLE
from defender_assets_tests.cli.conftest import AN_ID, ANOTHER, STORY, THIRD, Run, shown
from defender_assets_tests.support.exports import DAY, TENANT
from defender_assets_tests.support.hostile_text import HOSTILE_TITLE, dangerous_in
from defender_assets_tests.support.small_lake import SmallLake
from defender_assets_tests.support.triaged_leads import lead, put_leads


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


def test_quality_of_several_tenants_names_the_tenant_of_each_row(on_small_lake: Run, small_lake: SmallLake) -> None:
    tenants = small_lake.lake.read(LEADS_TABLE).select("tenant_id").unique().collect()["tenant_id"]
    shown = on_small_lake("quality").stdout

    assert all(tenant[:8] in shown for tenant in tenants)
    assert tenants[0][:8] not in on_small_lake("quality", "--tenant", tenants[0]).stdout


def test_quality_of_nothing_writes_nothing(run: Run, tmp_path: Path) -> None:
    assert "No detections" in run("quality").stdout
    assert list(tmp_path.iterdir()) == []


def test_where_everything_is_closed_the_commands_say_how_to_see_it(team: Lake, run: Run) -> None:
    run("triage", STORY, THIRD, "--state", "closed", "--verdict", "undetermined")
    for command in ("leads", "stories"):
        assert "losed ones" in (shown := run(command).stdout)
        assert "left out" in shown
        assert "(--state all)" in shown
