"""Attacks as published incidents show them: hands-on-keyboard, slow, and outbreaks of one file."""

from collections.abc import Iterator
from dataclasses import replace
from math import exp
from random import Random

from defender_assets.simulator.alerts import Alert, new_alert
from defender_assets.simulator.campaigns import Campaign, campaign
from defender_assets.simulator.catalogue import Detection
from defender_assets.simulator.clock import DAY, HOUR, MINUTE, SECOND, first_tick
from defender_assets.simulator.names import hostile_host, public_address
from defender_assets.simulator.products import ENDPOINT
from defender_assets.simulator.realistic import rates
from defender_assets.simulator.realistic.detections import draw, of_product
from defender_assets.simulator.realistic.everyday import everyday_scene, outcome, realistic, shapes_of
from defender_assets.simulator.scenario import Scenario, seeded_rng
from defender_assets.simulator.scenes import Outcome, Scene, artifact
from defender_assets.simulator.tenants import Device, Tenant, administrators, shared_servers
from defender_assets.simulator.worlds import WORLDS


def attacks(scenario: Scenario, tenant: Tenant) -> Iterator[Campaign]:
    """The attacks on a tenant: one of each kind begins on every n-th day, as the scenario's world says."""
    for kind, (every, first) in WORLDS[scenario.world].attacks.items():
        for number, day in enumerate(range(first, scenario.days, every)):
            rng = seeded_rng(scenario.seed, kind, tenant.index, number)
            if kind == "campaign":
                yield _realistic(rng, campaign(scenario, tenant, number, day))
                continue
            begin = first_tick(scenario.start) + day * DAY + rng.randrange(20 * HOUR)
            alerts = sorted(_KINDS[kind](rng, tenant, begin), key=lambda alert: (alert.created, alert.alert_id))
            yield Campaign(f"{kind}-{tenant.index + 1}-{number + 1}", tenant.tenant_id, tuple(alerts))


def _realistic(rng: Random, tidy: Campaign) -> Campaign:
    """The campaign with machines as the real products name them, and with verdicts that vary."""
    alerts = []
    for alert in tidy.alerts:
        detection = realistic(alert.detection)
        fate = outcome(rng, rates.VERDICTS_OF_ATTACK, rates.STATES_OF_ATTACK)
        scene = replace(alert.scene, outcome=fate)
        alerts.append(replace(alert, detection=detection, shapes=detection.shapes, scene=scene))
    return replace(tidy, alerts=tuple(alerts))


