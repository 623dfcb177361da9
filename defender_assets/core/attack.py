"""MITRE ATT&CK: its tactics, and the words and numbers that version 19 replaced. An alert may have old or new ones.

Version 19 (April 2026) splits Defense Evasion into Stealth, which keeps TA0005, and Defense Impairment (TA0112), and
gives the techniques of Impair Defenses (T1562) and three others new numbers (attack.mitre.org/resources/updates).
Whether Microsoft writes the new words is not known (source facts, section 8), so both are understood.
"""

from typing import NamedTuple

import polars as pl

from defender_assets.core.words import word_key, word_keys


class Tactic(NamedTuple):
    """A tactic: its number and its name."""

    uid: str
    name: str


TACTICS = (
    Tactic("TA0043", "Reconnaissance"),
    Tactic("TA0042", "Resource Development"),
    Tactic("TA0001", "Initial Access"),
    Tactic("TA0002", "Execution"),
    Tactic("TA0003", "Persistence"),
    Tactic("TA0004", "Privilege Escalation"),
    Tactic("TA0005", "Defense Evasion"),  # until version 18
    Tactic("TA0005", "Stealth"),  # from version 19 on
    Tactic("TA0112", "Defense Impairment"),  # from version 19 on
    Tactic("TA0006", "Credential Access"),
    Tactic("TA0007", "Discovery"),
    Tactic("TA0008", "Lateral Movement"),
    Tactic("TA0009", "Collection"),
    Tactic("TA0011", "Command and Control"),
    Tactic("TA0010", "Exfiltration"),
    Tactic("TA0040", "Impact"),
)
"""Every tactic of the enterprise matrix, of versions 18 and 19, in ATT&CK's order."""

OLDER_CATEGORIES = {"stealth": "defenseevasion", "defenseimpairment": "defenseevasion"}
"""Category of version 19 -> the one it was split from, both as `category_key`."""

OLDER_TECHNIQUES = {
    "T1684.001": "T1656",  # Impersonation
    "T1684.002": "T1672",  # Email Spoofing
    "T1685": "T1562.001",  # Disable or Modify Tools; T1562 and T1562.006 became T1685 too
    "T1685.001": "T1562.002",  # Disable or Modify Windows Event Log
    "T1685.002": "T1562.008",  # Disable or Modify Cloud Log
    "T1685.003": "T1562.011",  # Modify or Spoof Tool UI
    "T1685.004": "T1562.012",  # Disable or Modify Linux Audit System
    "T1685.005": "T1070.001",  # Clear Windows Event Logs
    "T1685.006": "T1070.002",  # Clear Linux or Mac System Logs
    "T1686": "T1562.004",  # Disable or Modify System Firewall
    "T1686.001": "T1562.007",  # Disable or Modify Cloud Firewall
    "T1686.002": "T1562.013",  # Disable or Modify Network Device Firewall
    "T1688": "T1562.009",  # Safe Mode Boot
    "T1689": "T1562.010",  # Downgrade Attack
    "T1690": "T1562.003",  # Impair Command History Logging
}
"""Technique of version 19 -> its number until version 18 (`revoked-by` in ATT&CK's data)."""


def category_key(category: str) -> str:
    """Return the normal form of a category, in any spelling.

    >>> category_key("Defence evasion"), category_key("DefenseEvasion")
    ('defenseevasion', 'defenseevasion')
    """
    return word_key(category).replace("defence", "defense")


def category_keys(categories: pl.Expr) -> pl.Expr:
    """Return `category_key` of a String column."""
    return word_keys(categories).str.replace("defence", "defense", literal=True)


_BY_KEY = {category_key(tactic.name): tactic for tactic in TACTICS}


def tactic_of(category: str | None) -> Tactic | None:
    """Return the tactic that a category of Microsoft names; None for a category such as Malware.

    >>> tactic_of("Defense-Impairment")
    Tactic(uid='TA0112', name='Defense Impairment')
    """
    return None if category is None else _BY_KEY.get(category_key(category))


def tactic_names(categories: pl.Expr) -> pl.Expr:
    """Return the names of the tactics that categories name, null for any other category."""
    names = {key: tactic.name for key, tactic in _BY_KEY.items()}
    return category_keys(categories).replace_strict(names, default=None, return_dtype=pl.String)
