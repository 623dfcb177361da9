"""`--since` of `leads` and `stories`: what a user has seen, and what a limit, a filter or a closed pipe hid."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from defender_assets.catalog import STORIES
from defender_assets.cli import main
from defender_assets.cli.errors import NOTHING_FOUND
from defender_assets.cli.output import TABLE_ROWS
from defender_assets.core.lake.lake import Lake
from defender_assets_tests.cli.conftest import AN_ID, ANOTHER, STORY, THIRD, Run, shown
from defender_assets_tests.support.days import today
from defender_assets_tests.support.triaged_leads import lead, put, put_leads


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
    with os.fdopen(writing, "w") as pipe, monkeypatch.context() as patch:
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
