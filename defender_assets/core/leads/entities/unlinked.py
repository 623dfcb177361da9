"""What links no leads, because everybody has it. Each table gives its reason; the functions apply the tables.

An entity that is named here stays on its lead. Only `entities`, which links leads into stories, leaves it out. How
often any other entity may occur is measured in the tenant (`core/stories/correlation.py`).
"""

import re
import unicodedata

import polars as pl

from defender_assets.core.identifiers import PLACEHOLDERS
from defender_assets.core.leads.entities.addresses import is_external
from defender_assets.core.leads.entities.urls import is_rewriter

PREVALENT_FROM = 10_000
"""A file that the evidence itself has seen on so many devices in the world links nothing (`KnownPrevalence`,
`GlobalPrevalence`). Microsoft's hunting queries call a file below 1,000 rare; an attacker's own build stays far below,
while what comes with Windows is above 100,000. Ten times the former leaves public attack tools linking."""

PREVALENT_WORDS = ("true", "high", "very high", "veryhigh")
"""The same where a service gives a word (`IsPrevalent`)."""

UNLINKED_ADDRESSES: dict[str, tuple[str, ...]] = {
    "Azure's WireServer: the same virtual address inside every virtual machine of Azure": ("168.63.129.16",),
    "Metadata services of clouds: the same address inside every instance": (
        "169.254.169.254", "169.254.170.2", "169.254.169.253", "100.100.100.200", "192.0.0.192", "fd00:ec2::254",
        "fd00:ec2::253", "fd20:ce::254",
    ),
    "Public DNS resolvers: every device may ask them": (
        "8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844",
        "1.1.1.1", "1.0.0.1", "1.1.1.2", "1.0.0.2", "1.1.1.3", "1.0.0.3",
        "2606:4700:4700::1111", "2606:4700:4700::1001",
        "9.9.9.9", "149.112.112.112", "9.9.9.10", "149.112.112.10", "9.9.9.11", "149.112.112.11",
        "2620:fe::fe", "2620:fe::9",
        "208.67.222.222", "208.67.220.220", "208.67.222.123", "208.67.220.123", "2620:119:35::35", "2620:119:53::53",
        "4.2.2.1", "4.2.2.2", "4.2.2.3", "4.2.2.4", "4.2.2.5", "4.2.2.6",
        "64.6.64.6", "64.6.65.6", "94.140.14.14", "94.140.15.15", "76.76.2.0", "76.76.10.0", "185.228.168.9",
        "185.228.169.9", "8.26.56.26", "8.20.247.20", "84.200.69.80", "84.200.70.40", "193.110.81.0",
        "77.88.8.8", "77.88.8.1", "114.114.114.114", "114.114.115.115", "223.5.5.5", "223.6.6.6", "119.29.29.29",
        "180.76.76.76", "168.126.63.1", "168.126.63.2",
    ),
}  # fmt: skip
"""Reason -> addresses. Loopback, private and reserved ranges are in `addresses`, the tenant's own ones are measured."""

UNLINKED_HOSTS: dict[str, tuple[str, ...]] = {
    # Not whole domains: attackers share files under them too.
    "Where everybody signs in and reads mail": (
        "accounts.google.com", "account.microsoft.com", "autologon.microsoftazuread-sso.com", "graph.microsoft.com",
        "login.live.com", "login.microsoft.com", "login.microsoftonline.com", "login.microsoftonline.us",
        "login.partner.microsoftonline.cn", "login.windows.net", "management.azure.com", "office.com",
        "outlook.live.com", "outlook.office.com", "outlook.office365.com", "portal.azure.com",
        "security.microsoft.com", "sts.windows.net", "www.bing.com", "www.google.com", "www.microsoft.com",
        "www.office.com",
    ),
    "What every Windows asks by itself": (
        "ctldl.windowsupdate.com", "download.windowsupdate.com", "www.msftconnecttest.com", "www.msftncsi.com",
        "wpad",
    ),
    "Names of metadata services and public resolvers, as for their addresses": (
        "metadata.google.internal", "metadata", "cloudflare-dns.com", "dns.google", "dns.quad9.net",
        "one.one.one.one",
    ),
    "Shorteners: strangers' links are under one host": (
        "aka.ms", "bit.ly", "buff.ly", "cutt.ly", "goo.gl", "is.gd", "lnkd.in", "ow.ly", "rb.gy", "rebrand.ly", "t.co",
        "t.ly", "tiny.cc", "tinyurl.com", "v.gd", "youtu.be",
    ),
}  # fmt: skip
"""Reason -> hosts. Hosts that rewrite links (Safe Links …) are in `urls.REWRITERS`: their links count by the target."""

