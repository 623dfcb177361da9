"""The operating systems of the simulated devices."""

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


# fmt: off
WORKSTATION = OperatingSystem(
    "Windows11", "Windows11", "10.0", "24H2", 26100, "Windows", "Workstation", "ws", "Acorn", ("Book 14", "Desk 7")
)
SERVER = OperatingSystem(
    "WindowsServer2022", "WindowsServer2022", "10.0", "21H2", 20348, "Windows", "Server", "srv", "Acorn",
    ("Rack 2", "Virtual Machine"),
)
# fmt: on
MAC = OperatingSystem("macOS", "macOS", "15.3", "", 24, "macOS", "Workstation", "mac", "Orchard", ("Air", "Pro"))
# Linux reports no build.
LINUX = OperatingSystem("Linux", "Ubuntu", "22.4", "", None, "Linux", "Server", "lnx", "Acorn", ("Virtual Machine",))
