"""The unrelated alerts of a tenant and day.

Successive alerts cycle through the tenant's devices and people, so that two alerts rarely share one within a few days.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import ceil
from random import Random

from defender_assets.simulator.alerts import Alert, new_alert
from defender_assets.simulator.catalogue import HOSTILE_TITLES, Detection, of_product
from defender_assets.simulator.clock import DAY, HOUR, MINUTE, first_tick
from defender_assets.simulator.products import ENDPOINT, WEIGHTS
from defender_assets.simulator.scenario import Scenario, seeded_rng
from defender_assets.simulator.scenes import Scene, new_scene
from defender_assets.simulator.tenants import Device, Tenant

# The day's number of alerts, as a factor of the average.
_LEAST, _MOST = 0.7, 1.3
# Probabilities.
_WITHOUT_INFO = 0.01
_WITHOUT_MACHINE = 0.08
_UNDER_OLD_ID = 0.5
_HOSTILE = 0.05
_AT_WORK = 0.7


def background_alerts(scenario: Scenario, tenant: Tenant, day: int) -> Iterator[Alert]:
    """The alerts with an event on the day that begins at tick `day`."""
    number = (day - first_tick(scenario.start)) // DAY
    rng = seeded_rng(scenario.seed, "noise", tenant.index, number)
    rate = scenario.alerts_per_day * rng.uniform(_LEAST, _MOST)
    products = rng.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()), k=int(rate) + (rng.random() < rate % 1))
    for position, product in enumerate(products, start=number * ceil(scenario.alerts_per_day * _MOST)):
        yield _alert(rng, tenant, product, position, day + time_of_day(rng))
    for newcomer in tenant.newcomers:
        first_alert = newcomer.first_seen - rng.randrange(20 * MINUTE, 90 * MINUTE)
        if scenario.alerts_per_day and day <= first_alert < day + DAY:
            yield _endpoint_alert(rng, tenant, newcomer, first_alert)


def time_of_day(rng: Random) -> int:
    """Ticks after midnight, mostly in working hours."""
    return rng.randrange(8 * HOUR, 18 * HOUR) if rng.random() < _AT_WORK else rng.randrange(DAY)


def _alert(rng: Random, tenant: Tenant, product: str, position: int, created: int) -> Alert:
    device = tenant.noise_devices[position % len(tenant.noise_devices)]
    if product == ENDPOINT:
        return _endpoint_alert(rng, tenant, device, created)
    detection = rng.choice(of_product(product, windows=device.system.family == "Windows"))
    has_machine = "Machine" in detection.shapes
    user = device.user if has_machine else tenant.office_users[position % len(tenant.office_users)]
    scene = new_scene(rng, tenant, user, device, device.device_id)
    if not has_machine:
        # With an even serial, File evidence does not name the device as its host.
        scene = replace(scene, serial=scene.serial // 2 * 2)
    return background_alert(rng, detection, scene, created, detection.shapes)


def _endpoint_alert(rng: Random, tenant: Tenant, device: Device, created: int) -> Alert:
    detection = rng.choice(of_product(ENDPOINT, windows=device.system.family == "Windows"))
    device_id = device.device_id
    if device.old_id and (created < device.merged_at or rng.random() < _UNDER_OLD_ID):
        device_id = device.old_id
    scene = new_scene(rng, tenant, device.user, device, device_id)
    shapes = detection.shapes
    if "Process" in shapes and rng.random() < _WITHOUT_MACHINE:
        shapes = tuple(shape for shape in shapes if shape != "Machine")
    return background_alert(rng, detection, scene, created, shapes)


def background_alert(rng: Random, detection: Detection, scene: Scene, created: int, shapes: tuple[str, ...]) -> Alert:
    """An unrelated alert; a few have a hostile title, and a few never get an AlertInfo row."""
    return replace(
        new_alert(rng, detection, scene, created),
        title=rng.choice(HOSTILE_TITLES) if rng.random() < _HOSTILE else detection.title,
        shapes=shapes,
        has_info=rng.random() >= _WITHOUT_INFO,
    )
