"""The unrelated alerts of a realistic tenant: benign positives, false positives, and what makes correlation hard.

Shared servers, administrators who work on any device, maintenance that looks like an attack, a detector with the same
false positive all day, a rule that was rolled out today, a scanner, waves of unwanted mail, popular hosts and
addresses, and ordinary alerts on any device, attacked devices included.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from random import Random

from defender_assets.simulator.alerts import Alert
from defender_assets.simulator.background import background_alert, time_of_day
from defender_assets.simulator.catalogue import DETECTIONS, Detection
from defender_assets.simulator.clock import DAY, HOUR, MINUTE, first_tick
from defender_assets.simulator.names import guid, hostile_host, public_address
from defender_assets.simulator.products import ENDPOINT, IDENTITY, OFFICE, XDR
from defender_assets.simulator.realistic import rates
from defender_assets.simulator.realistic.detections import draw, of_product
from defender_assets.simulator.scenario import Scenario, seeded_rng
from defender_assets.simulator.scenes import Outcome, Scene, artifact, mail, new_scene, prevalent
from defender_assets.simulator.tenants import Device, Tenant, User, administrators, shared_servers

_POPULAR, _POPULAR_HOST, _POPULAR_ADDRESS = 6, 0.2, 0.15
_REPEATED, _LARGEST_WAVE, _LARGEST_ROLLOUT = 0.15, 6, 30
_EGRESS, _NO_MACHINE_OF_XDR = 0.4, 0.2


def everyday_alerts(scenario: Scenario, tenant: Tenant, day: int) -> Iterator[Alert]:
    """The alerts of the day that begins at tick `day`; repeated alerts may follow some hours after that day."""
    rng = seeded_rng(scenario.seed, "everyday", tenant.index, (day - first_tick(scenario.start)) // DAY)
    background = _Everyday(scenario, tenant)
    amount = int(scenario.alerts_per_day * rng.uniform(0.7, 1.3))
    made = 0
    while made < amount:
        kind = rng.choices(tuple(rates.EVERYDAY), tuple(rates.EVERYDAY.values()))[0]
        for alert in getattr(background, kind)(rng, day + time_of_day(rng)):
            made += 1
            yield alert


def everyday_scene(rng: Random, tenant: Tenant, user: User, device: Device) -> Scene:
    """A scene whose own file and other entities are new; most programs belong to the system."""
    return new_scene(rng, tenant, user, device, device.device_id)


def outcome(rng: Random, verdicts: Mapping[str, int], states: Mapping[str, int]) -> Outcome:
    """Verdict and state by these weights."""
    return Outcome(
        rng.choices(tuple(verdicts), tuple(verdicts.values()))[0], rng.choices(tuple(states), tuple(states.values()))[0]
    )


def realistic(detection: Detection) -> Detection:
    """The detection as the real product reports it: Defender for Identity names machines without an identifier."""
    if detection.product != IDENTITY:
        return detection
    shapes = tuple("NamedMachine" if shape == "Machine" else shape for shape in detection.shapes)
    return detection._replace(shapes=shapes)


def shapes_of(rng: Random, detection: Detection) -> tuple[str, ...]:
    """The entities of one alert: for the endpoint a varying number of processes, files and more; at times none."""
    if rng.random() < rates.WITHOUT_ENTITY:
        return ()
    shapes = list(detection.shapes)
    if detection.product == ENDPOINT:
        if rng.random() < rates.WITHOUT_DEVICE:
            shapes.remove("Machine")
        extra = max(0, round(rng.gauss(rates.EVIDENCE_ROWS - len(shapes), 2)))
        shapes += rng.choices(
            ("Process", "File", "Ip", "Url", "RegistryValue", "System"), (45, 25, 8, 4, 8, 10), k=extra
        )
    return tuple(shapes)


class _Everyday:
    """What a tenant's unrelated alerts share on all days. The methods named in `rates.EVERYDAY` yield alerts."""

    def __init__(self, scenario: Scenario, tenant: Tenant) -> None:
        rng = seeded_rng(scenario.seed, "commonplace", tenant.index)
        self._tenant = tenant
        self._servers, self._administrators = shared_servers(tenant), administrators(tenant)
        self._service, self._scanner = tenant.office_users[-1], self._servers[0] if self._servers else tenant.devices[0]
        self._agent, self._update_server = artifact(rng, windows=True), public_address(rng)
        self._hosts = [hostile_host(rng) for _ in range(_POPULAR)]
        self._addresses = [public_address(rng) for _ in range(_POPULAR)]
        noisy = [each for each in of_product(ENDPOINT) if each.severity in ("Low", "Informational")]
        self._false_positive, self._scan = rng.sample(noisy, 2)
        self._wave = rng.choice([each for each in of_product(OFFICE) if each.category == "InitialAccess"])
        # An administrator's work sets off the same few detections again and again.
        self._maintenance = [draw(rng, ENDPOINT, rates.SEVERITIES_OF_EVERYDAY) for _ in range(8)]
        # Some detections of a tenant fire much more often than others: the n-th one n times less often.
        self._favourites = {product: self._common(rng, product) for product in rates.PRODUCTS_OF_EVERYDAY}

    @staticmethod
    def _common(rng: Random, product: str) -> list[Detection]:
        """The tenant's detections of a product, the most frequent first; those of campaigns are among them."""
        drawn = [draw(rng, product, rates.SEVERITIES_OF_EVERYDAY) for _ in range(32)]
        listed = [realistic(each) for each in DETECTIONS if each.product == product]
        rng.shuffle(listed)
        found = [*drawn, *listed[:8]]
        rng.shuffle(found)
        return found

    def agent(self, rng: Random, created: int) -> Iterator[Alert]:
        """A false positive: the same program, account and address on one device after another."""
        scene = self._scene(rng, self._service, rng.choice(self._tenant.devices))
        scene = replace(scene, file=self._agent, program=self._agent, address=self._update_server)
        yield background_alert(rng, self._false_positive, scene, created, ("Machine", "User", "Process", "File", "Ip"))

    def administrator(self, rng: Random, created: int) -> Iterator[Alert]:
        """A benign positive: an administrator on any device."""
        scene = self._scene(rng, rng.choice(self._administrators), rng.choice(self._tenant.devices))
        yield self._any(rng, scene, created)

    def maintenance(self, rng: Random, created: int) -> Iterator[Alert]:
        """A benign positive that looks like an attack: an administrator sets off several detections on one device."""
        scene = self._scene(
            rng, rng.choice(self._administrators), rng.choice((*self._servers, *self._tenant.devices[:4]))
        )
        cause = f"maintenance-{self._tenant.index}-{created}-{scene.serial}"
        for _ in range(rng.randint(2, 4)):
            detection = rng.choice(self._maintenance)
            alert = background_alert(rng, detection, scene, created, shapes_of(rng, detection))
            yield replace(alert, cause=cause)
            created += rng.randrange(MINUTE, 20 * MINUTE)

    def server(self, rng: Random, created: int) -> Iterator[Alert]:
        """Any user on a shared server."""
        server = rng.choice(self._servers or self._tenant.devices)
        yield self._any(rng, self._scene(rng, rng.choice(self._tenant.devices).user, server), created)

    def scanner(self, rng: Random, created: int) -> Iterator[Alert]:
        """A vulnerability scanner that is detected as an attacker."""
        scene = self._scene(rng, self._service, self._scanner)
        yield background_alert(rng, self._scan, scene, created, ("Machine", "User", "Process", "PrivateIp"))

    def wave(self, rng: Random, created: int) -> Iterator[Alert]:
        """Unwanted mail that several people report within hours: one cause."""
        first, cause = mail(rng), f"wave-{self._tenant.index}-{created}"
        host = hostile_host(rng)
        for _ in range(rng.randint(2, _LARGEST_WAVE)):
            device = rng.choice(self._tenant.devices)
            message = first._replace(message_id=guid(rng))
            scene = replace(self._scene(rng, device.user, device), host=host, mail=message)
            yield replace(background_alert(rng, self._wave, scene, created, self._wave.shapes), cause=cause)
            created += rng.randrange(5 * MINUTE, 2 * HOUR)

    def rollout(self, rng: Random, created: int) -> Iterator[Alert]:
        """A false positive everywhere: a new rule fires on many devices at once, on different files."""
        detection = draw(rng, ENDPOINT, rates.SEVERITIES_OF_EVERYDAY)
        amount = min(rng.randint(6, _LARGEST_ROLLOUT), len(self._tenant.devices))
        for device in rng.sample(self._tenant.devices, amount):
            scene = self._scene(rng, device.user, device)
            yield background_alert(rng, detection, scene, created, ("Machine", "User", "Process"))
            created += rng.randrange(10 * MINUTE)

    def quarrel(self, rng: Random, created: int) -> Iterator[Alert]:
        """One false positive that repeats on one device for some hours: one cause."""
        device = rng.choice(self._tenant.devices)
        detection = rng.choice(self._favourites[ENDPOINT])
        scene = self._scene(rng, device.user, device)
        cause = f"quarrel-{self._tenant.index}-{created}-{scene.serial}"
        for _ in range(rng.randint(3, 8)):
            yield replace(background_alert(rng, detection, scene, created, ("Machine", "User", "Process")), cause=cause)
            created += rng.randrange(MINUTE, HOUR)

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
        scene = everyday_scene(rng, self._tenant, user, device)
        scene = replace(scene, outcome=outcome(rng, rates.VERDICTS_OF_EVERYDAY, rates.STATES_OF_EVERYDAY))
        if scene.program == scene.file and device.system.family == "Windows":
            # Few everyday processes have a new image.
            scene = replace(scene, program=prevalent("powershell.exe") if rng.random() < 0.5 else scene.file)  # noqa: PLR2004
        if rng.random() < _POPULAR_HOST:
            scene = replace(scene, host=rng.choice(self._hosts))
        if rng.random() < _POPULAR_ADDRESS:
            scene = replace(scene, address=rng.choice(self._addresses))
        return scene

    def _any(self, rng: Random, scene: Scene, created: int) -> Alert:
        products = rates.PRODUCTS_OF_EVERYDAY
        product = rng.choices(tuple(products), tuple(products.values()))[0]
        favourites = self._favourites[product]
        detection = rng.choices(favourites, [1 / (number + 3) for number in range(len(favourites))])[0]
        shapes = shapes_of(rng, detection)
        if rng.random() < _EGRESS:
            shapes = tuple("EgressIp" if shape == "Ip" else shape for shape in shapes)
        if product == XDR and rng.random() < _NO_MACHINE_OF_XDR:
            shapes = tuple(shape for shape in shapes if shape != "Machine")
        return background_alert(rng, detection, scene, created, shapes)
