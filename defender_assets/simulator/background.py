"""The unrelated alerts of a tenant and day.

Each takes the next device or person of a walk through the tenant, so that two of them rarely have one in common within
a few days. What belongs to an attack is in `campaigns`.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import ceil
from random import Random

from defender_assets.simulator.alerts import Alert, alert_id
from defender_assets.simulator.catalogue import HOSTILE_TITLES, Detection, of_product
from defender_assets.simulator.clock import DAY, HOUR, MINUTE, first_tick
from defender_assets.simulator.products import ENDPOINT, WEIGHTS
from defender_assets.simulator.scenario import Scenario, seeded_rng
from defender_assets.simulator.scenes import Scene, scene
from defender_assets.simulator.tenants import Device, Tenant

_LEAST, _MOST = 0.7, 1.3
_WITHOUT_INFO = 0.01
_WITHOUT_MACHINE = 0.08
_UNDER_OLD_ID = 0.5
_HOSTILE = 0.05
_AT_WORK = 0.7


def noise_alerts(scenario: Scenario, tenant: Tenant, day: int) -> Iterator[Alert]:
    """The alerts whose event falls on the day that begins at tick `day`."""
    number = (day - first_tick(scenario.start)) // DAY
    chance = seeded_rng(scenario.seed, "noise", tenant.index, number)
    rate = scenario.alerts_per_day * chance.uniform(_LEAST, _MOST)
    amount = int(rate) + (chance.random() < rate % 1)
    stride = ceil(scenario.alerts_per_day * _MOST)
    products = chance.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()), k=amount)
    for place, product in enumerate(products, start=number * stride):
        yield _alert(chance, tenant, product, place, day + time_of_day(chance))
    for newcomer in tenant.newcomers:
        first_alert = newcomer.first_seen - chance.randrange(20 * MINUTE, 90 * MINUTE)
        if scenario.alerts_per_day and day <= first_alert < day + DAY:
            yield _endpoint_alert(chance, tenant, newcomer, first_alert)


def time_of_day(chance: Random) -> int:
    """Ticks after midnight, mostly at work."""
    if chance.random() < _AT_WORK:
        return chance.randrange(8 * HOUR, 18 * HOUR)
    return chance.randrange(DAY)


def _alert(chance: Random, tenant: Tenant, product: str, place: int, created: int) -> Alert:
    device = tenant.noise_devices[place % len(tenant.noise_devices)]
    if product == ENDPOINT:
        return _endpoint_alert(chance, tenant, device, created)
    windows = device.system.family == "Windows"
    detection = chance.choice(of_product(product, windows=windows))
    # A serial that is even keeps the device out of evidence that has no Machine row.
    named = "Machine" in detection.shapes
    user = device.user if named else tenant.office_users[place % len(tenant.office_users)]
    around = scene(chance, tenant, user, device, device.device_id)
    if not named:
        around = replace(around, serial=around.serial // 2 * 2)
    return noted(chance, detection, around, created, detection.shapes)


def _endpoint_alert(chance: Random, tenant: Tenant, device: Device, created: int) -> Alert:
    detection = chance.choice(of_product(ENDPOINT, windows=device.system.family == "Windows"))
    named = device.device_id
    if device.old_id and (created < device.merged_at or chance.random() < _UNDER_OLD_ID):
        named = device.old_id
    around = scene(chance, tenant, device.user, device, named)
    shapes = detection.shapes
    if "Process" in shapes and chance.random() < _WITHOUT_MACHINE:
        shapes = tuple(shape for shape in shapes if shape != "Machine")
    return noted(chance, detection, around, created, shapes)


def noted(chance: Random, detection: Detection, around: Scene, created: int, shapes: tuple[str, ...]) -> Alert:
    """An unrelated alert; a few have a hostile title, and the info of a few never comes."""
    return Alert(
        alert_id=alert_id(chance, detection.product, created),
        detection=detection,
        scene=around,
        created=created,
        title=chance.choice(HOSTILE_TITLES) if chance.random() < _HOSTILE else detection.title,
        shapes=shapes,
        has_info=chance.random() >= _WITHOUT_INFO,
    )
