"""Attacks that cross products, and what ties their alerts together.

A campaign begins with mail, goes on on the reader's workstation, moves to a server and may end in the cloud. Unrelated
alerts are in `noise`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from defender_assets.simulator.alerts import Alert, alert_id
from defender_assets.simulator.busy_background import administrators, shared_servers
from defender_assets.simulator.catalogue import of_stage
from defender_assets.simulator.clock import DAY, HOUR, MINUTE, first_tick
from defender_assets.simulator.scenario import Scenario, seeded_rng
from defender_assets.simulator.scenes import Scene, scene
from defender_assets.simulator.tenants import Device, Tenant, User

# Each step and its odds; the three that are certain make every campaign cross three products.
_STAGES = (("phish", 1.0), ("execute", 1.0), ("beacon", 0.6), ("credential", 0.5), ("lateral", 1.0), ("spread", 0.7))
_LAST_STAGES = (("cloud", 0.6), ("signin", 0.5))
_ON_SERVER = ("lateral", "spread")
_OTHER_ACCOUNT = 0.5
_SHARED_SERVER = 0.4
_SHORTEST, _LONGEST = 2 * HOUR, 20 * HOUR
# Above those that noise draws from.
_LEAST_APPLICATION = 100_000


@dataclass(frozen=True, slots=True)
class Campaign:
    """One attack: its alerts in the order of their events."""

    campaign_id: str
    tenant_id: str
    alerts: tuple[Alert, ...]

    def ties(self) -> dict[tuple[str, str], list[str]]:
        """(kind, normalised value) of what two or more alerts share, with the ids of those alerts in order."""
        found: dict[tuple[str, str], list[str]] = {}
        for alert in self.alerts:
            for tie in _entities(alert):
                found.setdefault(tie, []).append(alert.alert_id)
        return {tie: alert_ids for tie, alert_ids in found.items() if len(alert_ids) > 1}


def campaigns(scenario: Scenario, tenant: Tenant) -> Iterator[Campaign]:
    """The tenant's campaigns within the scenario's days: one begins on each day until there are enough."""
    for number in range(min(scenario.campaigns_per_tenant, scenario.days)):
        yield campaign(scenario, tenant, number)


def campaign(scenario: Scenario, tenant: Tenant, number: int) -> Campaign:
    """Campaign `number` (from 0) of the tenant: a function of the seed, the tenant and the number alone."""
    chance = seeded_rng(scenario.seed, "campaign", tenant.index, number)
    workstation, server = tenant.campaign_pairs[number % len(tenant.campaign_pairs)]
    other = server.user
    if scenario.busy:
        # Where everybody is, the attacker is too: on a server of everybody's, under an administrator's account.
        server = chance.choice(shared_servers(tenant)) if chance.random() < _SHARED_SERVER else server
        other = chance.choice((other, *administrators(tenant)))
    stages = [stage for stage, odds in _STAGES + _LAST_STAGES if chance.random() < odds]
    begin = first_tick(scenario.start) + number * DAY + chance.randrange(5 * HOUR, 12 * HOUR)

    first = scene(chance, tenant, workstation.user, workstation, workstation.device_id)
    first = replace(first, application=_LEAST_APPLICATION + chance.randrange(10**9))
    alerts = tuple(
        _alert(chance, first, (server, other), stage, created)
        for stage, created in zip(stages, _times(chance, begin, len(stages)), strict=True)
    )
    return Campaign(f"campaign-{tenant.index + 1}-{number + 1}", tenant.tenant_id, alerts)


def _times(chance: Random, begin: int, amount: int) -> list[int]:
    """Events some hours apart, 2 to 20 hours from the first to the last."""
    gaps = [chance.randrange(15 * MINUTE, 5 * HOUR) for _ in range(amount - 1)]
    total = sum(gaps)
    span = min(max(total, _SHORTEST), _LONGEST)
    return [begin + sum(gaps[:place]) * span // total for place in range(amount)]


def _alert(chance: Random, first: Scene, later: tuple[Device, User], stage: str, created: int) -> Alert:
    server, other = later
    detection = chance.choice(of_stage(stage))
    around = replace(first, serial=chance.randrange(1_000, 60_000))
    if stage in _ON_SERVER:
        around = replace(around, device=server, device_id=server.device_id)
    if stage == "spread" and chance.random() < _OTHER_ACCOUNT:
        # From here on the file, the server and the address are the tie, not the user.
        around = replace(around, user=other)
    return Alert(
        alert_id=alert_id(chance, detection.product, created),
        detection=detection,
        scene=around,
        created=created,
        title=detection.title,
        shapes=detection.shapes,
    )


def _entities(alert: Alert) -> Iterator[tuple[str, str]]:
    around, shapes = alert.scene, set(alert.shapes)
    if shapes & {"User", "EntraUser", "Mailbox", "MailMessage"}:
        yield "user", around.user.object_id
    if "Machine" in shapes:
        yield "device", around.device_id
    if "File" in shapes or ("Process" in shapes and around.program == around.file):
        yield "file", around.file.sha256
    if "Ip" in shapes:
        yield "address", around.address
    if "Url" in shapes:
        yield "address", around.host
