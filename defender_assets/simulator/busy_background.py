"""The unrelated alerts of a busy tenant and day: what makes correlation hard in practice.

A few servers that everybody uses, administrators who are everywhere, a detector that is wrong about the same agent all
day, a scanner, waves of unwanted mail, hosts and addresses that thousands use, and ordinary alerts that fall on any
device, an attacked one too. The tidy kind of noise is in `noise`.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

from defender_assets.simulator.alerts import Alert
from defender_assets.simulator.background import noted, time_of_day
from defender_assets.simulator.catalogue import DETECTIONS, Detection
from defender_assets.simulator.clock import DAY, HOUR, MINUTE, first_tick
from defender_assets.simulator.names import guid, hostile_host, public_address
from defender_assets.simulator.products import ENDPOINT
from defender_assets.simulator.scenario import Scenario, seeded_rng
from defender_assets.simulator.scenes import Scene, artifact, mail, scene
from defender_assets.simulator.tenants import Device, Tenant, User

_SHARED_SERVERS, _ADMINISTRATORS, _POPULAR = 4, 3, 6
# Of a hundred unrelated alerts. Most of what a tenant sees is of low severity and is not an attack.
_KINDS = {"agent": 25, "administrator": 10, "server": 12, "scanner": 5, "wave": 8, "ordinary": 40}
_SEVERITIES = {"Informational": 6, "Low": 5, "Medium": 2, "High": 1}
_POPULAR_HOST, _POPULAR_ADDRESS, _REPEATED = 0.3, 0.2, 0.15
_MOST_OF_WAVE = 5

_WRONG = Detection(
    ENDPOINT,
    "Unsigned program started by a management agent",
    "Execution",
    "Low",
    ("Software Deployment Tools (T1072)",),
    ("Machine", "User", "Process", "File", "Ip"),
    "",
    "Custom detection",
    windows=False,
)
_SCAN = next(each for each in DETECTIONS if each.title == "Network scan from an unmanaged tool")
_WAVE = next(each for each in DETECTIONS if each.title == "Email reported by user as phishing")


def shared_servers(tenant: Tenant) -> tuple[Device, ...]:
    """The servers that everybody uses."""
    servers = [device for device in tenant.devices if device.system.device_type == "Server"]
    return tuple(servers[-_SHARED_SERVERS:])


def administrators(tenant: Tenant) -> tuple[User, ...]:
    """The people who are at work on any device."""
    return tenant.office_users[:_ADMINISTRATORS]


def everyday_alerts(scenario: Scenario, tenant: Tenant, day: int) -> Iterator[Alert]:
    """The alerts whose event falls on the day that begins at tick `day`; repeats may fall some hours behind it."""
    number = (day - first_tick(scenario.start)) // DAY
    chance = seeded_rng(scenario.seed, "everyday", tenant.index, number)
    place = _Place(scenario, tenant)
    kinds: dict[str, Callable[[Random, int], Iterator[Alert]]] = {name: getattr(place, name) for name in _KINDS}
    amount = int(scenario.alerts_per_day * chance.uniform(0.7, 1.3))
    made = 0
    while made < amount:
        kind = chance.choices(tuple(_KINDS), tuple(_KINDS.values()))[0]
        for alert in kinds[kind](chance, day + time_of_day(chance)):
            made += 1
            yield alert


class _Place:
    """What a tenant's unrelated alerts have in common from the first day to the last."""

    def __init__(self, scenario: Scenario, tenant: Tenant) -> None:
        chance = seeded_rng(scenario.seed, "commonplace", tenant.index)
        self._tenant = tenant
        self._servers = shared_servers(tenant)
        self._administrators = administrators(tenant)
        self._service, self._scanner = tenant.office_users[_ADMINISTRATORS], self._servers[0]
        self._agent, self._update_server = artifact(chance, windows=True), public_address(chance)
        self._hosts = [hostile_host(chance) for _ in range(_POPULAR)]
        self._addresses = [public_address(chance) for _ in range(_POPULAR)]

    def agent(self, chance: Random, created: int) -> Iterator[Alert]:
        """The detector that is wrong: the same program, account and address on one device after another."""
        around = self._scene(chance, self._service, chance.choice(self._tenant.devices))
        around = replace(around, file=self._agent, program=self._agent, address=self._update_server)
        yield noted(chance, _WRONG, around, created, _WRONG.shapes)

    def administrator(self, chance: Random, created: int) -> Iterator[Alert]:
        """An administrator at work on any device."""
        around = self._scene(chance, chance.choice(self._administrators), chance.choice(self._tenant.devices))
        yield self._any(chance, around, created)

    def server(self, chance: Random, created: int) -> Iterator[Alert]:
        """Anybody on a server that everybody uses."""
        around = self._scene(chance, chance.choice(self._tenant.devices).user, chance.choice(self._servers))
        yield self._any(chance, around, created)

    def scanner(self, chance: Random, created: int) -> Iterator[Alert]:
        """The scanner that looks for weaknesses, and is taken for an attacker."""
        yield noted(chance, _SCAN, self._scene(chance, self._service, self._scanner), created, _SCAN.shapes)

    def wave(self, chance: Random, created: int) -> Iterator[Alert]:
        """Unwanted mail that several people report within hours: one cause."""
        first, cause = mail(chance), f"wave-{self._tenant.index}-{created}"
        host = hostile_host(chance)
        for _ in range(chance.randint(2, _MOST_OF_WAVE)):
            device = chance.choice(self._tenant.devices)
            message = first._replace(message_id=guid(chance))
            around = replace(self._scene(chance, device.user, device), host=host, mail=message)
            yield replace(noted(chance, _WAVE, around, created, _WAVE.shapes), cause=cause)
            created += chance.randrange(5 * MINUTE, 2 * HOUR)

    def ordinary(self, chance: Random, created: int) -> Iterator[Alert]:
        """Any detection on any device or person; some come again within hours."""
        device = chance.choice(self._tenant.devices)
        around = self._scene(chance, device.user, device)
        alert = self._any(chance, around, created)
        cause = f"again-{alert.alert_id}"
        yield replace(alert, cause=cause)
        while chance.random() < _REPEATED:
            created += chance.randrange(5 * MINUTE, 6 * HOUR)
            yield replace(noted(chance, alert.detection, around, created, alert.shapes), cause=cause)

    def _scene(self, chance: Random, user: User, device: Device) -> Scene:
        around = scene(chance, self._tenant, user, device, device.device_id)
        if chance.random() < _POPULAR_HOST:
            around = replace(around, host=chance.choice(self._hosts))
        if chance.random() < _POPULAR_ADDRESS:
            around = replace(around, address=chance.choice(self._addresses))
        return around

    def _any(self, chance: Random, around: Scene, created: int) -> Alert:
        windows = around.device.system.family == "Windows"
        fitting = [each for each in DETECTIONS if windows or not each.windows]
        detection = chance.choices(fitting, [_SEVERITIES[each.severity] for each in fitting])[0]
        return noted(chance, detection, around, created, detection.shapes)
