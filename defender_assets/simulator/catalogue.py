"""The detections of the simulated products, as a table."""

from typing import NamedTuple

from defender_assets.simulator.products import (
    CLOUD,
    CLOUD_APPS,
    DLP,
    ENDPOINT,
    ENTRA_ID,
    IDENTITY,
    OFFICE,
    SERVICE_SOURCES,
    XDR,
)


class Detection(NamedTuple):
    """One detection: its columns of AlertInfo, and the entities that it reports as evidence."""

    product: str
    title: str
    category: str
    severity: str
    techniques: tuple[str, ...]
    """As Microsoft writes them: `Name (T1059.001)`."""
    shapes: tuple[str, ...]
    """Keys of `evidence.SHAPES`, the most specific first."""
    stage: str
    """The stage of a campaign that it can represent; "" for none."""
    source: str
    """DetectionSource."""
    windows: bool
    """Whether it only happens on Windows."""


def _endpoint(
    title: str, category: str, severity: str, techniques: str, shapes: str, stage: str, source: str, system: str
) -> Detection:
    names, windows = _split_techniques(techniques), system == "Windows"
    return Detection(ENDPOINT, title, category, severity, names, tuple(shapes.split()), stage, source, windows)


def _other(
    product: str, title: str, category: str, severity: str, techniques: str, shapes: str, stage: str, source: str = ""
) -> Detection:
    names, source = _split_techniques(techniques), source or SERVICE_SOURCES[product]
    return Detection(product, title, category, severity, names, tuple(shapes.split()), stage, source, windows=False)


def _split_techniques(techniques: str) -> tuple[str, ...]:
    return tuple(techniques.split("; ")) if techniques else ()


# fmt: off
_ENDPOINT_TABLE = (
    ("Suspicious PowerShell command line", "Execution", "Medium",
     "PowerShell (T1059.001); Deobfuscate/Decode Files or Information (T1140)",
     "Machine User Process File Ip Url", "execute", "EDR", "Windows"),
    ("Office application launched a script interpreter", "InitialAccess", "High",
     "Malicious File (T1204.002); Visual Basic (T1059.005)",
     "Machine User Process File Url", "execute", "EDR", "Windows"),
    ("Connection to a known command-and-control address", "CommandAndControl", "High",
     "Web Protocols (T1071.001)", "Machine User Process File Ip", "beacon", "Custom TI", "any"),
    ("Sensitive credential memory read", "CredentialAccess", "High",
     "LSASS Memory (T1003.001)", "Machine User Process File System", "credential", "EDR", "Windows"),
    ("Remote service installed and started", "LateralMovement", "High",
     "Windows Service (T1543.003); SMB/Windows Admin Shares (T1021.002)",
     "Machine User File Ip RegistryKey System", "spread", "EDR", "Windows"),
    ("File encryption activity on a server", "Ransomware", "High",
     "Data Encrypted for Impact (T1486)", "Machine User Process File Ip System", "spread", "EDR", "Windows"),
    ("Malware was prevented from running", "Malware", "Informational",
     "", "Machine File Malware", "", "Antivirus", "any"),
    ("Potentially unwanted application detected", "UnwantedSoftware", "Low",
     "", "Machine File User", "", "Antivirus", "any"),
    ("User opened a site that is blocked", "SuspiciousActivity", "Informational",
     "Drive-by Compromise (T1189)", "Machine User Url", "", "SmartScreen", "any"),
    ("Suspicious scheduled task created", "Persistence", "Medium",
     "Scheduled Task (T1053.005)", "Machine User Process File System RegistryValue", "", "EDR", "Windows"),
    ("Run key changed by an unsigned program", "Persistence", "Low",
     "Registry Run Keys / Startup Folder (T1547.001)", "Machine User Process File RegistryKey", "", "EDR", "Windows"),
    ("Process injection into a browser", "DefenseEvasion", "Medium",
     "Process Injection (T1055); Portable Executable Injection(T1055.002)",
     "Machine User Process File", "", "EDR", "Windows"),
    ("Event log was cleared", "DefenseEvasion", "Medium",
     "Clear Windows Event Logs (T1070.001)", "Machine MachineAccount Process", "", "EDR", "Windows"),
    ("Network scan from an unmanaged tool", "Discovery", "Low",
     "Network Service Discovery (T1046); Remote System Discovery (T1018)",
     "Machine User Process PrivateIp", "", "Custom detection", "any"),
    ("Archive of many documents created", "Collection", "Low",
     "Archive via Utility (T1560.001)", "Machine User Process File", "", "EDR", "any"),
    ("Suspicious cron job or launch agent", "Persistence", "Medium",
     "Cron (T1053.003)", "Machine User Process File", "", "EDR", "any"),
)

