"""Numbers of OCSF for Microsoft's words. The tactics are those of `core.attack`.

Source: schema.ocsf.io 1.8.0; the tests compare with a packaged copy.
"""

from defender_assets.core.attack import tactic_of

OCSF_VERSION = "1.8.0"
CLASS_UID = 2004
CATEGORY_UID = 2
CREATE, UPDATE = 1, 2
NEW, SUPPRESSED = 1, 3
UNKNOWN, OTHER = 0, 99

SEVERITIES = {"informational": 1, "low": 2, "medium": 3, "high": 4}

SYSTEMS = (
    ("windows", 100), ("macos", 300), ("ios", 301), ("ipados", 302), ("android", 201), ("linux", 200), ("ubuntu", 200),
    ("debian", 200), ("redhat", 200), ("centos", 200), ("suse", 200),
)  # fmt: skip
"""Prefix of a platform's name -> os.type_id."""

SHA1, SHA256 = 2, 3

HOSTNAME, ADDRESS, USER_NAME, URL_STRING, HASH = 1, 2, 4, 6, 8
"""observable.type_id"""


def severity_id(severity: str | None) -> int:
    """Return the severity's number.

    >>> severity_id("High"), severity_id("Severe"), severity_id(None)
    (4, 99, 0)
    """
    return UNKNOWN if severity is None else SEVERITIES.get(severity.lower(), OTHER)


def system_id(platform: str) -> int:
    """Return os.type_id of one of Microsoft's platform names, such as Windows11 or iOS."""
    return next((number for start, number in SYSTEMS if platform.lower().startswith(start)), OTHER)


def device_type_id(device_type: str | None) -> int:
    """Return device.type_id of Microsoft's DeviceType; a workstation (a laptop or a desktop) is other."""
    if device_type is None:
        return UNKNOWN
    return {"server": 1, "mobile": 5}.get(device_type.lower(), OTHER)


def attacks(category: str | None, techniques: list[str]) -> list[dict[str, object]]:
    """Return OCSF's `attacks`: one per technique, and one for the alert's category if that is a tactic.

    They are separate entries because a technique need not belong to the category.

    >>> attacks("Malware", ["T1059.001"])
    [{'technique': {'uid': 'T1059'}, 'sub_technique': {'uid': 'T1059.001'}}]
    """
    found: list[dict[str, object]] = []
    if tactic := tactic_of(category):
        found.append({"tactic": tactic._asdict()})
    for technique in techniques:
        if technique.startswith("TA"):
            found.append({"tactic": {"uid": technique}})
            continue
        whole, _, part = technique.partition(".") if not technique.startswith("AML.") else (technique, "", "")
        attack: dict[str, object] = {"technique": {"uid": whole}}
        if part:
            attack["sub_technique"] = {"uid": technique}
        found.append(attack)
    return found
