import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from defender_assets_tests.cli.conftest import Run
from defender_assets_tests.support.days import today
from defender_assets_tests.support.hostile_text import HOSTILE_TITLE, dangerous_in
from defender_assets_tests.support.notified_team import Team
from defender_assets_tests.support.webhook_receiver import PATH, receiving

COMMAND = [str(Path(sys.executable).with_name("defender-assets")), "notify"]


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    """A team in whose lake one lead and one story of today are due."""
    with receiving() as receiver:
        team = Team(tmp_path / "lake", receiver)
        team.lead("a", day=today())
        team.story("s", "a", "b", day=today())
        monkeypatch.setenv("DEFENDER_LAKE_URI", str(team.folder))
        monkeypatch.setenv("DEFENDER_SLACK_WEBHOOK", receiver.url)
        yield team


def test_a_dry_run_shows_what_is_due_and_sends_and_writes_nothing(team: Team, run: Run) -> None:
    for _ in range(2):
        lines = run("notify", "--dry-run").stdout.splitlines()
        assert lines[-1] == "2 messages would be sent."
        assert any("Lead a" in line for line in lines)
        assert any("Story s" in line for line in lines)
    messages = json.loads(run("notify", "--dry-run", "--format", "json").stdout)
    run("notify")

    assert [message["payload"] for message in messages] == team.slack.asked


def test_a_dry_run_names_what_one_digest_holds(team: Team, run: Run) -> None:
    for number in range(9):
        team.lead(f"more-{number}", day=today())

    lines = run("notify", "--dry-run").stdout.splitlines()

    assert lines[0] == "slack: a digest of 11 notifications"
    assert lines[-1] == "1 message would be sent."


def test_a_hostile_title_acts_nowhere(team: Team, run: Run) -> None:
    team.lead("b", day=today(), title=HOSTILE_TITLE)

    shown = run("notify", "--dry-run").stdout

    assert r"\x0aforged line" in shown
    assert not dangerous_in(shown)


def test_each_process_sends_what_is_new_since_the_last_one_ended(team: Team) -> None:
    outputs = []
    for number in range(4):
        done = subprocess.run(COMMAND, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        outputs.append(done.stdout)
        if number == 1:
            team.story("t", "c", "d", day=today())

    assert sorted(team.titles()) == ["New lead: Lead a", "New story: Story s", "New story: Story t"]
    assert [line.partition(" in ")[0] for line in outputs] == [
        f"slack: {count}" for count in ("2 notifications", "0 notifications", "1 notification", "0 notifications")
    ]


def test_a_failed_delivery_is_reported_with_exit_code_1_and_stays_due(team: Team, run: Run) -> None:
    team.slack.answers = [500, 200]

    result = run("notify", "--format", "json")

    assert result.exit_code == 1
    assert PATH not in result.output
    (report,) = json.loads(result.stdout)
    assert (report["destination"], report["messages"]) == ("slack", 0)
    assert report["problem"].startswith("answered 500; next try after ")
    assert "Story s" in run("notify", "--dry-run").stdout


def test_a_dry_run_needs_no_webhook(team: Team, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEFENDER_SLACK_WEBHOOK")

    messages = json.loads(run("notify", "--dry-run", "--format", "json").stdout)

    assert {message["destination"] for message in messages} == {"teams", "slack"}
    assert any("Lead a" in notice for message in messages for notice in message["notices"])
    assert team.slack.asked == []


def test_a_missing_webhook_is_one_line(run: Run) -> None:
    result = run("notify")

    assert result.exit_code == 2
    assert result.stderr.startswith("error: no webhook is set: set DEFENDER_TEAMS_WEBHOOK")
