import json
from pathlib import Path

from defender_assets_tests.cli.conftest import Run
from defender_assets_tests.held import Held
from defender_assets_tests.hostile import HOSTILE_HTML, HOSTILE_TITLE, dangerous_in


def test_a_days_events_are_one_ascii_line_each_with_the_hostile_title_as_it_is(on_held: Run, held: Held) -> None:
    first, second = (on_held("ocsf", "--day", day.isoformat()).stdout for day in held.days)

    assert first.isascii()
    assert not dangerous_in(first)
    events = [json.loads(line) for line in first.splitlines()]
    assert HOSTILE_TITLE + HOSTILE_HTML in [event["message"] for event in events]
    assert {event["class_uid"] for event in events} == {2004}
    assert on_held("ocsf").stdout == first + second


def test_events_go_to_a_file(on_held: Run, held: Held, tmp_path: Path) -> None:
    out = tmp_path / "events.ndjson"
    day = held.days[0].isoformat()

    assert on_held("ocsf", "--day", day, "--out", str(out)).stdout == ""
    assert out.read_text() == on_held("ocsf", "--day", day).stdout


def test_a_lake_without_leads_has_no_events(run: Run) -> None:
    assert run("ocsf").stdout == ""
