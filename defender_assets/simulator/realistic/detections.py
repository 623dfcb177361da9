"""A large, varied catalogue of detections: activities in several wordings, each with its severity."""

from functools import cache
from random import Random

from defender_assets.simulator.catalogue import Detection
from defender_assets.simulator.products import (
    CLOUD,
    CLOUD_APPS,
    DLP,
    ENDPOINT,
    ENTRA_ID,
    IDENTITY,
    OFFICE,
    SENTINEL,
    SERVICE_SOURCES,
    XDR,
)
from defender_assets.simulator.realistic.rates import SEVERITIES_OF_ATTACKS
from defender_assets.simulator.scenario import seeded_rng

# product, category, technique, activities separated by `|`
_ACTIVITIES = (
    (ENDPOINT, "Execution", "PowerShell (T1059.001)",
     "PowerShell download|encoded PowerShell command|PowerShell in memory|script block without a file"),
    (ENDPOINT, "Execution", "Windows Command Shell (T1059.003)", "command shell sequence|batch file from a temp path"),
    (ENDPOINT, "Execution", "Windows Management Instrumentation (T1047)", "WMI process creation|remote WMI activity"),
    (ENDPOINT, "Execution", "Malicious File (T1204.002)", "file opened from an archive|Office child process"),
    (ENDPOINT, "Execution", "Service Execution (T1569.002)", "service run for a single command"),
    (ENDPOINT, "Persistence", "Scheduled Task (T1053.005)", "scheduled task creation|task that starts from user files"),
    (ENDPOINT, "Persistence", "Registry Run Keys / Startup Folder (T1547.001)", "autostart registration"),
    (ENDPOINT, "Persistence", "Windows Service (T1543.003)", "service registration|driver from a user folder"),
    (ENDPOINT, "Persistence", "Local Account (T1136.001)", "creation of a local account|change of a local group"),
    (ENDPOINT, "PrivilegeEscalation", "Bypass User Account Control (T1548.002)", "elevation without a prompt"),
    (ENDPOINT, "PrivilegeEscalation", "Access Token Manipulation (T1134)", "token theft|named pipe impersonation"),
    (ENDPOINT, "DefenseEvasion", "Disable or Modify Tools (T1562.001)",
     "tampering with the antivirus|antivirus exclusion|stopped security service"),
    (ENDPOINT, "DefenseEvasion", "Process Injection (T1055)", "process injection|hollowed process|foreign thread"),
    (ENDPOINT, "DefenseEvasion", "Rundll32 (T1218.011)", "proxy execution through a system binary"),
    (ENDPOINT, "DefenseEvasion", "Clear Windows Event Logs (T1070.001)", "cleared event log|timestamp manipulation"),
    (ENDPOINT, "DefenseEvasion", "Masquerading (T1036)", "renamed system tool|double file extension"),
    (ENDPOINT, "CredentialAccess", "LSASS Memory (T1003.001)", "read of LSASS memory|memory dump of a system process"),
    (ENDPOINT, "CredentialAccess", "NTDS (T1003.003)", "copy of the directory database|shadow copy mount"),
    (ENDPOINT, "CredentialAccess", "Security Account Manager (T1003.002)", "export of the SAM hive"),
    (ENDPOINT, "CredentialAccess", "Credentials from Password Stores (T1555)", "access to browser passwords"),
    (ENDPOINT, "Discovery", "Domain Account (T1087.002)", "account enumeration|directory query tool"),
    (ENDPOINT, "Discovery", "Network Service Discovery (T1046)", "port scan|share enumeration"),
    (ENDPOINT, "Discovery", "System Information Discovery (T1082)", "sequence of discovery commands"),
    (ENDPOINT, "LateralMovement", "SMB/Windows Admin Shares (T1021.002)",
     "file copied to an admin share|remote service creation|execution over SMB"),
    (ENDPOINT, "LateralMovement", "Remote Desktop Protocol (T1021.001)", "remote desktop session|tunnelled desktop"),
    (ENDPOINT, "LateralMovement", "Windows Remote Management (T1021.006)", "remote shell|remote script"),
    (ENDPOINT, "CommandAndControl", "Web Protocols (T1071.001)", "beacon|connection to a rare host|proxy tunnel"),
    (ENDPOINT, "CommandAndControl", "Remote Access Software (T1219)", "remote access tool|unapproved support tool"),
    (ENDPOINT, "Collection", "Archive via Utility (T1560.001)", "archive of documents|staging of many files"),
    (ENDPOINT, "Exfiltration", "Exfiltration Over Web Service (T1567)", "upload to a file share|use of a sync tool"),
    (ENDPOINT, "Impact", "Inhibit System Recovery (T1490)", "deletion of shadow copies|disabled recovery"),
    (ENDPOINT, "Ransomware", "Data Encrypted for Impact (T1486)", "mass file change|ransom note|encryption of files"),
    (ENDPOINT, "Malware", "", "malware in a download|hacking tool|credential theft tool|backdoor|loader"),
    (ENDPOINT, "UnwantedSoftware", "", "unwanted software|adware installer"),
    (ENDPOINT, "Exploit", "Exploitation for Client Execution (T1203)", "exploit behaviour|crash of a reader"),
    (ENDPOINT, "SuspiciousActivity", "", "file with a rare signer|unsigned library|low-reputation program"),
    (IDENTITY, "CredentialAccess", "Kerberoasting (T1558.003)", "request of service tickets|roasting of accounts"),
    (IDENTITY, "LateralMovement", "Pass the Hash (T1550.002)", "use of a stolen hash|use of a stolen ticket"),
    (IDENTITY, "CredentialAccess", "DCSync (T1003.006)", "directory replication request"),
    (IDENTITY, "Discovery", "Domain Account (T1087.002)", "directory enumeration|reconnaissance over SAMR|LDAP search"),
    (IDENTITY, "CredentialAccess", "Brute Force (T1110)", "password spray|failed logons|guessing of passwords"),
    (IDENTITY, "Persistence", "Account Manipulation (T1098)", "change of a sensitive group|new delegation"),
    (IDENTITY, "Execution", "Windows Management Instrumentation (T1047)", "remote code execution attempt"),
    (OFFICE, "InitialAccess", "Phishing (T1566)", "phishing mail|malicious link|mail with a malicious attachment"),
    (OFFICE, "InitialAccess", "Spearphishing Attachment (T1566.001)", "attachment reported by a user"),
    (OFFICE, "Collection", "Email Forwarding Rule (T1114.003)", "forwarding rule|inbox rule"),
    (CLOUD_APPS, "Exfiltration", "Exfiltration to Cloud Storage (T1567.002)", "mass download|mass sharing"),
    (CLOUD_APPS, "InitialAccess", "Cloud Accounts (T1078.004)", "activity from a rare country|activity by a new agent"),
    (CLOUD_APPS, "Persistence", "Application Access Token (T1550.001)", "consent to an application"),
    (ENTRA_ID, "InitialAccess", "Cloud Accounts (T1078.004)", "unfamiliar sign-in|anonymous address|leaked password"),
    (ENTRA_ID, "CredentialAccess", "Steal Web Session Cookie (T1539)", "anomalous token"),
    (XDR, "LateralMovement", "Remote Services (T1021)", "hands-on-keyboard attack|movement between devices"),
    (XDR, "Ransomware", "Data Encrypted for Impact (T1486)", "ransomware activity|attack disruption of an account"),
    (XDR, "SuspiciousActivity", "", "sign-in followed by an inbox rule|multi-stage activity"),
    (DLP, "Exfiltration", "", "document sent outside|copy to a removable drive|upload of sensitive text"),
    (CLOUD, "Execution", "Cloud Administration Command (T1651)", "management operation|run command on a machine"),
    (CLOUD, "InitialAccess", "Valid Accounts (T1078)", "access to storage|sign-in to a management port"),
    (SENTINEL, "Discovery", "Network Service Discovery (T1046)", "scan in the firewall log|rare outbound port"),
    (SENTINEL, "CredentialAccess", "Brute Force (T1110)", "many failed logons|logon after many failures"),
    (SENTINEL, "Persistence", "Account Manipulation (T1098)", "privileged role assignment|change of a policy"),
)  # fmt: skip

