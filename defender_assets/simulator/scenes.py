"""The entities of one alert, independent of the product that reports it: user, device, file, address and mail."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha1, sha256
from random import Random
from typing import NamedTuple

from defender_assets.simulator.names import guid, hexadecimal, hostile_host, public_address
from defender_assets.simulator.tenants import Device, Tenant, User

# Programs of the operating system: their hashes are the same everywhere, so they do not relate alerts. They are few, so
# that they are prevalent in a small tenant too.
_PREVALENT_ON_WINDOWS = ("powershell.exe", "powershell.exe", "cmd.exe")
_PREVALENT_ELSEWHERE = ("bash",)
_SUBJECTS = ("Your invoice is overdue", "Parcel could not be delivered", "Payroll update", "Shared document: Q3 plan")
_APPLICATIONS = 4096
_PREVALENT_SHARE = 0.6


class Artifact(NamedTuple):
    """A file by name, folder and content."""

    name: str
    folder: str
    sha1: str
    sha256: str
    size: int


class Mail(NamedTuple):
    """A message in mail evidence."""

    message_id: str
    subject: str
    sender: str
    sender_ip: str


class Outcome(NamedTuple):
    """Verdict on the evidence and state of its remediation; "" where Microsoft writes none."""

    verdict: str
    state: str


@dataclass(frozen=True, slots=True)
class Scene:
    """The entities of an alert, from which `evidence` fills its columns."""

    tenant: Tenant
    user: User
    device: Device
    device_id: str
    """The device id in the alert; for a merged device it can be the old one."""
    file: Artifact
    program: Artifact
    """The image of the process, often a program of the operating system."""
    address: str
    host: str
    """The host of the URL."""
    mail: Mail
    application: int
    serial: int
    """The number in the process id, the registry name and other identifiers."""
    outcome: "Outcome | None" = None
    """What Microsoft says of the evidence; None for the constant words of a tidy tenant."""


@cache
def prevalent(name: str) -> Artifact:
    """A program of the operating system: the same bytes on every machine of every tenant."""
    seed = f"simulated {name}".encode()
    digests = sha1(seed, usedforsecurity=False).hexdigest(), sha256(seed).hexdigest()
    folder = "C:\\Windows\\System32" if name in _PREVALENT_ON_WINDOWS else "/usr/bin"
    return Artifact(name, folder, *digests, 100_000 + len(name) * 1024)


def artifact(rng: Random, *, windows: bool) -> Artifact:
    """A new, unknown file."""
    stem, number = rng.choice(("invoice", "setup", "update", "viewer", "report")), hexadecimal(rng, 4)
    if windows:
        name = f"{stem}-{number}.{rng.choice(('exe', 'dll', 'js', 'lnk'))}"
        folder = rng.choice(("C:\\Users\\Public", "C:\\ProgramData\\Cache", "C:\\Temp"))
    else:
        name, folder = f"{stem}-{number}.sh", rng.choice(("/tmp", "/var/tmp", "/opt/cache"))  # noqa: S108 - a value
    return Artifact(name, folder, hexadecimal(rng, 40), hexadecimal(rng, 64), rng.randrange(4_096, 5_000_000))


def mail(rng: Random) -> Mail:
    """A message from a new, unknown sender."""
    sender = f"billing-{hexadecimal(rng, 4)}@{hostile_host(rng)}"
    return Mail(guid(rng), rng.choice(_SUBJECTS), sender, public_address(rng))


def new_scene(rng: Random, tenant: Tenant, user: User, device: Device, device_id: str) -> Scene:
    """A scene of this user on this device; all other entities are new."""
    windows = device.system.family == "Windows"
    file = artifact(rng, windows=windows)
    programs = _PREVALENT_ON_WINDOWS if windows else _PREVALENT_ELSEWHERE
    return Scene(
        tenant=tenant,
        user=user,
        device=device,
        device_id=device_id,
        file=file,
        program=prevalent(rng.choice(programs)) if rng.random() < _PREVALENT_SHARE else file,
        address=public_address(rng),
        host=hostile_host(rng),
        mail=mail(rng),
        application=10_000 + rng.randrange(_APPLICATIONS),
        serial=rng.randrange(1_000, 60_000),
    )
