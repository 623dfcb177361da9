"""Which leads a team's rules mute, and the errors for a wrong file."""

from datetime import timedelta
from pathlib import Path

import pytest

from defender_assets.core.errors import SettingsError
from defender_assets.core.leads.risk import ScoringConfig
from defender_assets.core.leads.risk.muting import CONDITIONS, load_mutes
from defender_assets_tests.support.alert_rows import (
    DAY,
    OTHER_TENANT,
    PC,
    TENANT,
    Row,
    beat,
    evidence,
    info,
    lead_of,
)

RULE = '[[mute]]\nname = "Scanner"\nreason = "ours, see CHG-17"\n'
SHA1 = "a" * 40


def lead(rules: str, folder: Path, **microsoft: str) -> Row:
    """A lead that has something of everything, judged by rules."""
    (folder / "muted.toml").write_text(rules)
    values: Row = {
        "Title": "Network scan (internal)",
        "Severity": "Medium",
        "Category": "Discovery",
        "AttackTechniques": ["Scan (T1046)"],
        "DetectionSource": "Custom detection",
    }
    rows = [
        evidence("Machine", DeviceId=PC),
        evidence("User", AccountUpn="svc-scan@contoso.com", AccountSid="S-1-5-21-1-2-3-1100"),
        evidence("File", FileName="nmap.exe", SHA1=SHA1),
        evidence("Ip", RemoteIP="203.0.113.9"),
    ]
    heartbeat = beat(DeviceName="scan01.contoso.com", DeviceManualTags=["Scanner"])
    scoring = ScoringConfig(mutes=load_mutes(folder / "muted.toml"))
    return lead_of([info(**(values | microsoft))], rows, [heartbeat], scoring=scoring)


def test_a_rule_can_have_thousands_of_hashes(tmp_path: Path) -> None:
    others = [f"{number:064x}" for number in range(6000)]
    assert lead(f"{RULE}file = {[*others, SHA1]}", tmp_path)["muted_by"] == "Scanner: ours, see CHG-17"
    assert lead(f"{RULE}file = {others}", tmp_path)["muted_by"] is None


HITS = {
    "tenant": TENANT,
    "title": "Network scan (internal)",
    "severity": "medium",
    "category": "Discovery",
    "product": "endpoint",
    "service_source": "Microsoft Defender for *",
    "detection_source": "custom *",
    "technique": "T1046",
    "device": "SCAN01.*",
    "device_tag": "scanner",
    "account": "svc-*@contoso.com",
    "file": SHA1,
    "address": "203.0.113.9",
}


@pytest.mark.parametrize("condition", HITS)
def test_a_rule_mutes_by_each_condition(condition: str, tmp_path: Path) -> None:
    hit = lead(f'{RULE}{condition} = "{HITS[condition]}"', tmp_path)
    other = "identity" if condition == "product" else "another"
    miss = lead(f'{RULE}{condition} = "{other}"', tmp_path)
    assert (hit["muted_by"], miss["muted_by"]) == ("Scanner: ours, see CHG-17", None)


def test_every_condition_is_tried() -> None:
    assert set(HITS) == set(CONDITIONS)


@pytest.mark.parametrize(
    ("lines", "muted"),
    [
        ('title = "*scan*"\ndevice = "scan01.contoso.com"', True),
        ('title = "*scan*"\ndevice = "scan02.contoso.com"', False),
        ('device = ["scan02.contoso.com", "scan01.contoso.com"]', True),
        ('title = "Network scan"', False),
        ('title = "Network scan .internal."', False),
        ('file = "NMAP.EXE"', True),
    ],
)
def test_all_conditions_must_match_by_one_pattern_each(lines: str, muted: bool, tmp_path: Path) -> None:
    assert (lead(RULE + lines, tmp_path)["muted_by"] is not None) == muted


@pytest.mark.parametrize(("days", "muted"), [(0, True), (1, True), (-1, False)])
def test_a_rule_ends_after_its_last_day(days: int, muted: bool, tmp_path: Path) -> None:
    rule = f'{RULE}until = {DAY + timedelta(days=days)}\ntitle = "*"\nproduct = "endpoint"'.replace('"*"', '"N*"')
    assert (lead(rule, tmp_path)["muted_by"] is not None) == muted