_OTHER_TABLE = (
    (OFFICE, "Email messages removed after delivery", "InitialAccess", "Informational",
     "Phishing (T1566); Spearphishing Link (T1566.002)", "MailMessage Mailbox User Url MailCluster", "phish"),
    (OFFICE, "A user clicked through to a malicious link", "InitialAccess", "High",
     "Spearphishing Link (T1566.002)", "MailMessage Mailbox User Url", "phish"),
    (OFFICE, "Email reported by user as phishing", "InitialAccess", "Low",
     "Phishing (T1566)", "MailMessage Mailbox Url", ""),
    (OFFICE, "Suspicious forwarding rule", "Collection", "Low",
     "Email Forwarding Rule (T1114.003)", "Mailbox User", ""),
    (IDENTITY, "Suspected overpass-the-hash attack", "LateralMovement", "High",
     "Pass the Hash (T1550.002); Kerberos (Use Alternate Authentication Material) (T1550)",
     "User Machine PrivateIp", "lateral"),
    (IDENTITY, "Unusual Kerberos service tickets requested", "CredentialAccess", "Medium",
     "Kerberoasting (T1558.003)", "User Machine PrivateIp MachineAccount", "lateral"),
    (IDENTITY, "Account enumeration over LDAP", "Discovery", "Medium",
     "Domain Account (T1087.002)", "User PrivateIp MachineAccount", ""),
    (IDENTITY, "Suspicious additions to a sensitive group", "Persistence", "Medium",
     "Account Manipulation (T1098)", "User SecurityGroup MachineAccount", ""),
    (CLOUD_APPS, "Mass download by a single user", "Exfiltration", "Medium",
     "Exfiltration to Cloud Storage (T1567.002)", "User CloudApplication Ip", "cloud"),
    (CLOUD_APPS, "Unusual consent to an application", "Persistence", "Medium",
     "Application Access Token (T1550.001)", "User OAuthApplication EgressIp", ""),
    (CLOUD_APPS, "Activity from an infrequent country", "InitialAccess", "Low",
     "Cloud Accounts (T1078.004)", "User CloudApplication EgressIp", ""),
    (ENTRA_ID, "Unfamiliar sign-in properties", "InitialAccess", "High",
     "Cloud Accounts (T1078.004)", "EntraUser Ip CloudLogonRequest", "signin"),
    (ENTRA_ID, "Atypical travel", "InitialAccess", "Medium",
     "Valid Accounts (T1078)", "EntraUser Ip EgressIp CloudLogonRequest", ""),
    (XDR, "Possible hands-on-keyboard attack", "LateralMovement", "High",
     "Remote Services (T1021)", "Machine User Process", ""),
    (XDR, "Suspicious sign-in followed by an inbox rule", "SuspiciousActivity", "Medium",
     "", "User Mailbox EgressIp", "", "Microsoft 365 Defender"),
    (DLP, "Policy matched for a document sent outside", "Exfiltration", "Low", "", "User MailMessage File", ""),
    (CLOUD, "Suspicious management operation on a virtual machine", "Execution", "Medium",
     "Cloud Administration Command (T1651)", "AzureResource EntraUser EgressIp", ""),
)
# fmt: on

DETECTIONS = (*(_endpoint(*row) for row in _ENDPOINT_TABLE), *(_other(*row) for row in _OTHER_TABLE))

# Titles with text that an attacker controls.
HOSTILE_TITLES = (
    'Process "invoice.exe" said "it\'s fine", then \\ left',
    "<script>alert('title')</script> in a file name",
    "[Open the report](https://reports.example/'onclick='x) now",
    "=cmd|' /C calc'!A0",
    "\x1b[31mRed\x1b[0m alert \x1b]0;owned\x07",
    "Zero\u200bwidth, right-to-left \u202egpj.exe and \U0001f41f",
    "A title\nof two lines\tand | pipes |",
)


def of_product(product: str, *, windows: bool) -> tuple[Detection, ...]:
    """The detections of a product that can happen on Windows, or on other systems."""
    return tuple(each for each in DETECTIONS if each.product == product and (windows or not each.windows))


def of_stage(stage: str) -> tuple[Detection, ...]:
    """The detections that can represent this stage of a campaign."""
    return tuple(each for each in DETECTIONS if each.stage == stage)
