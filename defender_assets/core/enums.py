"""Enumerations that tables, checks and commands share. No imports: command help loads it.

Microsoft may extend each of them (source facts), so a word that is missing here is drift and no error.
"""

SEVERITIES = ("High", "Medium", "Low", "Informational")
LEVELS = tuple(severity.lower() for severity in SEVERITIES)
"""Severities in lower case, highest first. Microsoft may add others."""

PRODUCTS = (
    "endpoint", "identity", "office365", "cloud_apps", "entra_id", "xdr", "cloud", "dlp", "app_governance",
    "sentinel", "other",
)  # fmt: skip

NEW, IN_PROGRESS, CLOSED = "new", "in_progress", "closed"
STATES = (NEW, IN_PROGRESS, CLOSED)
"""States of a lead in triage. A lead of which nobody has said anything is new."""

OPEN, ANY = "open", "all"
STATE_FILTERS = (OPEN, ANY, *STATES)
"""What the commands show: every state but closed, every state, or one of them."""

TRUE_POSITIVE = "true_positive"
VERDICTS = (TRUE_POSITIVE, "benign_positive", "false_positive", "undetermined")
"""Verdicts of analysts. A lead gets one when it is closed."""

CATEGORIES = (
    "InitialAccess", "Execution", "Persistence", "PrivilegeEscalation", "DefenseEvasion", "Stealth",
    "DefenseImpairment", "CredentialAccess", "Discovery", "LateralMovement", "Collection", "CommandAndControl",
    "Exfiltration", "Impact", "Reconnaissance", "ResourceDevelopment", "Malware", "Ransomware", "Exploit",
    "UnwantedSoftware", "SuspiciousActivity",
)  # fmt: skip
"""Categories of alerts: ATT&CK's tactics, of version 19 too, and Microsoft's own."""

DETECTION_SOURCES = (
    "Antivirus", "EDR", "SmartScreen", "Custom TI", "Custom detection", "Automated investigation",
    "Microsoft Defender Experts", "Microsoft Defender for Endpoint", "Microsoft Defender for Office 365",
    "Microsoft Defender for Identity", "Microsoft Defender for Cloud Apps", "Microsoft Defender XDR",
    "Microsoft 365 Defender", "AAD Identity Protection", "App Governance", "Microsoft Data Loss Prevention",
    "Microsoft Defender for Cloud", "Microsoft Sentinel", "Cloud App Security", "MDC", "DefenderForStorage",
    "DefenderForResourceManager", "Manual", "WindowsDefenderAv", "WindowsDefenderAtp", "WindowsDefenderSmartScreen",
    "CustomerTI", "OfficeATP", "MTP", "AzureATP", "MCAS", "CustomDetection", "AutomatedInvestigation",
    "ThreatExperts",
)  # fmt: skip
"""Detection technologies and sensors, older spellings included (source facts, sections 3 and 4)."""

ENTITY_TYPES = (
    "Machine", "User", "Process", "File", "Ip", "Url", "MailMessage", "Mailbox", "CloudLogonRequest",
    "CloudLogonSession", "ServicePrincipal", "Malware", "MailCluster", "CloudApplication", "OAuthApplication",
    "RegistryKey", "RegistryValue", "SecurityGroup", "AzureResource", "CloudResource", "BlobContainer", "Blob",
    "GenericEntity", "MailboxConfiguration", "SubmissionMail", "KubernetesCluster", "KubernetesNamespace",
    "KubernetesNode", "KubernetesController", "KubernetesPod", "KubernetesService", "KubernetesServiceAccount",
    "KubernetesSecret", "Container", "ContainerImage", "ContainerRegistry", "IoTDevice", "AmazonResource",
    "GoogleCloudResource", "DNS", "NetworkConnection", "Account", "Host", "FileHash", "HostLogonSession",
)  # fmt: skip
"""Kinds of entities of Microsoft's entity reference (source facts, section 4), compared as `words.word_key`."""
