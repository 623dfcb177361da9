"""`check`: what it says of the settings and of the files that they name."""

import re
from pathlib import Path

import pytest

from defender_assets.cli.check.diagnosis import diagnose_settings
from defender_assets.cli.check.export_facts import ExportFacts
from defender_assets.cli.check.lake_facts import LakeFacts
from defender_assets.cli.check.report import Report
from defender_assets.settings import (
    CONNECTION_STRING,
    LAKE_CONNECTION_STRING,
    SLACK_WEBHOOK,
    VARIABLES,
    load_settings,
)
from defender_assets_tests.cli.conftest import Run, checked
from defender_assets_tests.support.days import today

ROOT = Path(__file__).parents[2]
KEY = "c2VjcmV0LWtleS1vZi1ubyBhY2NvdW50LWF0LWFsbA=="
HOOK = "https://hooks.slack.com/services/T0SECRET/B0SECRET/aVerySecretToken42"


def test_an_empty_installation_is_well_and_says_what_to_do(run: Run, tmp_path: Path) -> None:
    result = run("check")

    assert result.exit_code == 0
    for text in (
        "none of the export's containers",
        "nothing to read yet.",
        "Streaming API",
        "defender-assets demo",
        "does not exist",
        "default",
    ):
        assert text in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_defaults_are_worded_as_in_the_table_of_settings(run: Run) -> None:
    rows = re.findall(r"^\| `(DEFENDER_\w+)` \|.*\| ([^|]+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    documented = {name: default.strip("`") for name, default in rows}

    for setting in checked(run, 0)["settings"]:
        assert setting["value"].endswith(documented[setting["name"]]), setting


def test_where_each_setting_came_from(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("DEFENDER_LOOKBACK_DAYS=5\n")
    monkeypatch.setenv("DEFENDER_LOOKBACK_DAYS", "7")
    monkeypatch.setenv("DEFENDER_START_DATE", "2026-10-01")

    settings = {each["name"]: (each["value"], each["origin"]) for each in checked(run, 0)["settings"]}

    assert settings["DEFENDER_LOOKBACK_DAYS"] == ("5", str(tmp_path / ".env"))
    assert settings["DEFENDER_START_DATE"] == ("2026-10-01", "environment")
    assert settings["DEFENDER_LAKE_URI"] == (str(tmp_path / ".defender" / "lake"), "default")


@pytest.mark.parametrize("variable", [*VARIABLES, "DEFENDER_LAKE_URI\tDEFENDER_EXPORT_DIR"])
@pytest.mark.parametrize(
    "secret", [f"AccountName=acme;AccountKey={KEY}", f"https://acme.example/?sp=rl&sig={KEY}", HOOK]
)
@pytest.mark.parametrize("output_format", ["text", "json"])
def test_a_secret_in_the_wrong_variable_is_never_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch, variable: str, secret: str, output_format: str
) -> None:
    for name in variable.split("\t"):
        monkeypatch.setenv(name, secret)
    if variable in {LAKE_CONNECTION_STRING, CONNECTION_STRING}:
        monkeypatch.setenv("DEFENDER_LAKE_URI", "az://no_container")

    result = run("check", "--format", output_format)

    assert KEY not in result.output
    assert "T0SECRET" not in result.output
    if variable != SLACK_WEBHOOK or secret != HOOK:
        assert result.exit_code == 2


def test_a_start_date_in_the_future_needs_attention(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFENDER_START_DATE", "2999-01-01")

    assert "DEFENDER_START_DATE=2999-01-01 is in the future" in checked(run, 1)["attention"][0]


def test_a_wrong_setting_is_reported_as_json_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFENDER_START_DATE", "soon")

    found = checked(run, 2)

    assert found["status"] == "wrong"
    assert "DEFENDER_START_DATE" in found["errors"][0]


def test_mute_rules_are_counted_and_expired_ones_named(run: Run, tmp_path: Path) -> None:
    rule = '[[mute]]\nname = "{}"\nreason = "r"\nuntil = {}\ntitle = "t"\n'
    (tmp_path / "muted.toml").write_text(rule.format("old", "2020-01-01") + rule.format("new", "2999-01-01"))
    (tmp_path / "risk.toml").write_text("[severity]\nhigh = 50\n")
    (tmp_path / ".env").write_text("DEFENDER_MUTED=muted.toml\nDEFENDER_RISK_WEIGHTS=risk.toml\n")

    found = checked(run, 0)

    values = {setting["name"]: setting["value"] for setting in found["settings"]}
    assert values["DEFENDER_MUTED"] == f"{tmp_path / 'muted.toml'} (2 rules)"
    assert values["DEFENDER_RISK_WEIGHTS"] == str(tmp_path / "risk.toml")
    assert any(note.endswith("muted.toml contains rules that have expired: old") for note in found["notes"])


@pytest.mark.parametrize("variable", [SLACK_WEBHOOK, CONNECTION_STRING])
@pytest.mark.parametrize(
    ("mode", "named"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True), (0o644, True)]
)
def test_a_secret_in_a_file_that_others_may_read_is_named(
    tmp_path: Path, variable: str, mode: int, *, named: bool
) -> None:
    value = HOOK if variable == SLACK_WEBHOOK else f"AccountName=a;AccountKey={KEY};EndpointSuffix=core.windows.net"
    (tmp_path / ".env").write_text(f"{variable}='{value}'\n")
    (tmp_path / ".env").chmod(mode)
    settings = load_settings()
    report = Report([], ExportFacts(""), LakeFacts(""))

    diagnose_settings(report, settings, today())

    expected = f"{tmp_path / '.env'} holds {variable}, and other users of this machine may read it (mode {mode:o})"
    assert [line.partition(":")[0] for line in report.attention] == ([expected] if named else [])


def test_settings_without_a_secret_may_be_read_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SLACK_WEBHOOK, HOOK)
    (tmp_path / ".env").write_text("DEFENDER_LOOKBACK_DAYS=5\n")
    (tmp_path / ".env").chmod(0o644)
    report = Report([], ExportFacts(""), LakeFacts(""))

    diagnose_settings(report, load_settings(), today())

    assert report.attention == []
