"""`what-if` as a team calls it: exit codes, the JSON form, and an expected result that is kept."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.outputs.what_if.report import AS_EXPECTED
from defender_assets_tests.cli.conftest import Run
from defender_assets_tests.support.hostile_text import dangerous_in
from defender_assets_tests.support.small_lake import SmallLake


@pytest.fixture
def what_if(on_small_lake: Run, small_lake: SmallLake) -> Run:
    span = ("--from", str(small_lake.days[0]), "--to", str(small_lake.days[0]))
    return lambda *arguments: on_small_lake("what-if", *span, *arguments)


@pytest.fixture
def weights(tmp_path: Path) -> str:
    file = tmp_path / "weights.toml"
    file.write_text("[severity]\nhigh = 95\n")
    return str(file)


def test_the_same_rules_exit_with_0(what_if: Run, small_lake: SmallLake) -> None:
    result = what_if()

    day = small_lake.days[0]
    assert (result.exit_code, result.stdout) == (0, f"No difference in 1 day with leads from {day} to {day}.\n")


def test_only_the_days_with_leads_are_counted(on_small_lake: Run, small_lake: SmallLake) -> None:
    last = small_lake.days[-1]
    result = on_small_lake("what-if", "--from", "2026-01-01", "--to", str(last))

    assert result.stdout.endswith(f"No difference in 2 days with leads from 2026-01-01 to {last}.\n")


def test_a_lake_without_an_alert_of_these_days_is_no_lake_without_a_difference(
    on_small_lake: Run, small_lake: SmallLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = on_small_lake("what-if", "--from", "2026-01-01", "--to", "2026-01-02")
    monkeypatch.setenv("DEFENDER_LAKE_URI", str(tmp_path / "mistyped"))
    elsewhere = on_small_lake("what-if")

    for result in (before, elsewhere):
        assert (result.exit_code, result.stdout) == (1, "")
        assert "so nothing was compared: correct DEFENDER_LAKE_URI, --from or --to" in result.stderr


def test_days_without_stored_leads_are_not_compared_with_the_lake(
    what_if: Run, small_lake: SmallLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(small_lake.lake_dir, lake)
    shutil.rmtree(lake / LEADS_TABLE)
    monkeypatch.setenv("DEFENDER_LAKE_URI", str(lake))

    for options, why in ((), "they are behind, or judged by other rules"), (("--stored",), "they are behind)"):
        result = what_if(*options)

        assert result.exit_code == 0
        assert f"Of 1 of 1 day with leads, the lake has no leads to compare with ({why}" in result.stdout


def test_other_rules_exit_with_3_and_escape_what_attackers_wrote(what_if: Run, weights: str) -> None:
    result = what_if("--weights", weights)

    assert result.exit_code == 3
    assert "Leads that differ:" in result.stdout
    assert "No lead of these days has the verdict true_positive" in result.stdout
    assert not dangerous_in(result.stdout)


def test_an_expected_result_is_compared(what_if: Run, weights: str, tmp_path: Path) -> None:
    kept = tmp_path / "expected.json"
    result = what_if("--weights", weights, "--format", "json")
    kept.write_text(result.stdout)
    found: dict[str, Any] = json.loads(result.stdout)

    assert result.exit_code == 3
    assert {*AS_EXPECTED} <= {*found}
    assert what_if("--weights", weights, "--expect", str(kept)).exit_code == 0
    unexpected = what_if("--expect", str(kept))
    assert unexpected.exit_code == 3
    assert f"leads differ from what is expected: 0 only now, {len(found['leads'])} only expected" in unexpected.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--from", "2026-12-01"), "--from 2026-12-01 is after --to 2026-11-01"),
        (("--weights", "wrong"), "wrong has 'severity' outside of a section"),
        (("--expect", "wrong"), "cannot be used"),
        (("--expect", "deep"), "cannot be used"),
    ],
)
def test_an_error_exits_with_1(what_if: Run, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    (tmp_path / "wrong").write_text("severity = 1\n")
    (tmp_path / "deep").write_text("[" * 100_000)

    result = what_if(*arguments)

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert words in result.stderr
