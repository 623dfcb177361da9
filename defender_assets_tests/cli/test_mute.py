"""`mute ID`: the rule, what it says it would have hidden, and the team's file with its comments."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from defender_assets.core.lake.lake import Lake
from defender_assets.core.leads.risk.muting import load_mutes
from defender_assets_tests.cli.conftest import Run
from defender_assets_tests.support.days import day_before, today
from defender_assets_tests.support.exports import TENANT
from defender_assets_tests.support.hostile_text import HOSTILE_TITLE, dangerous_in
from defender_assets_tests.support.triaged_leads import close, lead, put_leads

UNTIL = (today() + timedelta(days=30)).isoformat()
FILE = '# ours\n[[mute]]\nname = "a" # first\nreason = "known"\ntitle = "x"\n'
COMMAND = ("mute", "aa01", "--until", UNTIL, "--reason", "backup job")


@pytest.fixture
def team(lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The team's file; a lake with two leads on a device, one on another, one without devices and an old one."""
    monkeypatch.setenv("DEFENDER_LAKE_URI", lake.uri)
    monkeypatch.setenv("DEFENDER_MUTED", "muted.toml")
    monkeypatch.setenv("COLUMNS", "300")
    ids = {"aa01": "pc1", "aa02": "pc1", "aa03": "pc2"}
    rows = [lead(name, title="Backup", device_id=device) for name, device in ids.items()]
    nobody = lead("bb04", title="Backup", accounts=[{"name": "svc", "upn": "svc@contoso.com"}])
    put_leads(lake, *rows, nobody, lead("bb05", title=HOSTILE_TITLE, device_name=HOSTILE_TITLE), day=day_before(2))
    put_leads(lake, lead("old", title="Backup", device_id="pc1"), day=day_before(100))
    close(lake, rows[1], "true_positive")
    (tmp_path / "muted.toml").write_text(FILE)
    return tmp_path / "muted.toml"


def test_the_rule_is_appended_after_saying_what_it_hides_and_comments_stay(team: Path, run: Run) -> None:
    result = run(*COMMAND, "--owner", "ana")

    assert (result.exit_code, result.stderr) == (0, "")
    assert "would have hidden 2 leads, 1 of them true positives." in result.stdout
    assert f"run the job rebuild_day for {day_before(2)}." in result.stdout
    assert team.read_text().startswith(FILE)
    _, added = load_mutes(team)
    assert added.conditions == (("tenant", (TENANT,)), ("title", ("Backup",)), ("device", ("pc1",)))
    assert (added.name, added.reason, str(added.until)) == ("Lead aa01", "backup job", UNTIL)
    assert 'owner = "ana"' in team.read_text()
    assert list(team.parent.glob("muted.toml*")) == [team]


def test_the_whole_detection_hides_more_and_says_how_many(team: Path, run: Run) -> None:
    result = run(*COMMAND, "--detection", "--dry-run")

    assert "would have hidden 4 leads" in result.stdout
    assert "That is 2 leads more" in result.stdout
    assert 'title = "Backup"' in result.stdout
    assert team.read_text() == FILE


def test_without_a_device_the_account_counts(team: Path, run: Run) -> None:
    run("mute", "bb04", *COMMAND[2:])
    assert load_mutes(team)[1].conditions[2] == ("account", ("svc@contoso.com",))


def test_hostile_text_becomes_one_rule_that_mutes_its_lead(team: Path, run: Run) -> None:
    result = run("mute", "bb05", *COMMAND[2:])
    assert "would have hidden 1 lead." in result.stdout
    assert not dangerous_in(result.stdout)
    assert len(load_mutes(team)) == 2


def test_a_file_that_is_missing_from_the_settings_or_broken_prints_the_rule(
    team: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEFENDER_MUTED")
    result = run(*COMMAND)
    assert result.exit_code == 0
    assert "DEFENDER_MUTED names no file. Put this rule into the file" in result.stderr
    assert '[[mute]]\nname = "Lead aa01"' in result.stdout
    assert team.read_text() == FILE


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("mute", "aa", *COMMAND[2:]), "3 leads begin with 'aa'"),
        (("mute", "aa01", "--until", "2020-01-01", "--reason", "x"), "2020-01-01 is past"),
        ((*COMMAND[:4], "--reason", " \u200b"), "the reason is empty"),
    ],
)
def test_what_is_wrong_is_one_line(team: Path, run: Run, arguments: tuple[str, ...], line: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {line}")
    assert team.read_text() == FILE


def test_each_rule_says_what_it_hides_with_its_owner_and_its_end(team: Path, run: Run) -> None:
    past = '[[mute]]\nname = "old"\nreason = "r"\ntitle = "Backup"\nuntil = 2020-01-01\n'
    team.write_text(
        f'{FILE}[[mute]]\nname = "b"\nreason = "r"\nowner = {json.dumps(HOSTILE_TITLE)}\ntitle = "Back*"\n{past}'
    )

    rules = json.loads(run("muted", "--format", "json").stdout)
    shown = run("muted").stdout

    found = [(rule["name"], rule["leads"], rule["true_positives"], rule["until"], rule["ended"]) for rule in rules]
    assert found == [("b", 4, 1, None, False), ("a", 0, 0, None, False), ("old", 0, 0, "2020-01-01", True)]
    assert "2020-01-01 (past)" in shown
    assert not dangerous_in(shown)


def test_without_a_file_there_are_no_rules_to_show(lake: Lake, run: Run) -> None:
    result = run("muted")
    assert (result.exit_code, result.stderr[:43]) == (2, "error: DEFENDER_MUTED names no file: `defen")
