"""The unrelated alerts of a busy tenant and day: what makes correlation hard in practice.

Shared servers, administrators who work on any device, a detector with the same false positive all day, a scanner,
waves of unwanted mail, popular hosts and addresses, and ordinary alerts on any device, attacked devices included.
"""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from defender_assets.simulator.alerts import Alert
from defender_assets.simulator.background import background_alert, time_of_day
from defender_assets.simulator.catalogue import DETECTIONS, Detection
from defender_assets.simulator.clock import DAY, HOUR, MINUTE, first_tick
from defender_assets.simulator.names import guid, hostile_host, public_address
from defender_assets.simulator.products import ENDPOINT
from defender_assets.simulator.scenario import Scenario, seeded_rng
from defender_assets.simulator.scenes import Scene, artifact, mail, new_scene
from defender_assets.simulator.tenants import Device, Tenant, User

_SHARED_SERVERS, _ADMINISTRATORS, _POPULAR = 4, 3, 6
# Per hundred unrelated alerts. Most alerts of a tenant have a low severity and are not attacks.
_KINDS = {"agent": 25, "administrator": 10, "server": 12, "scanner": 5, "wave": 8, "ordinary": 40}
_SEVERITIES = {"Informational": 6, "Low": 5, "Medium": 2, "High": 1}
_POPULAR_HOST, _POPULAR_ADDRESS, _REPEATED = 0.3, 0.2, 0.15
_LARGEST_WAVE = 5

_FALSE_POSITIVE = Detection(
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
    """The servers that all users of the tenant share."""
    servers = [device for device in tenant.devices if device.system.device_type == "Server"]
    return tuple(servers[-_SHARED_SERVERS:])


def administrators(tenant: Tenant) -> tuple[User, ...]:
    """The people who work on any device."""
    return tenant.office_users[:_ADMINISTRATORS]


def busy_background_alerts(scenario: Scenario, tenant: Tenant, day: int) -> Iterator[Alert]:
    """The alerts of the day that begins at tick `day`; repeated alerts may follow some hours after that day."""
    rng = seeded_rng(scenario.seed, "everyday", tenant.index, (day - first_tick(scenario.start)) // DAY)
    background = _BusyTenant(scenario, tenant)
    amount = int(scenario.alerts_per_day * rng.uniform(0.7, 1.3))
    made = 0
    while made < amount:
        kind = rng.choices(tuple(_KINDS), tuple(_KINDS.values()))[0]
        for alert in getattr(background, kind)(rng, day + time_of_day(rng)):
            made += 1
            yield alert


class _BusyTenant:
    """What a tenant's unrelated alerts share on all days. The methods named in `_KINDS` yield alerts."""

    def __init__(self, scenario: Scenario, tenant: Tenant) -> None:
        rng = seeded_rng(scenario.seed, "commonplace", tenant.index)
        self._tenant = tenant
        self._servers = shared_servers(tenant)
        self._administrators = administrators(tenant)
        self._service, self._scanner = tenant.office_users[_ADMINISTRATORS], self._servers[0]
        self._agent, self._update_server = artifact(rng, windows=True), public_address(rng)
        self._hosts = [hostile_host(rng) for _ in range(_POPULAR)]
        self._addresses = [public_address(rng) for _ in range(_POPULAR)]

    def agent(self, rng: Random, created: int) -> Iterator[Alert]:
        """The false positive: the same program, account and address on one device after another."""
        scene = self._scene(rng, self._service, rng.choice(self._tenant.devices))
        scene = replace(scene, file=self._agent, program=self._agent, address=self._update_server)
        yield background_alert(rng, _FALSE_POSITIVE, scene, created, _FALSE_POSITIVE.shapes)

    def administrator(self, rng: Random, created: int) -> Iterator[Alert]:
        scene = self._scene(rng, rng.choice(self._administrators), rng.choice(self._tenant.devices))
        yield self._any(rng, scene, created)

    def server(self, rng: Random, created: int) -> Iterator[Alert]:
        """Any user on a shared server."""
        scene = self._scene(rng, rng.choice(self._tenant.devices).user, rng.choice(self._servers))
        yield self._any(rng, scene, created)

    def scanner(self, rng: Random, created: int) -> Iterator[Alert]:
        """A vulnerability scanner that is detected as an attacker."""
        yield background_alert(rng, _SCAN, self._scene(rng, self._service, self._scanner), created, _SCAN.shapes)

    def wave(self, rng: Random, created: int) -> Iterator[Alert]:
        """Unwanted mail that several people report within hours: one cause."""
        first, cause = mail(rng), f"wave-{self._tenant.index}-{created}"
        host = hostile_host(rng)
        for _ in range(rng.randint(2, _LARGEST_WAVE)):
            device = rng.choice(self._tenant.devices)
            message = first._replace(message_id=guid(rng))
            scene = replace(self._scene(rng, device.user, device), host=host, mail=message)
            yield replace(background_alert(rng, _WAVE, scene, created, _WAVE.shapes), cause=cause)
            created += rng.randrange(5 * MINUTE, 2 * HOUR)

    def ordinary(self, rng: Random, created: int) -> Iterator[Alert]:
        """Any detection on any device or person; some repeat within hours."""
        device = rng.choice(self._tenant.devices)
        scene = self._scene(rng, device.user, device)
        alert = self._any(rng, scene, created)
        cause = f"again-{alert.alert_id}"
        yield replace(alert, cause=cause)
        while rng.random() < _REPEATED:
            created += rng.randrange(5 * MINUTE, 6 * HOUR)
            yield replace(background_alert(rng, alert.detection, scene, created, alert.shapes), cause=cause)

    def _scene(self, rng: Random, user: User, device: Device) -> Scene:
        scene = new_scene(rng, self._tenant, user, device, device.device_id)
        if rng.random() < _POPULAR_HOST:
            scene = replace(scene, host=rng.choice(self._hosts))
        if rng.random() < _POPULAR_ADDRESS:
            scene = replace(scene, address=rng.choice(self._addresses))
        return scene

    def _any(self, rng: Random, scene: Scene, created: int) -> Alert:
        windows = scene.device.system.family == "Windows"
        fitting = [each for each in DETECTIONS if windows or not each.windows]
        detection = rng.choices(fitting, [_SEVERITIES[each.severity] for each in fitting])[0]
        return background_alert(rng, detection, scene, created, detection.shapes)
