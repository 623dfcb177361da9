import json
from pathlib import Path

import pytest

from defender_assets_tests.cli.conftest import Run
from defender_assets_tests.support.hostile_text import HOSTILE_HTML, HOSTILE_TITLE, dangerous_in
from defender_assets_tests.support.small_lake import SmallLake


def test_a_days_events_are_one_ascii_line_each_with_the_hostile_title_unchanged(
    on_small_lake: Run, small_lake: SmallLake
) -> None:
    first, second = (on_small_lake("ocsf", "--day", day.isoformat()).stdout for day in small_lake.days)

    assert first.isascii()
    assert not dangerous_in(first)
    events = [json.loads(line) for line in first.splitlines()]
    assert HOSTILE_TITLE + HOSTILE_HTML in [event["message"] for event in events]
    assert {event["class_uid"] for event in events} == {2004}
    assert on_small_lake("ocsf").stdout == first + second


def test_events_go_to_a_file(on_small_lake: Run, small_lake: SmallLake, tmp_path: Path) -> None:
    out = tmp_path / "events.ndjson"
    day = small_lake.days[0].isoformat()

    output = on_small_lake("ocsf", "--day", day, "--out", str(out)).stdout

    events = on_small_lake("ocsf", "--day", day).stdout
    assert out.read_text() == events
    assert output == f"{events.count(chr(10))} events: {out}\n"


def test_a_lake_without_leads_has_no_events(run: Run, tmp_path: Path) -> None:
    result = run("ocsf")

    assert result.stdout == ""
    assert result.stderr.startswith("No events in ")
    assert run("ocsf", "--out", str(tmp_path / "none")).stdout.startswith("0 events: ")


@pytest.mark.parametrize("command", ["brief", "ocsf"])
def test_a_dash_is_standard_output(on_small_lake: Run, command: str) -> None:
    assert on_small_lake(command, "--out", "-").stdout.splitlines() == on_small_lake(command).stdout.splitlines()


@pytest.mark.parametrize("command", ["brief", "ocsf"])
def test_a_file_that_cannot_be_written_is_one_line(on_small_lake: Run, tmp_path: Path, command: str) -> None:
    result = on_small_lake(command, "--out", str(tmp_path / "nowhere" / "file"))

    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert "cannot be written (No such file or directory): name another place" in line


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("command", ["brief", "ocsf"])
def test_a_file_on_a_full_disk_is_named(on_small_lake: Run, command: str) -> None:
    result = on_small_lake(command, "--out", "/dev/full")

    assert result.exit_code == 2
    assert "error: /dev/full cannot be written (No space left on device)" in result.stderr
