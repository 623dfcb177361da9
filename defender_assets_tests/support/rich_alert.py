"""One alert that fills all columns of a lead: two versions on two days, two devices, every kind of entity."""

from functools import cache

from defender_assets.core.leads.risk import ScoringConfig
from defender_assets.core.leads.risk.muting import Mute
from defender_assets_tests.support.alert_rows import (
    ALERT,
    EVE,
    PC,
    SERVER,
    Row,
    at,
    beat,
    evidence,
    info,
    lead_of,
    machine,
)

OLD_ID, OBJECT_ID = "e" * 40, "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
SID = "S-1-5-21-1-2-3-1001"
SHA1, SHA256, MD5 = "1" * 40, "2" * 64, "3" * 32
VERSION: Row = {
    "Title": "Ransomware behaviour",
    "Category": "Impact",
    "ServiceSource": "Microsoft Defender for Endpoint",
}
STATE = {"LastVerdict": "Malicious", "LastRemediationState": "Active"}
USERS = [{"UserName": "jane", "DomainName": "CONTOSO", "Sid": SID}]
NOTE = "4" * 40
MUTE = Mute("Drill", "red team of November", (("title", ("ransomware*",)),))


def _infos() -> list[Row]:
    technique = "Data Encrypted for Impact (T1486)"
    first: Row = {"Severity": "Medium", "DetectionSource": "EDR", "ours": {"exported_at": at(-20), "byte_offset": 11}}
    second: Row = {
        "Severity": "High",
        "DetectionSource": "Antivirus",
        "ours": {"exported_at": at(1), "byte_offset": 22},
    }
    return [
        info(day=EVE, Timestamp=at(-21), **VERSION, **first),
        info(Timestamp=at(0.5), **VERSION, **second, AttackTechniques=[technique, "PowerShell (T1059.001)"]),
    ]


def _evidences() -> list[Row]:
    hashes = [
        {"Algorithm": "SHA1", "Value": SHA1},
        {"Algorithm": "SHA256", "Value": SHA256},
        {"Algorithm": "MD5", "Value": MD5},
    ]
    process = {
        "Type": "process",
        "ProcessId": 4711,
        "CreationTimeUtc": "2026-03-10T11:59:00Z",
        "ImageFile": {"Name": "lock.exe", "Directory": "C:\\Temp", "FileHashes": hashes},
        "ParentProcess": {"ImageFile": {"Name": "winword.exe"}, "CommandLine": "winword.exe x.docm"},
        **STATE,
    }
    mail = {"Sender": "A@evil.example", "Recipient": "Jane@contoso.com", "Urls": ["https://evil.example/mail"]}
    session: Row = {"SessionId": "Session-1", "StartTimeUtc": "2026-03-10T11:00:00Z", "UserAgent": "curl/8"}
    session |= {"Groups": [{"Type": "security-group", "DistinguishedName": "CN=Owners"}]}
    user: Row = {"AccountName": "jane", "AccountDomain": "CONTOSO", "AccountSid": SID}
    kinds: list[tuple[str, Row]] = [
        ("User", {**user, "AccountUpn": "jane@contoso.com", "AccountObjectId": OBJECT_ID, "EvidenceRole": "Impacted"}),
        ("Process", {"ProcessCommandLine": "lock.exe -all", "EvidenceRole": "Related", "fields": process}),
        (
            "File",
            {
                "FileName": "note.txt",
                "FolderPath": "C:\\Users",
                "SHA1": NOTE,
                "FileSize": 7,
                "ThreatFamily": "Locker",
                "fields": {"LastVerdict": "Suspicious"},
            },
        ),
        ("Ip", {"RemoteIP": "::ffff:203.0.113.9", "fields": {"Location": {"CountryCode": "ZZ"}}}),
        ("Url", {"RemoteUrl": "https://Evil.example/x"}),
        ("MailMessage", {"NetworkMessageId": "M-1", "EmailSubject": "Invoice", "fields": mail}),
        ("Mailbox", {"AccountUpn": "jane@contoso.com", "fields": {"MailboxPrimaryAddress": "jane@contoso.com"}}),
        ("RegistryValue", {"RegistryKey": "HKLM\\Run", "RegistryValueName": "lock", "RegistryValueData": "lock.exe"}),
        (
            "AzureResource",
            {
                "CloudResource": "vm",
                "CloudPlatform": "Azure",
                "ResourceType": "Virtual Machine",
                "ResourceID": "/Subscriptions/s/vm",
                "SubscriptionId": "s",
            },
        ),
        ("OAuthApplication", {"Application": "Helper", "OAuthApplicationId": "AB-1", "ApplicationId": 4712}),
        ("CloudLogonSession", {"fields": session}),
    ]
    return [
        machine(OLD_ID, day=EVE, Timestamp=at(-21), ours={"exported_at": at(-19), "byte_offset": 33}),
        machine(SERVER, EvidenceRole="Related", DeviceName="srv", ours={"byte_offset": 44}),
        *(evidence(kind, ALERT, **columns, ours={"byte_offset": 50 + n}) for n, (kind, columns) in enumerate(kinds)),
    ]


def _beats() -> list[Row]:
    then: Row = {
        "DeviceName": "pc1.contoso.com",
        "OSPlatform": "Windows11",
        "OSVersion": "22H2",
        "OSBuild": 22621,
        "DeviceType": "Workstation",
        "DeviceCategory": "Endpoint",
        "MachineGroup": "Finance",
        "DeviceManualTags": ["VIP"],
        "RegistryDeviceTag": "old",
        "OnboardingStatus": "Onboarded",
        "SensorHealthState": "Active",
        "ExposureLevel": "Low",
        "AssetValue": "High",
        "IsInternetFacing": True,
        "PublicIP": "198.51.100.7",
        "JoinType": "Hybrid Azure AD Join",
        "AadDeviceId": OBJECT_ID,
        "LoggedOnUsers": USERS,
    }
    return [
        beat(OLD_ID, at(-23), day=EVE, MergedToDeviceId=PC),
        beat(PC, at(-22), day=EVE, **then),
        beat(PC, at(1), ExposureLevel="High"),
    ]


@cache
def the_lead() -> Row:
    """The alert's lead of DAY."""
    return lead_of(_infos(), _evidences(), _beats(), scoring=ScoringConfig(mutes=(MUTE,)))
