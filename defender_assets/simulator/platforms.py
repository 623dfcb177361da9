"""The operating systems in the simulated population.

What follows from the operating system alone belongs here; devices do not.
"""

from functools import cache
from typing import NamedTuple


class OperatingSystem(NamedTuple):
    """An operating system in the columns of DeviceInfo."""

    platform: str
    distribution: str
    version: str
    version_info: str
    build: int | None
    family: str
    device_type: str
    prefix: str
    vendor: str
    models: tuple[str, ...]


@cache
def workstation() -> OperatingSystem:
    """A Windows 11 workstation."""
    return OperatingSystem(
        "Windows11", "Windows11", "10.0", "24H2", 26100, "Windows", "Workstation", "ws", "Acorn", ("Book 14", "Desk 7")
    )


@cache
def server() -> OperatingSystem:
    """A Windows server."""
    return OperatingSystem(
        "WindowsServer2022",
        "WindowsServer2022",
        "10.0",
        "21H2",
        20348,
        "Windows",
        "Server",
        "srv",
        "Acorn",
        ("Rack 2", "Virtual Machine"),
    )


@cache
def mac() -> OperatingSystem:
    """A macOS workstation."""
    return OperatingSystem("macOS", "macOS", "15.3", "", 24, "macOS", "Workstation", "mac", "Orchard", ("Air", "Pro"))


@cache
def linux() -> OperatingSystem:
    """A Linux server, which reports no build."""
    return OperatingSystem("Linux", "Ubuntu", "22.4", "", None, "Linux", "Server", "lnx", "Acorn", ("Virtual Machine",))
