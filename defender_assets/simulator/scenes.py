"""The things around one alert: who, where, which file, address and mail.

What is true of an alert whatever product tells it belongs here; how a product spells it is in `evidence`.
"""

from dataclasses import dataclass
from functools import cache
from hashlib import sha1, sha256
from random import Random
from typing import NamedTuple

from defender_assets.simulator.names import guid, hexadecimal, hostile_host, public_address
from defender_assets.simulator.tenants import Device, Tenant, User

# Programs of the operating system, whose hash is the same everywhere and ties nothing together. They are few, so that
# their prevalence shows in a small tenant too.
_PREVALENT_ON_WINDOWS = ("powershell.exe", "powershell.exe", "cmd.exe")
_PREVALENT_ELSEWHERE = ("bash",)
_SUBJECTS = ("Your invoice is overdue", "Parcel could not be delivered", "Payroll update", "Shared document: Q3 plan")
_APPLICATIONS = 4096
_PREVALENT_SHARE = 0.6


class Artifact(NamedTuple):
    """A file by name, place and content."""

    name: str
    folder: str
    sha1: str
    sha256: str
    size: int


class Mail(NamedTuple):
    """A message as mail evidence has it."""

    message_id: str
    subject: str
    sender: str
    sender_ip: str


@dataclass(frozen=True, slots=True)
class Scene:
    """What an alert is about. Shapes of `evidence` read from it what they need."""

    tenant: Tenant
    user: User
    device: Device
    device_id: str
    """The id that the product names; a merged device may still be named by its old one."""
    file: Artifact
    program: Artifact
    """The process's image: often a program of the operating system."""
    address: str
    host: str
    """Of the URL."""
    mail: Mail
    application: int
    serial: int
    """Process id, registry name and other small identities."""


@cache
def prevalent(name: str) -> Artifact:
    """A program of the operating system: the same bytes on every machine of every tenant."""
    seed = f"simulated {name}".encode()
    digests = sha1(seed, usedforsecurity=False).hexdigest(), sha256(seed).hexdigest()
    folder = "C:\\Windows\\System32" if name in _PREVALENT_ON_WINDOWS else "/usr/bin"
    return Artifact(name, folder, *digests, 100_000 + len(name) * 1024)


def artifact(chance: Random, *, windows: bool) -> Artifact:
    """A file that nobody has seen before."""
    stem, number = chance.choice(("invoice", "setup", "update", "viewer", "report")), hexadecimal(chance, 4)
    if windows:
        name = f"{stem}-{number}.{chance.choice(('exe', 'dll', 'js', 'lnk'))}"
        folder = chance.choice(("C:\\Users\\Public", "C:\\ProgramData\\Cache", "C:\\Temp"))
    else:
        name, folder = f"{stem}-{number}.sh", chance.choice(("/tmp", "/var/tmp", "/opt/cache"))  # noqa: S108 - a value
    return Artifact(name, folder, hexadecimal(chance, 40), hexadecimal(chance, 64), chance.randrange(4_096, 5_000_000))


def mail(chance: Random) -> Mail:
    """A message from a sender that nobody has seen before."""
    sender = f"billing-{hexadecimal(chance, 4)}@{hostile_host(chance)}"
    return Mail(guid(chance), chance.choice(_SUBJECTS), sender, public_address(chance))


def scene(chance: Random, tenant: Tenant, user: User, device: Device, device_id: str) -> Scene:
    """A scene of this user on this device, with everything else new."""
    windows = device.system.family == "Windows"
    file = artifact(chance, windows=windows)
    programs = _PREVALENT_ON_WINDOWS if windows else _PREVALENT_ELSEWHERE
    return Scene(
        tenant=tenant,
        user=user,
        device=device,
        device_id=device_id,
        file=file,
        program=prevalent(chance.choice(programs)) if chance.random() < _PREVALENT_SHARE else file,
        address=public_address(chance),
        host=hostile_host(chance),
        mail=mail(chance),
        application=10_000 + chance.randrange(_APPLICATIONS),
        serial=chance.randrange(1_000, 60_000),
    )
