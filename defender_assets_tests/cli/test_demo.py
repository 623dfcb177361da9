import json
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from defender_assets.cli.demo import place as demo_place
from defender_assets.cli.demo.command import campaigns_found
from defender_assets.cli.demo.place import Place
from defender_assets_tests.cli.conftest import Run

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
TOTAL = re.compile(r"^([\d,]+) new bytes were read this time", re.MULTILINE)


def demo(folder: Path, home: Path) -> str:
    """What the demo prints in a directory, in a process of its own."""
    done = subprocess.run(
        [Path(sys.executable).parent / "defender-assets", "demo"],
        cwd=folder,
        env={"DAGSTER_HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def new_bytes(told: str) -> int:
    found = TOTAL.search(told)
    assert found is not None
    return int(found[1].replace(",", ""))


@pytest.mark.live
def test_the_demo_shows_leads_and_stories_and_reads_no_byte_twice(tmp_path: Path) -> None:
    home = tmp_path / ".defender" / "dagster"
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_bytes((ROOT / "dagster.yaml").read_bytes())

    first = demo(tmp_path, home)
    written = {path: path.read_bytes() for path in (tmp_path / ".defender" / "export").rglob("*.json")}
    second = demo(tmp_path, home)

    assert new_bytes(first) > 1_000_000
    assert new_bytes(second) == 0
    staged, found = re.findall(r"staged (\d+) attacks across products; (\d+) were found whole", second)[0]
    assert int(staged) == int(found) > 0
    assert "make ui" in second
    assert {path: path.read_bytes() for path in written} == written
    assert (home / "storage").is_dir() or (home / "history").is_dir()


def test_the_demo_keeps_away_from_a_real_account_and_its_lake(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_place, "DAYS", 1)
    (tmp_path / ".env").write_text("AZURE_STORAGE_ACCOUNT_URL=https://acme.blob.core.windows.net\n")
    home = tmp_path / "home"
    home.mkdir()

    monkeypatch.setenv("DAGSTER_HOME", str(home))

    told = run("demo").stdout

    assert "left alone" in told
    assert new_bytes(told) > 0
    assert sorted(path.name for path in (tmp_path / ".defender").iterdir()) == ["demo"]
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "apart"),
    [
        ("DEFENDER_LAKE_URI", "elsewhere", True),
        ("DEFENDER_EXPORT_DIR", "elsewhere", True),
        ("DEFENDER_START_DATE", "soon", True),
        ("DEFENDER_EXPORT_DIR", ".defender/export", False),
        ("DEFENDER_LOOKBACK_DAYS", "5", False),
    ],
)
def test_the_demo_lies_where_dagster_looks_unless_settings_name_another_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, apart: bool
) -> None:
    monkeypatch.setenv(name, value)

    place = Place.of(tmp_path)

    assert bool(place.apart) == apart
    assert place.settings.export_account is None
    assert place.settings.export_dir == tmp_path / ".defender" / ("demo/export" if apart else "export")


def test_a_campaign_is_found_when_one_story_of_its_tenant_holds_all_its_alerts() -> None:
    leads = pl.DataFrame({"tenant_id": ["t", "t", "t"], "alert_id": ["1", "2", "3"], "lead_id": ["a", "b", "c"]})
    stories = pl.DataFrame({"tenant_id": ["t", "u"], "lead_ids": [["a", "b"], ["a", "b", "c"]]})
    campaigns = [
        {"tenant_id": "t", "alert_ids": ["1", "2"]},
        {"tenant_id": "t", "alert_ids": ["1", "2", "3"]},
        {"tenant_id": "t", "alert_ids": ["8", "9"]},
        {"tenant_id": "t", "alert_ids": ["1"]},
    ]

    assert campaigns_found(campaigns, leads, stories) == [True, False, False]


def test_the_scenario_is_kept_for_the_next_run(tmp_path: Path) -> None:
    place = Place.of(tmp_path)

    scenario, truth = place.simulated()

    assert place.simulated() == (scenario, truth)
    kept = json.loads((tmp_path / ".defender" / "demo.json").read_bytes())
    assert kept["until"] is not None


def test_dagster_begins_with_the_demo_unless_a_setting_says_otherwise(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("demo", "--first-day").stdout == "\n"
    scenario, _ = Place.of(tmp_path).simulated()
    assert run("demo", "--first-day").stdout == f"{scenario.start}\n"

    for name, value in (
        ("DEFENDER_START_DATE", "2026-10-01"),
        ("DEFENDER_START_DATE", "2026-01-01"),
        ("DEFENDER_LAKE_URI", "elsewhere"),
    ):
        with monkeypatch.context() as settings:
            settings.setenv(name, value)
            assert run("demo", "--first-day").stdout == "\n"
    (tmp_path / ".defender" / "demo.json").write_text("{")
    assert run("demo", "--first-day").stdout == "\n"
    assert "is of another version" in run("demo").stderr


def test_an_interrupted_simulation_is_finished(tmp_path: Path) -> None:
    place = Place.of(tmp_path)
    scenario, truth = place.simulated()
    (place.settings.export_dir / "ground_truth.json").unlink()
    gone = next(place.settings.export_dir.rglob("h=*/m=00/PT1H.json"))
    content = gone.read_bytes()
    gone.write_bytes(content[:100])

    assert place.simulated() == (scenario, truth)
    assert gone.read_bytes() == content
