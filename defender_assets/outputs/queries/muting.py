"""The rule that mutes a lead, and what a rule would hide of the leads that are held."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from defender_assets.core.errors import TriageError
from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.lake.lake import Lake
from defender_assets.core.leads.risk.muting import Mute, load_mutes, with_muted
from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.core.toml_files import rule_text
from defender_assets.outputs.labels import accounts_of
from defender_assets.outputs.queries.views import collected, lead_states

COUNTED_DAYS = 90
"""How many past days of leads are counted."""

_COLUMNS = (
    *LEAD_KEY, "export_date", "title", "severity", "category", "product", "service_source", "detection_source",
    "attack_techniques", "device_id", "original_device_id", "device_name", "device_tags", "accounts", "files",
    "ip_addresses", "muted_by",
)  # fmt: skip
"""What the conditions of any rule read."""

RULES_SCHEMA = pl.Schema(
    {
        "name": pl.String(),
        "reason": pl.String(),
        "owner": pl.String(),
        "until": pl.Date(),
        "ended": pl.Boolean(),
        "leads": pl.Int64(),
        "true_positives": pl.Int64(),
    }
)


@dataclass(frozen=True)
class Hidden:
    """What a rule would have hidden: leads, those of them with the verdict true_positive, and the days they are of."""

    leads: int
    true_positives: int
    days: tuple[date, ...]


def mute_rule(
    lead: Mapping[str, Any], until: date, reason: str, *, owner: str | None, detection: bool
) -> dict[str, Any]:
    """Return the rule that mutes leads like this one: of its tenant, title and device, else account.

    With `detection`, the device and the account are left out.

    Raises:
        TriageError: when the lead has no title, or neither a device nor an account.
    """
    short = lead["lead_id"][:8]
    if not lead["title"]:
        raise TriageError(f"the lead {short} has no title, so a rule could not name its detection: write one by hand")
    about = {"name": f"Lead {short}", "reason": reason, "until": until, **({"owner": owner} if owner else {})}
    rule = about | {"tenant": lead["tenant_id"], "title": lead["title"]}
    if detection:
        return rule
    if device := lead["device_id"] or lead["device_name"]:
        return rule | {"device": device}
    if accounts := accounts_of(lead):
        return rule | {"account": accounts[0].rpartition("\\")[2]}
    raise TriageError(
        f"the lead {short} has neither a device nor an account: --detection mutes its detection in the whole tenant"
    )


def hidden_by(lake: Lake, rule: Mapping[str, Any], now: datetime) -> Hidden:
    """Return what a rule would have hidden of the unmuted leads of the last COUNTED_DAYS days."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "rule.toml")
        file.write_text(rule_text("mute", rule), encoding="utf-8")
        (mute,) = load_mutes(file)
    leads = _counted_leads(lake, now)
    return _hidden(leads.filter(pl.col("muted_by").is_null()), mute, _true_positives(lake))


def hidden_by_each(lake: Lake, mutes: Sequence[Mute], now: datetime) -> pl.DataFrame:
    """Return what each rule hides of the leads of the last COUNTED_DAYS days, muted or not; most leads first.

    Columns: `name`, `reason`, `owner`, `until` (Date), `ended` (it is past), `leads`, `true_positives`.
    """
    leads, true = _counted_leads(lake, now), _true_positives(lake)
    rows = [
        {
            "name": mute.name,
            "reason": mute.reason,
            "owner": mute.owner,
            "until": mute.until,
            "ended": mute.until is not None and mute.until < now.date(),
            "leads": found.leads,
            "true_positives": found.true_positives,
        }
        for mute in mutes
        for found in [_hidden(leads, mute, true)]
    ]
    return pl.DataFrame(rows, RULES_SCHEMA).sort("leads", "name", descending=[True, False])


def _counted_leads(lake: Lake, now: datetime) -> pl.DataFrame:
    since = now.date() - timedelta(days=COUNTED_DAYS)
    return collected(lake, lake.read(LEADS_TABLE).filter(pl.col("export_date") >= since).select(_COLUMNS))


def _true_positives(lake: Lake) -> pl.DataFrame:
    return collected(lake, lead_states(lake)).filter(pl.col("verdict") == "true_positive").select(LEAD_KEY)


def _hidden(leads: pl.DataFrame, mute: Mute, true_positives: pl.DataFrame) -> Hidden:
    found = with_muted(leads, [mute]).filter(pl.col("muted_by").is_not_null())
    hidden = found.select(LEAD_KEY).unique()
    days = tuple(found["export_date"].unique().sort().to_list())
    return Hidden(hidden.height, hidden.join(true_positives, on=LEAD_KEY, how="semi").height, days)