UNLINKED_FILES: dict[str, tuple[str, ...]] = {
    "The empty file": (
        "d41d8cd98f00b204e9800998ecf8427e",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
    "A line break alone": (
        "68b329da9893e34099c7d8ad5cb9c940", "adc83b19e793491b1c6ea0fd8b46cd9f32e592fc",
        "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b",
    ),
}  # fmt: skip
"""Reason -> MD5, SHA-1, SHA-256."""

PREVALENT_IMAGES = (
    "bitsadmin.exe", "certutil.exe", "cmd.exe", "conhost.exe", "cscript.exe", "dllhost.exe", "explorer.exe",
    "lsass.exe", "mmc.exe", "msedge.exe", "mshta.exe", "msiexec.exe", "net.exe", "net1.exe", "ntoskrnl.exe",
    "outlook.exe", "powershell.exe", "powershell_ise.exe", "pwsh.exe", "reg.exe", "regsvr32.exe", "rundll32.exe",
    "schtasks.exe", "services.exe", "svchost.exe", "taskhostw.exe", "vssadmin.exe", "whoami.exe", "winword.exe",
    "excel.exe", "chrome.exe", "wmic.exe", "wmiprvse.exe", "wscript.exe",
    "bash", "cat", "chmod", "cron", "crond", "curl", "dash", "env", "find", "grep", "launchctl", "launchd", "ls",
    "node", "nohup", "openssl", "osascript", "perl", "ps", "python", "python2", "python3", "ruby", "scp", "sed", "sh",
    "ssh", "sshd", "su", "sudo", "systemctl", "systemd", "tar", "wget", "xargs", "zsh",
)  # fmt: skip
"""Tools of the operating systems and programs of everybody, in PREVALENT_FOLDERS: they are the image of half of all
processes."""
_DRIVE = r"(?:(?:\\\\[?.]\\)?[a-z]:|\\device\\harddiskvolume\d+)"
_WINDOWS = rf"(?:{_DRIVE}\\windows|%(?:windir|systemroot)%|\\systemroot)"
_PROGRAMS = rf"(?:{_DRIVE}\\program files(?: \(x86\))?|%programfiles(?:\(x86\))?%)"
PREVALENT_FOLDERS = rf"^(?:(?:{_WINDOWS}|{_PROGRAMS})(?:\\|$)|(?:/usr)?/s?bin(?:/|$))"
"""Folders in lower case, as paths of drives, of the kernel and with variables."""
OWN_FOLDERS = (
    rf"^(?:{_WINDOWS}\\(?:system32|syswow64|sysnative)(?:\\(?:wbem|windowspowershell\\v1\.0|openssh))?"
    rf"|{_PROGRAMS}\\.+|(?:/usr)?/s?bin)[\\/]?$"
)
"""Where these images come from. What has such a name in such a folder is the program itself; elsewhere under Windows it
can be an attacker's file with the same name."""

UNLINKED_APPS: dict[str, tuple[str, ...]] = {
    "Microsoft's own applications and tools: in every tenant": (
        "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "0000000c-0000-0000-c000-000000000000",
        "0ec893e0-5785-4de6-99da-4ed124e5296c", "1950a258-227b-4e31-a9cf-717495945fc2",
        "14d82eec-204b-4c2f-b7e8-296a70dab67e", "18fbca16-2224-45f6-85b0-f7bf2b39b3f3",
        "1b730954-1685-4b74-9bfd-dac224a7b894", "1fec8e78-bce4-4aaf-ab1b-5451cc387264",
        "26a7ee05-5602-4d76-a7ba-eae8b7b67941", "27922004-5251-4030-b22d-91ecd9a37ea4",
        "29d9ed98-a469-4536-ade2-f981bc1d605e", "2d7f3606-b07d-41d1-b9d2-0d0c9296a6e8",
        "38aa3b87-a06d-4817-b275-7a316988d93b", "4345a7b9-9a63-4910-a426-35363201d503",
        "4765445b-32c6-49b0-83e6-1d93765276ca", "4813382a-8fa7-425e-ab75-3b753aab3abb",
        "57fb890c-0dab-4253-a5e0-7188c88b2bb4", "5e3ce6c0-2b1f-4285-8d4b-75ee78787346",
        "66a88757-258c-4c72-893c-3e8bed4d6899", "67e3df25-268a-4324-a550-0de1c7f97287",
        "797f4846-ba00-4fd7-ba43-dac1f8f63013", "872cd9fa-d31f-45e0-9eab-6e460a02d1f1",
        "89bee1f7-5e6e-4d8a-9f3d-ecd601259da7", "9199bf20-a13f-4107-85dc-02114787ef48",
        "93d53678-613d-4013-afc1-62e9e444a0a5", "9bc3ab49-b65d-410a-85ad-de819febfddc",
        "a0c73c16-a7e3-4564-9a95-2bdf47383716", "ab9b8c07-8f02-4f72-87fa-80105867a763",
        "b26aadf8-566f-4478-926f-589f601d9c74", "c44b4083-3bb0-49c1-b47d-974e53cbdf3c",
        "cc15fd57-2c6c-4117-a88c-83b1d56b4bbe", "d3590ed6-52b3-4102-aeff-aad2292ab01c",
        "de8bc8b5-d9f9-48b1-a8ad-b748da725064", "fb78d390-0c51-40cd-8e17-fdbfab77341b",
        "ffcb16e8-f789-467c-8ce9-f826a080d987",
    ),
}  # fmt: skip
"""Reason -> ids in Entra. The numbers of SaaS applications (Salesforce, Office 365 …) link nothing at all: two people's
alerts in the company's Salesforce have only the service in common."""
UNLINKED_APP_PATTERN = r"^0000000[0-9a-f]-0000-0(?:000|ff1)-c[0-9a-f]00-000000000000$"
"""Ids of Microsoft's oldest applications, such as Exchange, SharePoint, Graph."""

MICROSOFT_TENANTS = ("f8cdef31-a31e-4b4a-93e4-5f571e91255a", "72f988bf-86f1-41af-91ab-2d7cd011db47")
"""An application that one of these tenants owns (`AppOwnerTenantId`) is Microsoft's own."""

UNLINKED_SESSIONS: dict[str, tuple[int, ...]] = {
    "Logon sessions of the system on every Windows: LocalSystem, NetworkService, LocalService, IUSR, anonymous": (
        0x3E7, 0x3E4, 0x3E5, 0x3E3, 0x3E6, 0,
    ),
}  # fmt: skip
"""Reason -> LUIDs. All other host logon sessions link only together with their host and their start."""

UNLINKED_RESOURCES: dict[str, str] = {
    "A subscription or a resource group holds everything of a team": (
        r"^/?subscriptions/[^/]+(?:/resourcegroups/[^/]+)?$|^/?providers/microsoft\.management/managementgroups/"
    ),
    "An account of AWS": r"^\d{12}$|^arn:[^:]*:[^:]*:[^:]*:\d*:(?:root)?$",
    "A project or an organisation of Google Cloud": r"^(?://cloudresourcemanager\.googleapis\.com/)?(?:projects|folders|organizations)/[^/]+$",
}
"""Reason -> pattern of a resource's id in lower case."""
UNLINKED_RESOURCE_KINDS = ("containerimage", "containerregistry")
"""Images and their registries are shared by everything that runs them."""

UNLINKED_FAMILIES: dict[str, tuple[str, ...]] = {
    "Names that Microsoft's heuristics and models give to whatever looks malicious": (
        "bearfoos", "bluteal", "caynamer", "casdet", "conteban", "detplock", "dynamer", "etset", "fuery", "fuerboos",
        "kepavll", "leonem", "malagent", "malgent", "occamy", "phonzy", "presenoker", "ravartar", "sabsik", "skeeyah",
        "sonbokli", "suspect", "suspicious", "tiggre", "vigorf", "wacapew", "wacatac", "woreflint", "ymacco", "zpevdo",
    ),
    "The test file of EICAR": ("eicar", "eicar_test_file", "eicar-test-file"),
}  # fmt: skip
"""Reason -> families of malware in lower case."""

UNLINKED_CLIENTS: dict[str, str] = {
    "Browsers": r"mozilla/5\.0 .*(?<!headless)(?:chrome|firefox|safari|edg|trident|applewebkit)/",
    "Office, Teams and the applications of phones": (
        r"(?:microsoft (?:office|outlook|authenticator|teams)|outlook|teams|onedrive|onenote|apple-|dalvik/)"
    ),
}
"""Reason -> pattern of the beginning of a user agent in lower case."""

UNLINKED_DOMAINS: dict[str, tuple[str, ...]] = {
    "Providers of mailboxes": (
        "163.com", "126.com", "aol.com", "gmail.com", "gmx.com", "gmx.de", "gmx.net", "googlemail.com", "hotmail.com",
        "hotmail.co.uk", "hotmail.fr", "icloud.com", "live.com", "mac.com", "mail.com", "mail.ru", "me.com", "msn.com",
        "outlook.com", "proton.me", "protonmail.com", "qq.com", "t-online.de", "web.de",
        "yahoo.co.jp", "yahoo.co.uk", "yahoo.com", "yahoo.de", "yahoo.fr", "yandex.ru", "ymail.com", "zoho.com",
    ),
    "Services that everybody uses": (
        "adobe.com", "apple.com", "box.com", "canva.com", "cloudflare.com", "docusign.net", "dropbox.com",
        "dropboxusercontent.com", "facebook.com", "github.com", "githubusercontent.com", "google.com", "linkedin.com",
        "live.net", "microsoft.com", "microsoftonline.com", "office.com", "office365.com", "office.net",
        "salesforce.com", "windowsupdate.com", "youtube.com", "zoom.us",
    ),
}  # fmt: skip
"""Reason -> domains of which the hosts, and the senders, are strangers to each other."""

SHARED_DOMAINS = (
    "amazonaws.com", "azure.com", "backblazeb2.com", "glitch.me", "godaddysites.com", "googleusercontent.com", "on.aws",
    "onmicrosoft.com", "sharepoint.com", "weebly.com", "windows.net", "wordpress.com",
)  # fmt: skip
"""Domains below which customers have names of their own, and which the list of public suffixes does not have. Two
tenants of Entra ID below onmicrosoft.com are strangers; two senders of one of them are not."""

_AUTHORITIES = frozenset({
    # English, German, French, Portuguese, Polish, Swedish, Norwegian, Danish, Finnish, Dutch, Turkish, Romanian
    "nt authority", "nt-autoritat", "autorite nt", "autoridade nt", "autoridad nt", "autorita nt", "zarzadzanie nt",
    "nt instans", "nt-instans", "nt-myndighet", "nt-myndighed", "nt-autoritet", "nt-hallinta", "nt-autoriteit",
    "nt yetkilisi", "nt yetkisi", "autoritate nt", "nt service", "nt virtual machine", "nt task",
    "builtin", "vordefiniert", "predefinito", "predefinido", "integrado", "wbudowane", "incorporado",
    "window manager", "font driver host", "iis apppool", "application package authority",
})  # fmt: skip
"""Domains of accounts that every Windows has, without accents, in the languages of Windows."""

_SYSTEM_NAMES = frozenset({
    "system", "local system", "localsystem", "systeme", "sistema", "system lokalny", "systemet", "jarjestelma",
    "rendszer", "sistem", "\u0441\u0438\u0441\u0442\u0435\u043c\u0430", "\u30b7\u30b9\u30c6\u30e0",
    "local service", "localservice", "lokaler dienst", "service local", "servicio local", "servizio locale",
    "servico local", "usluga lokalna", "lokal tjanst", "lokal tjeneste", "paikallinen palvelu", "helyi szolgaltatas",
    "mistni sluzba", "lokale service", "yerel hizmet", "serviciu local", "miestna sluzba",
    "\u043b\u043e\u043a\u0430\u043b\u044c\u043d\u0430\u044f \u0441\u043b\u0443\u0436\u0431\u0430",
    "network service", "networkservice", "netzwerkdienst", "service reseau", "servicio de red", "servizio di rete",
    "servico de rede", "usluga sieciowa", "natverkstjanst", "nettverkstjeneste", "netvaerkstjeneste",
    "netvrkstjeneste", "verkkopalvelu", "halozati szolgaltatas", "sitova sluzba", "netwerkservice", "ag hizmeti",
    "serviciu de retea", "sietova sluzba",
    "\u0441\u0435\u0442\u0435\u0432\u0430\u044f \u0441\u043b\u0443\u0436\u0431\u0430",
    "anonymous", "anonymous logon", "anonymous-anmeldung", "anonyme anmeldung", "iusr", "everyone", "jeder",
    "tout le monde", "todos", "authenticated users", "authentifizierte benutzer", "interactive", "trustedinstaller",
})  # fmt: skip
"""Names of the system's accounts, without accents; a person's identifier beside the name (UPN, SID, id) wins."""
_SYSTEM_NAME_PATTERN = re.compile(r"(?:dwm|umfd)-\d+\Z")

PERSON_SID = r"^s-1-(?:5-21|11|12-1)-"
"""SIDs of people: domains and machines (S-1-5-21), Microsoft accounts (S-1-11), Entra ID (S-1-12-1). Other SIDs belong
to the system: S-1-5-18/19/20, services, window managers, built-in groups (Microsoft, "Well-known SIDs")."""
GROUP_SID = r"^s-1-5-21-.*-(?:49[89]|51[2-9]|52[0-7]|553|571|572)$"
"""Built-in groups of every domain: Domain Admins, Domain Users, Domain Computers …"""

_ADDRESSES = frozenset(address for addresses in UNLINKED_ADDRESSES.values() for address in addresses)
_HOSTS = frozenset(host for hosts in UNLINKED_HOSTS.values() for host in hosts)
_FILES = tuple(digest for digests in UNLINKED_FILES.values() for digest in digests)
_APPS = tuple(app for apps in UNLINKED_APPS.values() for app in apps)
_SESSIONS = frozenset(number for numbers in UNLINKED_SESSIONS.values() for number in numbers)
_FAMILIES = frozenset(family for families in UNLINKED_FAMILIES.values() for family in families)
_CLIENTS = re.compile("|".join(f"(?:{pattern})" for pattern in UNLINKED_CLIENTS.values()))
_DOMAINS = frozenset(domain for domains in UNLINKED_DOMAINS.values() for domain in domains)
_RESOURCES = "|".join(f"(?:{pattern})" for pattern in UNLINKED_RESOURCES.values())


def is_linking_address(address: str) -> bool:
    """Return whether an address in normal form can link leads; the tenant's own addresses are left out elsewhere."""
    return is_external(address) and address not in _ADDRESSES


def is_linking_host(host: str) -> bool:
    """Return whether a host in normal form can link leads."""
    return host not in _HOSTS and host not in PLACEHOLDERS and not is_rewriter(host)


def is_linking_family(family: str) -> bool:
    """Return whether a family of malware in normal form can link leads."""
    return family not in _FAMILIES and family not in PLACEHOLDERS


def is_linking_client(client: str) -> bool:
    """Return whether a user agent in normal form can link leads."""
    return client not in PLACEHOLDERS and not _CLIENTS.match(client)


def is_linking_domain(domain: str) -> bool:
    """Return whether a registered domain can link leads: not one of providers that everybody uses."""
    return domain not in _DOMAINS


def host_session(session_id: str) -> str | None:
    """Return a host logon session's id in one spelling (`0x3e7` and `999` are one); None for the system's sessions.

    >>> host_session("0x1A2B"), host_session("0x3e7")
    ('6699', None)
    """
    try:
        number = int(session_id, 16 if session_id.lower().startswith("0x") else 10)
    except ValueError:
        return session_id
    return None if number in _SESSIONS else str(number)


def is_authority(domain: str) -> bool:
    """Return whether a domain of accounts is one that every Windows has, in any language.

    >>> is_authority("NT-AUTORITÄT"), is_authority("CONTOSO")
    (True, False)
    """
    plain = _plain(domain)
    # A NetBIOS name has no spaces, so a name of several words with "NT" among them is an authority.
    return plain in _AUTHORITIES or (" " in plain and "nt" in plain.split())


def is_system_name(name: str) -> bool:
    """Return whether a name is that of a system account, in any language.

    >>> is_system_name("Système"), is_system_name("jane")
    (True, False)
    """
    plain = _plain(name)
    return plain in _SYSTEM_NAMES or _SYSTEM_NAME_PATTERN.match(plain) is not None


def is_linking_file(digest: pl.Expr, name: pl.Expr, folder: pl.Expr) -> pl.Expr:
    """Return whether files can link leads, from their hashes, names and folders."""
    image = name.str.to_lowercase().is_in(PREVALENT_IMAGES) & folder.str.to_lowercase().str.contains(PREVALENT_FOLDERS)
    return ~image.fill_null(value=False) & ~digest.is_in(_FILES)


def is_own_image(name: pl.Expr, folder: pl.Expr) -> pl.Expr:
    """Return whether files are one of PREVALENT_IMAGES where it comes from. The folder can end in the name."""
    name, folder = name.str.to_lowercase(), folder.str.to_lowercase()
    return name.is_in(PREVALENT_IMAGES) & folder.str.strip_suffix(name).str.contains(OWN_FOLDERS)


def is_linking_app(app: pl.Expr) -> pl.Expr:
    """Return whether applications can link leads, from their ids in Entra."""
    return ~app.is_in(_APPS) & ~app.str.contains(UNLINKED_APP_PATTERN) & ~app.str.contains(r"^\d+$")


def is_linking_resource(resource: pl.Expr) -> pl.Expr:
    """Return whether cloud resources can link leads, from their ids in lower case."""
    return ~resource.str.contains(_RESOURCES)


def _plain(text: str) -> str:
    """Return a text in lower case without accents, with single spaces."""
    folded = text.casefold()
    if not folded.isascii():
        letters = unicodedata.normalize("NFKD", folded.replace("\u0142", "l").replace("\u00e6", "ae"))
        folded = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(folded.split())
