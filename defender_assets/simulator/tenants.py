"""A tenant's people and machines, as far as they stay the same on all days."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from defender_assets.simulator.clock import DAY, HOUR, MINUTE, first_tick
from defender_assets.simulator.names import COMPANIES, SITES, account_name, egress_address, guid, hexadecimal
from defender_assets.simulator.platforms import LINUX, MAC, SERVER, WORKSTATION, OperatingSystem
from defender_assets.simulator.scenario import Scenario, seeded_rng

_FEWEST_DEVICES_FOR_ODDITIES = 10
_SHARED_SERVERS, _ADMINISTRATORS = 4, 3


@dataclass(frozen=True, slots=True)
class User:
    """A person, with every name that a product can use for them."""

    name: str
    domain: str
    upn: str
    object_id: str
    sid: str


@dataclass(frozen=True, slots=True)
class Device:
    """A machine: its constant columns, and the oddities that a few machines have."""

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
    """Day of the week of its update (0 to 6, counted from 1970)."""
    partial: bool
    """Most of its heartbeats omit the columns of the operating system."""
    first_seen: int = 0
    """Ticks from which it reports."""
    silent_from: int | None = None
    """Ticks from which its sensor no longer reports."""
    old_id: str | None = None
    """Its id until `merged_at`, when the service merged the two ids of the machine."""
    merged_at: int = 0


@dataclass(frozen=True, slots=True)
class Tenant:
    """An Entra tenant: its devices and people, and their roles in the simulation."""

    index: int
    tenant_id: str
    domain: str
    subscription_id: str
    egress: tuple[str, ...]
    devices: tuple[Device, ...]
    office_users: tuple[User, ...]
    """People without a device: they have only mail, sign-ins and cloud apps."""
    noise_devices: tuple[Device, ...]
    newcomers: tuple[Device, ...]
    """Devices whose first heartbeat comes after their first alert."""
    campaign_pairs: tuple[tuple[Device, Device], ...]
    """A workstation and a server for each campaign; tidy unrelated alerts never name them."""


def build_tenant(scenario: Scenario, index: int) -> Tenant:
    """Tenant number `index`; it depends on the seed, the number of devices and the first day."""
    rng = seeded_rng(scenario.seed, "tenant", index)
    tenant_id = guid(rng)
    domain = f"{COMPANIES[index % len(COMPANIES)]}{index // len(COMPANIES) or ''}.example"
    egress = tuple(egress_address(rng) for _ in range(2))
    authority = "-".join(str(rng.randrange(10**9, 4 * 10**9)) for _ in range(3))
    people = [_user(rng, number, domain, authority) for number in range(2 * scenario.devices)]
    devices = [_device(scenario, index, number, people[number], egress) for number in range(scenario.devices)]
    attacked, newcomers = _role_counts(scenario)
    campaign, rest = devices[:attacked], devices[attacked:]
    office, noise = people[scenario.devices :], rest[newcomers:]
    rng.shuffle(office)
    rng.shuffle(noise)
    return Tenant(
        index=index,
        tenant_id=tenant_id,
        domain=domain,
        subscription_id=guid(rng),
        egress=egress,
        devices=tuple(devices),
        office_users=tuple(office),
        noise_devices=tuple(noise),
        newcomers=tuple(rest[:newcomers]),
        campaign_pairs=tuple(zip(campaign[::2], campaign[1::2], strict=True)),
    )


def build_tenants(scenario: Scenario) -> Iterator[Tenant]:
    """The tenants of a scenario, in order."""
    return (build_tenant(scenario, index) for index in range(scenario.tenants))


def tenant_ids(scenario: Scenario) -> set[str]:
    """The ids of a scenario's tenants."""
    return {tenant.tenant_id for tenant in build_tenants(scenario)}


def shared_servers(tenant: Tenant) -> tuple[Device, ...]:
    """The servers that all users of a realistic tenant share."""
    servers = [device for device in tenant.devices if device.system.device_type == "Server"]
    return tuple(servers[-_SHARED_SERVERS:])


def administrators(tenant: Tenant) -> tuple[User, ...]:
    """The people of a realistic tenant who work on any device."""
    return tenant.office_users[:_ADMINISTRATORS]


def _role_counts(scenario: Scenario) -> tuple[int, int]:
    """How many devices, counted from the first, campaigns attack, and how many each oddity then has."""
    few = max(1, scenario.devices // 25) if scenario.devices >= _FEWEST_DEVICES_FOR_ODDITIES else 0
    return 2 * max(1, scenario.devices * 3 // 20), few


def _user(rng: Random, number: int, domain: str, authority: str) -> User:
    name, sid = account_name(rng, number), f"S-1-5-21-{authority}-{1101 + number}"
    return User(name, domain.partition(".")[0], upn=f"{name}@{domain}", object_id=guid(rng), sid=sid)


def _device(scenario: Scenario, tenant: int, number: int, user: User, egress: tuple[str, ...]) -> Device:
    rng = seeded_rng(scenario.seed, "device", tenant, number)
    attacked, few = _role_counts(scenario)
    oddity = (number - attacked) // few if few and number >= attacked else None
    if number < attacked:
        system = SERVER if number % 2 else WORKSTATION
    else:
        system = rng.choices((WORKSTATION, SERVER, MAC, LINUX), (55, 20, 12, 13))[0]
    day = first_tick(scenario.start) + (number % 3) * DAY
    is_server = system.device_type == "Server"
    return Device(
        number=number,
        device_id=hexadecimal(rng, 40),
        name=f"{system.prefix}-{number:04}.{user.upn.partition('@')[2]}",
        system=system,
        user=user,
        aad_device_id=guid(rng),
        hardware_uuid=guid(rng),
        model=rng.choice(system.models),
        local_ip=f"10.{20 + number // 62_500}.{number // 250 % 250}.{number % 250 + 4}",
        public_ip=egress[number % len(egress)],
        tags=tuple(rng.sample(SITES, rng.randrange(3))) + (("tier-0",) if is_server and number % 3 == 0 else ()),
        exposure=rng.choices(("None", "Low", "Medium", "High"), (5, 50, 30, 15))[0],
        asset_value=rng.choices(("Low", "Normal", "High"), (5, 80, 60 if is_server else 10))[0],
        internet_facing=rng.choices((None, False, True), (70, 20, 25 if is_server else 3))[0],
        phase=rng.randrange(scenario.heartbeat_minutes * MINUTE),
        patch_day=rng.randrange(7),
        partial=rng.random() < 0.4,  # noqa: PLR2004 - a share
        first_seen=day + rng.randrange(9 * HOUR, 15 * HOUR) if oddity == 0 else 0,
        old_id=hexadecimal(rng, 40) if oddity == 1 else None,
        merged_at=day + rng.randrange(8 * HOUR, 18 * HOUR) if oddity == 1 else 0,
        silent_from=day + rng.randrange(DAY) if oddity == 2 else None,  # noqa: PLR2004 - the third oddity
    )