class _Operator:
    """An intruder: the devices and accounts that they reach, and what they bring."""

    def __init__(self, rng: Random, tenant: Tenant, size: int) -> None:
        self._rng, self._tenant = rng, tenant
        most = min(rates.DEVICES_OF_ATTACK[1], max(1, size // 3))
        amount = rng.randint(rates.DEVICES_OF_ATTACK[0], most)
        self.devices = _targets(rng, tenant, amount)
        self.accounts = [self.devices[0].user]
        others = [*administrators(tenant), *(device.user for device in self.devices[1:])]
        for account in rng.sample(others, min(len(others), rng.randint(*rates.ACCOUNTS_OF_ATTACK) - 1)):
            if account not in self.accounts:
                self.accounts.append(account)
        windows = self.devices[0].system.family == "Windows"
        self._tools = [artifact(rng, windows=windows) for _ in range(rng.randint(1, 4))]
        self._addresses = [public_address(rng) for _ in range(rng.randint(1, 2))]
        self._hosts = [hostile_host(rng) for _ in range(rng.randint(1, 2))]
        self._detections = self._repertoire(max(2, round(size * rates.TITLES_PER_ALERT)))
        self._device, self._account = self.devices[0], self.accounts[0]

    def _repertoire(self, size: int) -> list[Detection]:
        rng = self._rng
        products = rng.choices(tuple(rates.PRODUCTS_OF_ATTACK), tuple(rates.PRODUCTS_OF_ATTACK.values()), k=size)
        return [draw(rng, product, rates.SEVERITIES_OF_ATTACKS) for product in products]

    def alert(self, created: int) -> Alert:
        """The next alert: it mostly stays on the device and with the account of the one before."""
        rng = self._rng
        if rng.random() >= rates.STAYS_ON_DEVICE:
            self._device = rng.choice(self.devices)
        if rng.random() >= rates.STAYS_WITH_ACCOUNT:
            self._account = rng.choice(self.accounts)
        scene = everyday_scene(rng, self._tenant, self._account, self._device)
        scene = replace(scene, outcome=outcome(rng, rates.VERDICTS_OF_ATTACK, rates.STATES_OF_ATTACK))
        if rng.random() < rates.TOOL_SHARE:
            tool = rng.choice(self._tools)
            scene = replace(scene, file=tool, program=tool)
        if rng.random() < rates.CONTROL_SHARE:
            scene = replace(scene, address=rng.choice(self._addresses), host=rng.choice(self._hosts))
        detection = rng.choice(self._detections)
        alert = new_alert(rng, detection, scene, created)
        also: tuple[Scene, ...] = ()
        if detection.product == "xdr":
            others = rng.sample(self.devices, rng.randint(1, len(self.devices)))
            also = tuple(replace(scene, device=each, device_id=each.device_id) for each in others)
        return replace(alert, shapes=shapes_of(rng, detection), also=also)


def _targets(rng: Random, tenant: Tenant, amount: int) -> list[Device]:
    """Distinct devices, the more valuable or exposed ones more often; from the second on a server is likelier."""
    pool = [device for device in tenant.devices if not device.old_id]
    found: list[Device] = []
    servers = shared_servers(tenant)
    while len(found) < min(amount, len(pool)):
        if found and servers and rng.random() < 0.2:  # noqa: PLR2004 - a share
            chosen = rng.choice(servers)
        else:
            chosen = rng.choices(pool, [_weight(device) for device in pool])[0]
        if chosen not in found:
            found.append(chosen)
    return found


def _weight(device: Device) -> float:
    valuable = device.asset_value == "High" or device.exposure == "High" or bool(device.internet_facing)
    return rates.VALUABLE_TARGET if valuable else 1.0


def _size(rng: Random) -> int:
    size = round(rng.choice(rates.ATTACK_SIZES) * rng.uniform(*rates.SIZE_JITTER))
    return min(max(size, rates.LEAST_ATTACK), rates.LARGEST_ATTACK)


def _gap(rng: Random) -> int:
    drawn = rates.MEDIAN_GAP * exp(rng.gauss(0, rates.GAP_SPREAD))
    return int(min(max(drawn, SECOND), rates.LONGEST_GAP))


def _hands_on(rng: Random, tenant: Tenant, begin: int) -> Iterator[Alert]:
    """An operator at work: dense activity, at times interrupted by pauses of hours or days."""
    size = _size(rng)
    operator = _Operator(rng, tenant, size)
    wanted = rng.choices(tuple(rates.PAUSES_OF_ATTACK), tuple(rates.PAUSES_OF_ATTACK.values()))[0]
    pauses = set(rng.sample(range(1, size), min(wanted, size - 1)))
    created = begin
    for number in range(size):
        if number:
            created += rng.randrange(*rates.PAUSE) if number in pauses else _gap(rng)
        yield operator.alert(created)


def _slow(rng: Random, tenant: Tenant, begin: int) -> Iterator[Alert]:
    """A patient operator: steps of one to three alerts, hours to days apart."""
    size = rng.randint(*rates.SLOW_SIZES)
    operator = _Operator(rng, tenant, size)
    created, made = begin, 0
    while made < size:
        for _ in range(min(rng.randint(*rates.SLOW_STEP), size - made)):
            yield operator.alert(created)
            made += 1
            created += _gap(rng) * 3
        created += rng.randrange(*rates.SLOW_GAP)


def _outbreak(rng: Random, tenant: Tenant, begin: int) -> Iterator[Alert]:
    """One new file on many devices: one cause, so one story, though the devices and people differ."""
    amount = min(rng.randint(*rates.OUTBREAK_HOSTS), len(tenant.devices))
    devices = rng.sample(tenant.devices, amount)
    file = artifact(rng, windows=True)
    titles = rng.sample([each for each in of_product(ENDPOINT) if each.category in _OUTBREAK_CATEGORIES], 2)
    span = rng.randrange(*rates.OUTBREAK_SPAN)
    prevented = rng.random() < rates.OUTBREAK_PREVENTED
    for device in devices:
        scene = everyday_scene(rng, tenant, device.user, device)
        fate = Outcome("Malicious", "Prevented") if prevented else None
        scene = replace(
            scene,
            file=file,
            program=file,
            outcome=fate or outcome(rng, rates.VERDICTS_OF_ATTACK, rates.STATES_OF_ATTACK),
        )
        detection = titles[0] if rng.random() < 0.8 else titles[1]  # noqa: PLR2004 - a share
        alert = new_alert(rng, detection, scene, begin + rng.randrange(span))
        yield replace(alert, shapes=("Machine", "User", "File", "Process"))


_OUTBREAK_CATEGORIES = ("Malware", "Ransomware", "SuspiciousActivity")


def _spray(rng: Random, tenant: Tenant, begin: int) -> Iterator[Alert]:
    """One stolen account that sets off many kinds of detection on many devices within an hour: one cause."""
    account = rng.choice((*administrators(tenant), rng.choice(tenant.devices).user))
    devices = rng.sample(tenant.devices, min(rng.randint(8, 40), len(tenant.devices)))
    tool, created = artifact(rng, windows=True), begin
    for device in devices:
        detection = draw(rng, ENDPOINT, rates.SEVERITIES_OF_ATTACKS)
        scene = everyday_scene(rng, tenant, account, device)
        scene = replace(scene, outcome=outcome(rng, rates.VERDICTS_OF_ATTACK, rates.STATES_OF_ATTACK))
        if rng.random() < rates.TOOL_SHARE:
            scene = replace(scene, file=tool, program=tool)
        alert = new_alert(rng, detection, scene, created)
        yield replace(alert, shapes=("Machine", "User", "Process"))
        created += rng.randrange(10 * SECOND, 3 * MINUTE)


_KINDS = {"hands-on": _hands_on, "slow": _slow, "outbreak": _outbreak, "spray": _spray}
