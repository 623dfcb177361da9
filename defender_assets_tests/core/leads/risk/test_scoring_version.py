"""The version of the scoring changes with the weights, the rules and the code, and with nothing else."""

from dataclasses import replace
from datetime import date

import pytest

from defender_assets.core.leads.risk import ScoringConfig, config
from defender_assets.core.leads.risk.muting import Mute
from defender_assets.core.leads.risk.weights import packaged_weights
from defender_assets_tests.core.leads.risk.golden_scores import golden, scores_now
from defender_assets_tests.support.alert_rows import info, lead_of

MUTE = Mute("Scanner", "ours", (("title", ("scan*",)),), date(2026, 12, 31))


def test_scores_change_only_with_the_revision() -> None:
    now, expected = scores_now(), golden()
    if now["revision"] == expected["revision"]:
        assert now["scores"] == expected["scores"], "raise SCORING_REVISION, then run golden_scores.py"
    assert now == expected, "the revision was raised: run golden_scores.py"


def test_alerts_in_words_of_attack_18_and_19_score_alike() -> None:
    scores = golden()["scores"]
    assert scores["da5"][0] == scores["da4"][0] - 5  # da4 has a suspicious file


def test_a_lead_has_the_version_of_its_scoring() -> None:
    scoring = ScoringConfig(mutes=(MUTE,))
    assert lead_of([info()])["scoring_version"] == ScoringConfig().version
    assert lead_of([info()], scoring=scoring)["scoring_version"] == scoring.version


def test_it_depends_on_weights_rules_their_order_and_the_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {section: dict(reversed([*lines.items()])) for section, lines in packaged_weights().items()}
    assert ScoringConfig(weights=weights).version == ScoringConfig().version
    other = replace(MUTE, name="other")
    versions = {
        ScoringConfig().version,
        ScoringConfig(weights=weights | {"severity": {"high": 41}}).version,
        *(
            ScoringConfig(mutes=mutes).version
            for mutes in [(MUTE,), (MUTE, other), (other, MUTE), (replace(MUTE, until=None),)]
        ),
    }
    monkeypatch.setattr(config, "SCORING_REVISION", config.SCORING_REVISION + 1)
    versions.add(ScoringConfig().version)
    assert len(versions) == 7
    assert all(len(version) == 32 and int(version, 16) >= 0 for version in versions)
