"""The golden scores: what the packaged weights give to fixed alerts. `golden_scores.json` has them with their revision.

`python -m defender_assets_tests.core.leads.risk.golden_scores` writes the file, after SCORING_REVISION was raised.
"""

import json
import sys
from pathlib import Path
from typing import Any

from defender_assets.core.leads.risk.config import SCORING_REVISION
from defender_assets_tests.support.alert_rows import EVE, PC, SERVER, Row, beat, evidence, info, leads_of, machine

FILE = Path(__file__).with_suffix(".json")


def golden_rows() -> tuple[list[Row], list[Row], list[Row]]:
    """Return the records of alerts that earn and lose points in different ways."""
    bad = {"LastVerdict": "Malicious", "LastRemediationState": "Active"}
    blocked = {"LastVerdict": "NoThreatsFound", "LastRemediationState": "Prevented"}
    infos = [
        info("da1", Severity="Informational", Category="Discovery"),
        info("da2", Severity="Low", Category="Malware"),
        info("da3", Severity="High", Category="Ransomware", AttackTechniques=["Data Encrypted for Impact (T1486)"]),
        info("da4", Severity="High", Category="DefenseEvasion", AttackTechniques=["Impair Defenses (T1562)"]),
        info("da5", Severity="High", Category="DefenseImpairment", AttackTechniques=["Disable Tools (T1685.001)"]),
        info("da6", Severity="Severe", Category="Something new"),
        info("da7", Severity=None, Category=None, Title=None),
        *(info(f"db{number}", day=EVE, Title="noisy") for number in range(25)),
        info("da8", Title="noisy"),
    ]
    evidences = [
        machine(PC, "da2", fields=blocked),
        machine(PC, "da3", fields=bad),
        machine(SERVER, "da3"),
        evidence("User", "da3", AccountName="Administrator", AccountSid="S-1-5-21-1-2-3-500"),
        evidence("File", "da4", SHA256="5" * 64, fields={"LastVerdict": "Suspicious"}),
        *(evidence("Ip", "da6", RemoteIP=f"203.0.113.{number}") for number in range(12)),
    ]
    beats = [
        beat(PC, day=EVE, AssetValue="High", ExposureLevel="High", IsInternetFacing=True, DeviceManualTags=["Tier 0"]),
        beat(SERVER, day=EVE, SensorHealthState="Inactive", AssetValue="Low"),
    ]
    return infos, evidences, beats


def scores_now() -> dict[str, Any]:
    """Return the revision and, for each alert, its score and the points of its reasons."""
    leads = leads_of(*golden_rows()).sort("alert_id")
    scores = {
        lead["alert_id"]: [lead["risk_score"], [reason["points"] for reason in lead["risk_reasons"]]]
        for lead in leads.iter_rows(named=True)
    }
    return {"revision": SCORING_REVISION, "scores": scores}


def golden() -> dict[str, Any]:
    """Return the content of the file."""
    content: dict[str, Any] = json.loads(FILE.read_text())
    return content


if __name__ == "__main__":
    now = scores_now()
    if FILE.exists() and now["scores"] != golden()["scores"] and now["revision"] <= golden()["revision"]:
        sys.exit("scores changed: raise SCORING_REVISION in core/leads/risk/config.py first")
    FILE.write_text(json.dumps(now, indent=1) + "\n")