def test_the_first_matching_rule_is_named(tmp_path: Path) -> None:
    rules = f'{RULE}title = "nothing"\n[[mute]]\nname = "b"\nreason = "r"\nseverity = "Medium"\n'
    assert lead(rules + RULE + 'severity = "Medium"', tmp_path)["muted_by"] == "b: r"


def test_a_muted_lead_keeps_its_score_and_reasons(tmp_path: Path) -> None:
    muted, unmuted = lead(f'{RULE}severity = "Medium"', tmp_path), lead("", tmp_path)
    assert muted["risk_score"] > 0
    assert muted["risk_reasons"] == unmuted["risk_reasons"]


def test_a_missing_value_is_no_match(tmp_path: Path) -> None:
    (tmp_path / "muted.toml").write_text(f'{RULE}device = "x"\naccount = "x"\ntechnique = "T1"\ndevice_tag = "x"')
    scoring = ScoringConfig(mutes=load_mutes(tmp_path / "muted.toml"))
    assert lead_of([info(tenant=OTHER_TENANT)], scoring=scoring)["muted_by"] is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('[[mute]]\nreason = "r"\ntitle = "x"', "rule 1 of {file} has no name"),
        ('[[mute]]\nname = "n"\nreason = " "\ntitle = "x"', "rule 1 of {file} has no reason"),
        (RULE, "rule 1 of {file} has no condition, and would mute everything: add one of tenant, title"),
        (f'{RULE}titel = "x"', "rule 1 of {file} has 'titel': expected name, reason, until or one of tenant"),
        (f"{RULE}title = 3", "rule 1 of {file} has 'title = 3': expected text or a list of texts"),
        (f'{RULE}title = "*"', "rule 1 of {file} has 'title = *': expected text or a list of texts, more than '*'"),
        (f'{RULE}product = ["office*", "endpiont"]', "rule 1 of {file} has 'product = endpiont': expected one of end"),
        (f"{RULE}title = []", "rule 1 of {file} has 'title = []'"),
        (f'{RULE}until = "2026-12-31"\ntitle = "x"', "rule 1 of {file} has 'until = 2026-12-31': expected a day"),
        ('[mute]\nname = "n"', "{file} has a 'mute' that is no list of tables: expected [[mute]]"),
        ('[[mutes]]\nname = "n"', "{file} has 'mutes': expected [[mute]]"),
        ("[[mute]", "{file}, which is not TOML"),
    ],
)
def test_a_wrong_file_is_a_one_line_error_with_the_fault(content: str, expected: str, tmp_path: Path) -> None:
    file = tmp_path / "muted.toml"
    file.write_text(content)
    with pytest.raises(SettingsError) as error:
        load_mutes(file)
    assert expected.replace("{file}", str(file)) in str(error.value)
    assert str(error.value).startswith("DEFENDER_MUTED")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "title",
    [
        "Network scan (internal)\u200b",
        "Network\u00a0scan (internal)",
        "\u202aNetwork scan (internal)\u202c",
        "Net\u00adwork  scan\t(internal)",
        "\uff2eETWORK scan (internal)",
    ],
)
@pytest.mark.parametrize("rule", ["Network scan (internal)", "network SCAN*", "*(internal)"])
def test_a_rule_mutes_a_title_as_anybody_types_it(title: str, rule: str, tmp_path: Path) -> None:
    found = lead(f'{RULE}title = "{rule}"', tmp_path, Title=title)
    assert found["muted_by"] is not None
    assert found["title"] == title


def test_a_rule_that_was_copied_with_hidden_characters_mutes(tmp_path: Path) -> None:
    assert lead(f'{RULE}title = "Network\u00a0scan (internal)\u200b"', tmp_path)["muted_by"] is not None
    with pytest.raises(SettingsError, match=r"more than '\*'"):
        lead(f'{RULE}title = "\u200b*"', tmp_path)


@pytest.mark.parametrize(
    "rule",
    [
        'service_source = "MicrosoftDefenderForEndpoint"',
        'service_source = "microsoft defender*"',
        'category = "lateral-movement"',
        'detection_source = "CustomDetection"',
        'product = "End Point"',
    ],
)
def test_words_match_in_any_spelling(rule: str, tmp_path: Path) -> None:
    assert lead(RULE + rule, tmp_path, Category="Lateral Movement")["muted_by"] is not None
