"""A tenant's people and machines: who is there from the first day to the last.

Everything that does not change with the day belongs here; what a device reports on a day is in `heartbeats`.
"""

from dataclasses import dataclass
from random import Random

from defender_assets.simulator.clock import DAY, HOUR, MINUTE, first_tick
from defender_assets.simulator.names import (
    COMPANIES,
    FAMILY_NAMES,
    GIVEN_NAMES,
    SITES,
    egress_address,
    guid,
    hexadecimal,
)
from defender_assets.simulator.platforms import OperatingSystem, linux, mac, server, workstation
from defender_assets.simulator.scenario import Scenario, seeded_rng

_FEWEST_FOR_ODDITIES = 10


@dataclass(frozen=True, slots=True)
class User:
    """A person, under every name that a product may use for them."""

    name: str
    domain: str
    upn: str
    object_id: str
    sid: str


@dataclass(frozen=True, slots=True)
class Device:
    """A machine with what stays the same about it, and the few oddities that some have."""

    number: int
    device_id: str
    name: str
    system: OperatingSystem
    user: User
    aad_device_id: str
    hardware_uuid: str
    model: str
    local_ip: str
    public_ip: str
    tags: tuple[str, ...]
    exposure: str
    asset_value: str
    internet_facing: bool | None
    phase: int
    """Ticks from midnight to the first heartbeat of a day."""
    patch_day: int
    """Day of the week (0 to 6, counted from 1970) on which it gets its update."""
    partial: bool
    """Most of its heartbeats leave out the columns of the operating system."""
    first_seen: int = 0
    """Ticks before which it has not reported."""
    silent_from: int | None = None
    """Ticks from which its sensor no longer reports."""
    old_id: str | None = None
    """The id that it had until `merged_at`, when the service found both to be one machine."""
    merged_at: int = 0


@dataclass(frozen=True, slots=True)
class Tenant:
    """An Entra tenant: its population, and the parts that its devices and people play."""

    index: int
    tenant_id: str
    domain: str
    subscription_id: str
    egress: tuple[str, ...]
    devices: tuple[Device, ...]
    office_users: tuple[User, ...]
    """People without a device of their own here: mail, sign-ins and cloud apps only."""
    noise_devices: tuple[Device, ...]
    newcomers: tuple[Device, ...]
    """Devices whose first heartbeat follows their first alert."""
    campaign_pairs: tuple[tuple[Device, Device], ...]
    """A workstation and a server for each campaign; no other alert names them."""


def build_tenant(scenario: Scenario, index: int) -> Tenant:
    """The tenant number `index`: a function of the seed, the number of devices and the first day."""
    chance = seeded_rng(scenario.seed, "tenant", index)
    tenant_id = guid(chance)
    domain = f"{COMPANIES[index % len(COMPANIES)]}{index // len(COMPANIES) or ''}.example"
    egress = tuple(egress_address(chance) for _ in range(2))
    authority = "-".join(str(chance.randrange(10**9, 4 * 10**9)) for _ in range(3))
    people = [_user(chance, number, domain, authority) for number in range(2 * scenario.devices)]
    devices = [_device(scenario, index, number, people[number], egress) for number in range(scenario.devices)]

    pairs = max(1, (scenario.devices * 3) // 20)
    campaign, rest = devices[: 2 * pairs], devices[2 * pairs :]
    few = max(1, scenario.devices // 25) if scenario.devices >= _FEWEST_FOR_ODDITIES else 0
    newcomers = rest[:few]
    office = people[scenario.devices :]
    chance.shuffle(office)
    noise = rest[few:]
    chance.shuffle(noise)
    return Tenant(
        index=index,
        tenant_id=tenant_id,
        domain=domain,
        subscription_id=guid(chance),
        egress=egress,
        devices=tuple(devices),
        office_users=tuple(office),
        noise_devices=tuple(noise),
        newcomers=tuple(newcomers),
        campaign_pairs=tuple(zip(campaign[::2], campaign[1::2], strict=True)),
    )


def tenant_ids(scenario: Scenario) -> set[str]:
    """The tenants that a scenario makes up."""
    return {build_tenant(scenario, index).tenant_id for index in range(scenario.tenants)}


def _user(chance: Random, number: int, domain: str, authority: str) -> User:
    given, family = chance.choice(GIVEN_NAMES), chance.choice(FAMILY_NAMES)
    name = f"{given}.{family}{number}"
    return User(
        name=name,
        domain=domain.partition(".")[0],
        upn=f"{name}@{domain}",
        object_id=guid(chance),
        sid=f"S-1-5-21-{authority}-{1101 + number}",
    )


def _device(scenario: Scenario, tenant: int, number: int, user: User, egress: tuple[str, ...]) -> Device:
    chance = seeded_rng(scenario.seed, "device", tenant, number)
    pairs = max(1, (scenario.devices * 3) // 20)
    few = max(1, scenario.devices // 25) if scenario.devices >= _FEWEST_FOR_ODDITIES else 0
    in_campaign = number < 2 * pairs
    oddity = (number - 2 * pairs) // few if few and not in_campaign else None
    if in_campaign:
        system = server() if number % 2 else workstation()
    else:
        system = chance.choices((workstation(), server(), mac(), linux()), (55, 20, 12, 13))[0]
    start = first_tick(scenario.start)
    day = start + (number % 3) * DAY
    serves = system.device_type == "Server"
    return Device(
        number=number,
        device_id=hexadecimal(chance, 40),
        name=f"{system.prefix}-{number:04}.{user.upn.partition('@')[2]}",
        system=system,
        user=user,
        aad_device_id=guid(chance),
        hardware_uuid=guid(chance),
        model=chance.choice(system.models),
        local_ip=f"10.{20 + number // 62_500}.{number // 250 % 250}.{number % 250 + 4}",
        public_ip=egress[number % len(egress)],
        tags=tuple(chance.sample(SITES, chance.randrange(3))) + (("tier-0",) if serves and number % 3 == 0 else ()),
        exposure=chance.choices(("None", "Low", "Medium", "High"), (5, 50, 30, 15))[0],
        asset_value=chance.choices(("Low", "Normal", "High"), (5, 80, 60 if serves else 10))[0],
        internet_facing=chance.choices((None, False, True), (70, 20, 25 if serves else 3))[0],
        phase=chance.randrange(scenario.heartbeat_minutes * MINUTE),
        patch_day=chance.randrange(7),
        partial=chance.random() < 0.4,  # noqa: PLR2004 - a share
        first_seen=day + chance.randrange(9 * HOUR, 15 * HOUR) if oddity == 0 else 0,
        old_id=hexadecimal(chance, 40) if oddity == 1 else None,
        merged_at=day + chance.randrange(8 * HOUR, 18 * HOUR) if oddity == 1 else 0,
        silent_from=day + chance.randrange(DAY) if oddity == 2 else None,  # noqa: PLR2004 - the third oddity
    )
