"""Attacks that cross products, and the entities that their alerts share.

A campaign begins with a mail, continues on the recipient's workstation, moves to a server and may end in the cloud.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from defender_assets.simulator.alerts import Alert, new_alert
from defender_assets.simulator.catalogue import of_stage
from defender_assets.simulator.clock import DAY, HOUR, MINUTE, first_tick
from defender_assets.simulator.scenario import Scenario, seeded_rng
from defender_assets.simulator.scenes import Scene, new_scene
from defender_assets.simulator.tenants import Device, Tenant, User, administrators, shared_servers

# Each stage and its probability; the three certain stages make every campaign cross three products.
_STAGES = (("phish", 1.0), ("execute", 1.0), ("beacon", 0.6), ("credential", 0.5), ("lateral", 1.0), ("spread", 0.7))
_LAST_STAGES = (("cloud", 0.6), ("signin", 0.5))
_ON_SERVER = ("lateral", "spread")
_OTHER_ACCOUNT = 0.5
_SHARED_SERVER = 0.4
_SHORTEST, _LONGEST = 2 * HOUR, 20 * HOUR
# Above the ids that unrelated alerts use.
_LEAST_APPLICATION = 100_000


@dataclass(frozen=True, slots=True)
class Campaign:
    """One attack: its alerts in the order of their events."""

    campaign_id: str
    tenant_id: str
    alerts: tuple[Alert, ...]

    def ties(self) -> dict[tuple[str, str], list[str]]:
        """(kind, normalised value) of each entity in two or more alerts, and the ids of those alerts in order."""
        found: dict[tuple[str, str], list[str]] = {}
        for alert in self.alerts:
            for tie in _entities(alert):
                found.setdefault(tie, []).append(alert.alert_id)
        return {tie: alert_ids for tie, alert_ids in found.items() if len(alert_ids) > 1}


def campaigns(scenario: Scenario, tenant: Tenant) -> Iterator[Campaign]:
    """The tenant's campaigns: one begins on each day of the scenario until there are enough."""
    for number in range(min(scenario.campaigns_per_tenant, scenario.days)):
        yield campaign(scenario, tenant, number, number)


def campaign(scenario: Scenario, tenant: Tenant, number: int, day: int) -> Campaign:
    """Campaign `number` (from 0) of the tenant, which begins on this day of the scenario (from 0)."""
    rng = seeded_rng(scenario.seed, "campaign", tenant.index, number)
    workstation, server = tenant.campaign_pairs[number % len(tenant.campaign_pairs)]
    other = server.user
    if scenario.world:
        # The attacker also uses shared servers and the accounts of administrators.
        server = rng.choice(shared_servers(tenant)) if rng.random() < _SHARED_SERVER else server
        other = rng.choice((other, *administrators(tenant)))
    stages = [stage for stage, odds in _STAGES + _LAST_STAGES if rng.random() < odds]
    begin = first_tick(scenario.start) + day * DAY + rng.randrange(5 * HOUR, 12 * HOUR)

    first = new_scene(rng, tenant, workstation.user, workstation, workstation.device_id)
    first = replace(first, application=_LEAST_APPLICATION + rng.randrange(10**9))
    alerts = tuple(
        _alert(rng, first, (server, other), stage, created)
        for stage, created in zip(stages, _times(rng, begin, len(stages)), strict=True)
    )
    return Campaign(f"campaign-{tenant.index + 1}-{number + 1}", tenant.tenant_id, alerts)


def _times(rng: Random, begin: int, amount: int) -> list[int]:
    """Events some hours apart, 2 to 20 hours from the first to the last."""
    gaps = [rng.randrange(15 * MINUTE, 5 * HOUR) for _ in range(amount - 1)]
    total = sum(gaps)
    span = min(max(total, _SHORTEST), _LONGEST)
    return [begin + sum(gaps[:position]) * span // total for position in range(amount)]


def _alert(rng: Random, first: Scene, later: tuple[Device, User], stage: str, created: int) -> Alert:
    server, other = later
    detection = rng.choice(of_stage(stage))
    scene = replace(first, serial=rng.randrange(1_000, 60_000))
    if stage in _ON_SERVER:
        scene = replace(scene, device=server, device_id=server.device_id)
    if stage == "spread" and rng.random() < _OTHER_ACCOUNT:
        # From here on the alerts share the file, the server and the address, but not the user.
        scene = replace(scene, user=other)
    return new_alert(rng, detection, scene, created)


def _entities(alert: Alert) -> Iterator[tuple[str, str]]:
    scene, shapes = alert.scene, set(alert.shapes)
    if shapes & {"User", "EntraUser", "Mailbox", "MailMessage"}:
        yield "user", scene.user.object_id
    if "Machine" in shapes:
        yield "device", scene.device_id
    if "File" in shapes or ("Process" in shapes and scene.program == scene.file):
        yield "file", scene.file.sha256
    if "Ip" in shapes:
        yield "address", scene.address
    if "Url" in shapes:
        yield "address", scene.host
