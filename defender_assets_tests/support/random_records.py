"""Random records of few alerts, accounts, devices and entities, so that any two of them often share something."""

import random
from datetime import timedelta
from typing import Any

from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, Table
from defender_assets_tests.support.alert_rows import DAY, OTHER_TENANT, TENANT, Row, at, beat, evidence, info

_TITLES = ("Lateral movement", "lateral  movement", "Lateral movem\u0435nt", "Phishing", "PHISHING", "Beacon", None)
_PERSONS = 6
_ENTRA_SID = "S-1-12-1-{}-1078987654-3141592653-2718281828"


def random_record(seeded_rng: random.Random) -> tuple[Table, Row]:
    """Return a record of any of the three tables: on the day, or a few days before."""
    days = -seeded_rng.choice((0, 0, 0, 1, 1, 2, 5))
    common: dict[str, Any] = {
        "day": DAY + timedelta(days=days),
        "tenant": seeded_rng.choice((TENANT, TENANT, OTHER_TENANT)),
        "Timestamp": at(seeded_rng.randint(-30, 12), days=days, minutes=seeded_rng.randint(0, 59)),
    }
    alert = f"{seeded_rng.choice(('da', 'fa', 'aa'))}{seeded_rng.randint(1, 12)}"
    kind = seeded_rng.random()
    if kind < 0.2:
        severity = seeded_rng.choice(("High", "Low", None))
        return ALERT_INFO, info(alert, Title=seeded_rng.choice(_TITLES), Severity=severity, **common)
    if kind < 0.9:
        title = seeded_rng.choice((None, None, *_TITLES))
        return ALERT_EVIDENCE, evidence(alert=alert, Title=title, **_random_evidence(seeded_rng), **common)
    when = common.pop("Timestamp")
    merged: Row = {"MergedToDeviceId": seeded_rng.choice("abc")} if seeded_rng.random() < 0.2 else {}
    address = f"203.0.113.{seeded_rng.randint(1, 6)}"
    name = f"pc{seeded_rng.randint(1, 4)}.corp.example"
    return DEVICE_INFO, beat(seeded_rng.choice("abcd"), when, PublicIP=address, DeviceName=name, **merged, **common)


def _random_evidence(seeded_rng: random.Random) -> Row:
    number = seeded_rng.randint(1, 5)
    choices: list[Row] = [
        {"kind": "Machine", "DeviceId": seeded_rng.choice("abcde")},
        {"kind": "Machine", "DeviceName": f"pc{number}.corp.example"},
        {"kind": "User", **_account(seeded_rng)},
        {"kind": "User", **_account(seeded_rng)},
        {"kind": "Process", "FileName": "tool.exe", "SHA256": f"{number:064x}", **_account(seeded_rng)},
        {"kind": "File", "SHA1": f"{number:040X}", "FileName": f"f{number}.exe"},
        {"kind": "Ip", "RemoteIP": f"203.0.113.{number}"},
        {"kind": "Url", "RemoteUrl": f"https://h{number}.example/a"},
        {"kind": "MailMessage", "NetworkMessageId": f"m{number}", "fields": _mail(seeded_rng)},
        {"kind": "Mailbox", **_account(seeded_rng), "fields": {"Type": "mailbox",
                                                               "MailboxPrimaryAddress": _upn(number)}},
        {"kind": "CloudApplication", "OAuthApplicationId": f"app{number}"},
        {"kind": "Process", "FileName": "x.exe", "fields": {"Type": "process", "Account": _nested(seeded_rng)}},
        {"kind": "CloudLogonSession", "fields": {"Type": "cloud-logon-session", "SessionId": f"s{number}",
                                                "Account": _nested(seeded_rng)}},
    ]  # fmt: skip
    return seeded_rng.choice(choices)


def _upn(person: int) -> str:
    return f"u{person}@corp.example"


def _account(seeded_rng: random.Random) -> Row:
    """Return some of a person's identifiers; persons with neighbouring numbers sometimes share one."""
    person = seeded_rng.randint(1, _PERSONS)
    other = person + seeded_rng.choice((0, 0, 0, 0, 1))
    values = {
        "AccountUpn": seeded_rng.choice((_upn(person), _upn(person).upper())),
        "AccountSid": seeded_rng.choice((f"S-1-5-21-1-2-3-{other}", _ENTRA_SID.format(other), "S-1-5-18")),
        "AccountObjectId": f"{other:032x}",
        "AccountName": f"u{person}",
        "AccountDomain": "CORP",
    }
    names = seeded_rng.sample(sorted(values), seeded_rng.randint(1, 3))
    return {name: values[name] for name in names}


def _nested(seeded_rng: random.Random) -> Row:
    person = seeded_rng.randint(1, _PERSONS)
    values = {"AadUserId": f"{person:032x}", "Sid": f"S-1-5-21-1-2-3-{person}", "Name": f"u{person}"}
    names = seeded_rng.sample(sorted(values), seeded_rng.randint(1, 2))
    return {"Type": "account", "NTDomain": "corp", **{name: values[name] for name in names}}


def _mail(seeded_rng: random.Random) -> Row:
    """Return a mail's fields: who reported it is shown, and links nothing."""
    mail = {"Type": "mailMessage", "Recipient": _upn(seeded_rng.randint(1, _PERSONS)), "Sender": "a@evil.example"}
    return mail | ({"Submitter": _nested(seeded_rng)} if seeded_rng.random() < 0.5 else {})