_WORDINGS = ("Suspicious {}", "Possible {}", "Unusual {}", "{} detected", "{} was observed", "Rule 0{number}: {}")

_SHAPES = {
    ENDPOINT: "Machine User Process",
    IDENTITY: "NamedMachine User PrivateIp",
    OFFICE: "MailMessage Mailbox User Url MailCluster",
    CLOUD_APPS: "User CloudApplication Ip",
    ENTRA_ID: "EntraUser Ip CloudLogonRequest",
    XDR: "Machine User Process",
    DLP: "User File",
    CLOUD: "AzureResource EntraUser Ip",
    SENTINEL: "HostMachine User Ip",
}
_SOURCES = ("EDR", "EDR", "EDR", "Antivirus", "Custom detection", "SmartScreen")


@cache
def all_detections() -> tuple[Detection, ...]:
    """Every activity in every wording. The severity belongs to the detection, as Microsoft assigns it."""
    found = []
    for number, (product, category, technique, activities) in enumerate(_ACTIVITIES, 1):
        for activity in activities.split("|"):
            for wording in _WORDINGS:
                title = wording.format(activity, number=number)
                title = title[0].upper() + title[1:]
                rng = seeded_rng("detection", product, title)
                source = rng.choice(_SOURCES) if product == ENDPOINT else SERVICE_SOURCES[product]
                severity = rng.choice(tuple(SEVERITIES_OF_ATTACKS))  # evenly: `draw` weights them
                techniques, shapes = (technique,) if technique else (), tuple(_SHAPES[product].split())
                found.append(
                    Detection(product, title, category, severity, techniques, shapes, "", source, windows=False)
                )
    return tuple(found)


@cache
def of_product(product: str) -> tuple[Detection, ...]:
    """The detections of one product."""
    return tuple(each for each in all_detections() if each.product == product)


def draw(rng: Random, product: str, severities: dict[str, int]) -> Detection:
    """A detection of the product; its severity follows these weights as far as the product has such detections."""
    detections = of_product(product)
    weights = [severities[each.severity] for each in detections]
    return rng.choices(detections, weights)[0]
