"""The first shift of `docs/triage.md`, executed command by command on a small lake."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from defender_assets.cli import main
from defender_assets.cli.errors import NOTHING_FOUND
from defender_assets.core.triage.schema import VERDICTS_TABLE
from defender_assets_tests.support.days import day_before
from defender_assets_tests.support.exports import local_lake
from defender_assets_tests.support.small_lake import SmallLake

PAGE = (Path(__file__).parents[1] / "docs" / "triage.md").read_text()
SECTION = PAGE[PAGE.index("## First shift") : PAGE.index("## Say what is known")]
COMMANDS = [
    line.strip() for block in re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL) for line in block.strip().splitlines()
]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, arguments)
    # the leads of the lake are older than this shift
    expected = NOTHING_FOUND if "--since" in arguments else 0
    assert (result.exit_code, result.stderr) == (expected, ""), f"{arguments}: {result.output}"
    return result.stdout


def test_every_command_of_the_first_shift_works(
    small_lake: SmallLake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lake = local_lake(tmp_path / "lake")
    shutil.copytree(small_lake.lake_dir, tmp_path / "lake")
    monkeypatch.setenv("DEFENDER_LAKE_URI", lake.uri)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "200")
    leads = json.loads(run("leads", "--format", "json"))
    lead = next(row for row in leads if row["story_id"] and row["device_name"])
    another = next(row for row in leads if not row["story_id"] and row["title"] and row["device_name"])
    words = {
        "LEAD": lead["lead_id"][:8],
        "STORY": lead["story_id"][:8],
        "DEVICE": lead["device_name"],
        "ANOTHER": another["lead_id"][:8],
        "DAY": day_before(-30).isoformat(),
    }

    outputs = {}
    for line in COMMANDS:
        program, *arguments = (words.get(word, word) for word in shlex.split(line))
        assert program == "defender-assets"
        outputs[line] = run(*arguments)

    assert len(outputs) == len(COMMANDS) > 12
    assert {line.split()[1] for line in COMMANDS} >= {"brief", "leads", "triage", "entity", "mute", "quality"}
    said = lake.read(VERDICTS_TABLE).collect().sort("sequence")
    assert said["sequence"].unique().to_list() == [1, 2, 3]
    assert set(said.filter(sequence=2)["lead_id"]) > {lead["lead_id"]}
    last = {line.removeprefix("defender-assets "): output for line, output in outputs.items()}
    assert words["LEAD"] in last["leads --limit 10"] or len(leads) > 10
    assert words["LEAD"] not in last["leads"]
    assert words["LEAD"] in last["leads --state closed"]
    assert words["ANOTHER"] in last["leads --state closed"]
    assert "reimaged, ticket 4711" in last["lead LEAD"]
    assert "in progress, ana" in last["lead LEAD --raw"] or "in_progress" in last["lead LEAD --raw"]
    assert "100%" in last["quality"]
    assert (tmp_path / "brief.html").read_text().startswith("<!doctype html>")
