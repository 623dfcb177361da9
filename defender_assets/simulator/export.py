"""The whole export in the order of its arrival.

Here the hours of all tenants come together; what happens in them and how it is delivered is in the modules above.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from random import Random

from defender_assets.simulator.alerts import alert_records
from defender_assets.simulator.background import noise_alerts
from defender_assets.simulator.busy_background import everyday_alerts
from defender_assets.simulator.campaigns import Campaign, campaigns
from defender_assets.simulator.clock import DAY, HOUR, first_tick, moment
from defender_assets.simulator.delivery import Delivery, Line, after, copies, deliveries
from defender_assets.simulator.format import TABLES, Record, line
from defender_assets.simulator.heartbeats import Heartbeats
from defender_assets.simulator.malformed import malformed_lines
from defender_assets.simulator.scenario import Append, Scenario, seeded_rng
from defender_assets.simulator.tenants import Tenant, build_tenant

_Waiting = list[tuple[datetime, int, Delivery]]


def simulate(scenario: Scenario) -> Iterator[Append]:
    """Every append of the export, in the order of arrival; those to one blob are in the order of its bytes.

    Holds about one hour of lines in memory, the population, and what was delivered late.
    """
    begin = first_tick(scenario.start)
    sources = [_Source(scenario, build_tenant(scenario, index)) for index in range(scenario.tenants)]
    waiting: _Waiting = []
    tickets = count()
    for hour in range(begin, begin + scenario.days * DAY, HOUR):
        for source in sources:
            for delivery in source.hour(hour):
                heappush(waiting, (delivery.append.at, next(tickets), delivery))
        # The next hour's first append comes when that hour has begun.
        yield from _arrived(scenario, waiting, moment(hour + HOUR))
        if scenario.until is not None and moment(hour) > scenario.until:
            return
    yield from _arrived(scenario, waiting, None)


def campaigns_of(scenario: Scenario) -> list[Campaign]:
    """The campaigns of all tenants, whether or not `until` lets all of their alerts arrive."""
    tenants = (build_tenant(scenario, index) for index in range(scenario.tenants))
    return [campaign for tenant in tenants for campaign in campaigns(scenario, tenant)]


def causes_of(scenario: Scenario) -> dict[tuple[str, str], str]:
    """What each alert (tenant_id, AlertId) of the scenario belongs to; an alert that stands alone is its own cause."""
    found = {}
    begin = first_tick(scenario.start)
    for index in range(scenario.tenants):
        tenant = build_tenant(scenario, index)
        for day in range(begin, begin + scenario.days * DAY, DAY):
            for alert in (
                everyday_alerts(scenario, tenant, day) if scenario.busy else noise_alerts(scenario, tenant, day)
            ):
                found[tenant.tenant_id, alert.alert_id] = alert.cause or alert.alert_id
        for campaign in campaigns(scenario, tenant):
            found |= {(tenant.tenant_id, alert.alert_id): campaign.campaign_id for alert in campaign.alerts}
    return found


def _arrived(scenario: Scenario, waiting: _Waiting, before: datetime | None) -> Iterator[Append]:
    while waiting and (before is None or waiting[0][0] < before):
        at, ticket, delivery = heappop(waiting)
        if scenario.until is not None and at > scenario.until:
            return
        yield delivery.append
        if delivery.rest:
            follower = after(delivery)
            heappush(waiting, (follower.append.at, ticket, follower))


class _Source:
    """One tenant's lines, from the records of each hour to the blobs of the hour in which they are exported."""

    def __init__(self, scenario: Scenario, tenant: Tenant) -> None:
        self._scenario = scenario
        self._tenant = tenant
        self._heartbeats = Heartbeats(scenario, tenant)
        self._campaigns = list(campaigns(scenario, tenant))
        self._coming: defaultdict[int, dict[str, list[Line]]] = defaultdict(lambda: {table: [] for table in TABLES})

    def hour(self, hour: int) -> Iterator[Delivery]:
        """The deliveries to the blobs of this hour. Hours must be asked in order."""
        if hour % DAY == 0:
            for exported, table, data in malformed_lines(self._scenario, self._tenant, hour):
                self._put(exported, table, data)
            self._send(
                self._alert_records(hour), seeded_rng(self._scenario.seed, "copies", self._tenant.index, hour // DAY)
            )
        chance = seeded_rng(self._scenario.seed, "copies of heartbeats", self._tenant.index, hour // HOUR)
        self._send(self._heartbeats.hour(hour), chance)
        for table, lines in self._coming.pop(hour, {table: [] for table in TABLES}).items():
            yield from deliveries(self._scenario, self._tenant.tenant_id, table, hour, lines)

    def _alert_records(self, day: int) -> Iterator[Record]:
        seed, index = self._scenario.seed, self._tenant.index
        unrelated = everyday_alerts if self._scenario.busy else noise_alerts
        for alert in unrelated(self._scenario, self._tenant, day):
            yield from alert_records(seeded_rng(seed, "rows", index, alert.alert_id), alert)
        for campaign in self._campaigns:
            if day <= campaign.alerts[0].created < day + DAY:
                for alert in campaign.alerts:
                    yield from alert_records(seeded_rng(seed, "rows", index, alert.alert_id), alert)

    def _send(self, records: Iterator[Record], chance: Random) -> None:
        for record in records:
            self._put(record.exported, record.table, line(record, self._tenant.tenant_id))
            if self._scenario.faults:
                for copy in copies(chance, record):
                    self._put(copy.exported, copy.table, line(copy, self._tenant.tenant_id))

    def _put(self, exported: int, table: str, data: bytes) -> None:
        self._coming[exported - exported % HOUR][table].append(Line(exported, data))
