"""Which leads a team's rules mute, and the errors for a wrong file."""

from datetime import timedelta
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from defender_assets.core.errors import SettingsError
from defender_assets.core.leads.risk import ScoringConfig
from defender_assets.core.leads.risk.muting import CONDITIONS, Mute, load_mutes, with_muted
from defender_assets_tests.support.alert_rows import (
    DAY,
    OTHER_TENANT,
    PC,
    TENANT,
    Records,
    beat,
    evidence,
    info,
    lead_of,
    leads_of,
    leads_of_each,
    only,
)

RULE = '[[mute]]\nname = "Scanner"\nreason = "ours, see CHG-17"\n'
SHA1 = "a" * 40


def records(title: str = "Network scan (internal)", category: str = "Discovery") -> Records:
    """An alert that has something of everything."""
    alert = info(
        Title=title,
        Category=category,
        AttackTechniques=["Scan (T1046)"],
        DetectionSource="Custom detection",
    )
    rows = [
        evidence("Machine", DeviceId=PC),
        evidence("User", AccountUpn="svc-scan@contoso.com", AccountSid="S-1-5-21-1-2-3-1100"),
        evidence("File", FileName="nmap.exe", SHA1=SHA1),
        evidence("Ip", RemoteIP="203.0.113.9"),
    ]
    return Records([alert], rows, [beat(DeviceName="scan01.contoso.com", DeviceManualTags=["Scanner"])])


@cache
def unmuted(category: str = "Discovery") -> pl.DataFrame:
    return leads_of(*records(category=category))


def mutes_of(rules: str, folder: Path) -> tuple[Mute, ...]:
    (folder / "muted.toml").write_text(rules)
    return load_mutes(folder / "muted.toml")


def muted_by(rules: str, folder: Path, lead: pl.DataFrame | None = None) -> str | None:
    """By which rule a lead is muted."""
    found: str | None = with_muted(unmuted() if lead is None else lead, mutes_of(rules, folder))["muted_by"].item()
    return found


def test_a_rule_can_have_thousands_of_hashes(tmp_path: Path) -> None:
    others = [f"{number:064x}" for number in range(6000)]
    assert muted_by(f"{RULE}file = {[*others, SHA1]}", tmp_path) == "Scanner: ours, see CHG-17"
    assert muted_by(f"{RULE}file = {others}", tmp_path) is None


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
    other = "identity" if condition == "product" else "another"
    assert muted_by(f'{RULE}{condition} = "{HITS[condition]}"', tmp_path) == "Scanner: ours, see CHG-17"
    assert muted_by(f'{RULE}{condition} = "{other}"', tmp_path) is None


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
    assert (muted_by(RULE + lines, tmp_path) is not None) == muted


@pytest.mark.parametrize(("days", "muted"), [(0, True), (1, True), (-1, False)])
def test_a_rule_ends_after_its_last_day(days: int, muted: bool, tmp_path: Path) -> None:
    rule = f'{RULE}until = {DAY + timedelta(days=days)}\ntitle = "*"\nproduct = "endpoint"'.replace('"*"', '"N*"')
    assert (muted_by(rule, tmp_path) is not None) == muted


def test_the_first_matching_rule_is_named(tmp_path: Path) -> None:
    rules = f'{RULE}title = "nothing"\n[[mute]]\nname = "b"\nreason = "r"\nseverity = "Medium"\n'
    assert muted_by(rules + RULE + 'severity = "Medium"', tmp_path) == "b: r"


def test_a_muted_lead_keeps_its_score_and_reasons(tmp_path: Path) -> None:
    scoring = ScoringConfig(mutes=mutes_of(f'{RULE}severity = "Medium"', tmp_path))
    muted, before = lead_of(*records(), scoring=scoring), only(unmuted())
    assert (muted["muted_by"], before["muted_by"]) == ("Scanner: ours, see CHG-17", None)
    assert muted["risk_score"] > 0
    assert (muted["risk_score"], muted["risk_reasons"]) == (before["risk_score"], before["risk_reasons"])


def test_a_missing_value_is_no_match(tmp_path: Path) -> None:
    rule = f'{RULE}device = "x"\naccount = "x"\ntechnique = "T1"\ndevice_tag = "x"'
    scoring = ScoringConfig(mutes=mutes_of(rule, tmp_path))
    assert lead_of([info(tenant=OTHER_TENANT)], scoring=scoring)["muted_by"] is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('[[mute]]\nreason = "r"\ntitle = "x"', "rule 1 of {file} has no name"),
        ('[[mute]]\nname = "n"\nreason = " "\ntitle = "x"', "rule 1 of {file} has no reason"),
        (RULE, "rule 1 of {file} has no condition, and would mute everything: add one of tenant, title"),
        (f'{RULE}titel = "x"', "rule 1 of {file} has 'titel': expected name, reason, until, owner or one of tenant"),
        (f"{RULE}title = 3", "rule 1 of {file} has 'title = 3': expected text or a list of texts"),
        (f'{RULE}title = "*"', "rule 1 of {file} has 'title = *': expected text or a list of texts, more than '*'"),
        (f'{RULE}product = ["office*", "endpiont"]', "rule 1 of {file} has 'product = endpiont': expected one of end"),
        (f"{RULE}title = []", "rule 1 of {file} has 'title = []'"),
        (f'{RULE}until = "2026-12-31"\ntitle = "x"', "rule 1 of {file} has 'until = 2026-12-31': expected a day"),
        ('[mute]\nname = "n"', "{file} has a 'mute' that is no list of tables: expected [[mute]]"),
        ('[[mutes]]\nname = "n"', "{file} has 'mutes': expected [[mute]]"),
        ("[[mute]", "{file}, which is not TOML"),
        ("mute = " + "[" * 5_000, "{file}, which is not TOML: it is nested too deeply"),
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


TITLES = [
    "Network scan (internal)\u200b",
    "Network\u00a0scan (internal)",
    "\u202aNetwork scan (internal)\u202c",
    "Net\u00adwork  scan\t(internal)",
    "\uff2eETWORK scan (internal)",
]


def test_a_rule_mutes_a_title_as_anybody_types_it(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for title, lead in zip(TITLES, leads_of_each(records(title) for title in TITLES), strict=True):
        for rule in ("Network scan (internal)", "network SCAN*", "*(internal)"):
            with subtests.test(title=title, rule=rule):
                assert muted_by(f'{RULE}title = "{rule}"', tmp_path, lead) is not None
                assert only(lead)["title"] == title


def test_a_rule_that_was_copied_with_hidden_characters_mutes(tmp_path: Path) -> None:
    assert muted_by(f'{RULE}title = "Network\u00a0scan (internal)\u200b"', tmp_path) is not None
    with pytest.raises(SettingsError, match=r"more than '\*'"):
        mutes_of(f'{RULE}title = "\u200b*"', tmp_path)


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
    assert muted_by(RULE + rule, tmp_path, unmuted("Lateral Movement")) is not None
