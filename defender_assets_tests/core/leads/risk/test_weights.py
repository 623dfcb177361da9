"""A team's own weights: their effect, and the errors for a wrong file."""

from pathlib import Path

import pytest

from defender_assets.core.errors import SettingsError
from defender_assets.core.leads.risk import ScoringConfig
from defender_assets.core.leads.risk.weights import load_weights, packaged_weights
from defender_assets_tests.support.alert_rows import Row, beat, info, lead_of, machine


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "risk.toml"


def test_a_file_changes_only_its_own_lines(file: Path) -> None:
    file.write_text('[category]\n"Lateral Movement" = 30\n[device_tag]\nkiosk = -6\n[devices]\n"3" = 7\n')
    weights = load_weights(file)
    assert weights["category"] == {**packaged_weights()["category"], "lateralmovement": 30}
    assert weights["device_tag"]["kiosk"] == -6
    assert weights["devices"] == {"2": 6, "3": 7, "5": 10}
    assert weights["severity"] == packaged_weights()["severity"]


def test_a_lead_is_scored_by_the_weights_of_the_team(file: Path) -> None:
    file.write_text("[severity]\nhigh = 60\n[device_tag]\nkiosk = -6\n[exposure]\nhigh = 0\nmedium = 0\n")

    def points(scoring: ScoringConfig | None = None) -> dict[str, int]:
        row = beat(DeviceManualTags=["kiosk"], ExposureLevel="High")
        lead: Row = lead_of([info(Severity="High")], [machine()], [row], scoring=scoring)
        return {reason["reason"]: reason["points"] for reason in lead["risk_reasons"]}

    assert points()["Exposure of the device to known weaknesses is High"] == 8
    ours = points(ScoringConfig(load_weights(file)))
    assert ours["Microsoft rates the alert High"] == 60
    assert ours["The device is tagged kiosk"] == -6
    assert "Exposure of the device to known weaknesses is High" not in ours


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("[severty]\nhigh = 3", "has a section [severty]: expected one of severity, category"),
        ("high = 3", "has 'high' outside of a section"),
        ("[severity]\nhigh = '3'", "has 'high = 3' in [severity]: expected whole points from -100 to 100"),
        ("[severity]\nhigh = 3.5", "has 'high = 3.5' in [severity]: expected whole points"),
        ("[severity]\nhigh = true", "has 'high = True' in [severity]: expected whole points"),
        ("[severity]\nhigh = 101", "has 'high = 101' in [severity]: expected whole points"),
        ("[severity]\nhigh = 20", "gives [severity] medium 30 points and high 20: high is the more urgent one"),
        ("[exposure]\nhigh = -1", "gives [exposure] medium 4 points and high -1"),
        ("[exposure]\nhihg = 9", "has 'hihg' in [exposure]: expected one of high, low, medium, none"),
        ("[internet_facing]\ntrue = -3", "gives [internet_facing] false 0 points and true -3"),
        ("[devices]\nfew = 3", "has 'few' in [devices]: expected a number such as 20"),
        ("[devices]\n7 = 3", "gives [devices] 5 10 points and 7 3"),
        ("[detection]\n30 = 3", "gives [detection] 30 3 points and 20 -4"),
        ("[severity\nhigh = 3", "which is not TOML"),
        ("[category]\n'-' = 3", "has '-' in [category]: expected a word with letters or digits"),
    ],
)
def test_a_wrong_file_is_a_one_line_error_with_the_fault(file: Path, content: str, expected: str) -> None:
    file.write_text(content)
    with pytest.raises(SettingsError) as error:
        load_weights(file)
    assert expected in str(error.value)
    assert str(error.value).startswith("DEFENDER_RISK_WEIGHTS")
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_or_binary_file_is_a_one_line_error(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot be read \(no such file or directory\)"):
        load_weights(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not UTF-8"):
        load_weights(file)


@pytest.mark.parametrize("name", ["DefenseEvasion", "defence evasion", "Defense-Evasion"])
def test_a_line_for_an_older_word_in_any_spelling_counts_for_the_newer_one(name: str, file: Path) -> None:
    file.write_text(f'[category]\n"{name}" = 30\n[technique]\n"T1562.001" = 9\n')
    scoring = ScoringConfig(load_weights(file))
    lead = lead_of([info(Category="DefenseImpairment", AttackTechniques=["Disable (T1685)"])], scoring=scoring)
    points = {reason["reason"]: reason["points"] for reason in lead["risk_reasons"]}
    assert points["The activity is DefenseImpairment"] == 30
    assert points["A telling technique of ATT&CK: T1685"] == 9
