"""Random records of few alerts, accounts, devices and entities, so that any two of them often share something."""

import random
from datetime import timedelta
from typing import Any

from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, Table
from defender_assets_tests.support.alert_rows import DAY, OTHER_TENANT, TENANT, Row, at, beat, evidence, info

_TITLES = ("Lateral movement", "lateral  movement", "Lateral movem\u0435nt", "Phishing", "PHISHING", "Beacon", None)
_PERSONS = 6
DEVICES = ("a", "b", "c", "d", "e", "f")
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
    return DEVICE_INFO, random_heartbeat(seeded_rng)


def random_heartbeat(seeded_rng: random.Random) -> Row:
    """Return a heartbeat of the look-back, dated before, on or after its day, or never; often of a merged device."""
    days = -seeded_rng.choice((0, 0, 0, 1, 1, 2, 5))
    when = at(seeded_rng.choice((0, 0, -24, 24, 48)) + seeded_rng.randint(-12, 12), days, seeded_rng.choice((0, 0, 30)))
    values: dict[str, Any] = {
        "DeviceName": seeded_rng.choice((None, "-", *(_random_name(seeded_rng) for _ in range(4)))),
        "OnboardingStatus": seeded_rng.choice((None, "Onboarded", "Can be onboarded")),
        "PublicIP": seeded_rng.choice((None, f"203.0.113.{seeded_rng.randint(1, 6)}")),
        "ExposureLevel": seeded_rng.choice((None, "Low", "High")),
        "RegistryDeviceTag": seeded_rng.choice((None, "site-a", "site-b")),
        "ReportId": seeded_rng.randint(1, 2),
    }
    merges = seeded_rng.random()
    if merges < 0.2:
        values["MergedToDeviceId"] = seeded_rng.choice(DEVICES)
    elif merges < 0.3:
        values["MergedDeviceIds"] = seeded_rng.sample(DEVICES, 2)
    device = seeded_rng.choice((*DEVICES, *DEVICES, "-", f" {DEVICES[0].upper()} "))
    tenant = seeded_rng.choice((TENANT, TENANT, OTHER_TENANT))
    return beat(device, when, day=DAY + timedelta(days=days), tenant=tenant, **values)


def _random_name(seeded_rng: random.Random) -> str:
    """Return the name of one of few hosts: full, in another domain, or short."""
    number = seeded_rng.randint(1, 5)
    return seeded_rng.choice(
        (f"pc{number}.corp.example", f"PC{number}.corp.example", f"pc{number}.other", f"pc{number}")
    )


def _random_evidence(seeded_rng: random.Random) -> Row:
    number = seeded_rng.randint(1, 5)
    choices: list[Row] = [
        {"kind": "Machine", "DeviceId": seeded_rng.choice(DEVICES)},
        {"kind": "Machine", "DeviceId": seeded_rng.choice(DEVICES)},
        {"kind": "Machine", "DeviceName": _random_name(seeded_rng)},
        {"kind": "Process", "FileName": "y.exe", "fields": {"Type": "process", "Host": _host(seeded_rng)}},
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


def _host(seeded_rng: random.Random) -> Row:
    named = {"MachineId": seeded_rng.choice(DEVICES)} if seeded_rng.random() < 0.5 else {}
    return {"Type": "host", "HostName": _random_name(seeded_rng), **named}


def _mail(seeded_rng: random.Random) -> Row:
    """Return a mail's fields: who reported it is shown, and links nothing."""
    mail = {"Type": "mailMessage", "Recipient": _upn(seeded_rng.randint(1, _PERSONS)), "Sender": "a@evil.example"}
    return mail | ({"Submitter": _nested(seeded_rng)} if seeded_rng.random() < 0.5 else {})
