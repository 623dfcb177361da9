"""The whole export: the appends of all tenants in order of arrival."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from heapq import heappop, heappush
from itertools import chain, count
from random import Random

from defender_assets.simulator.alerts import Alert, alert_records
from defender_assets.simulator.background import background_alerts
from defender_assets.simulator.campaigns import Campaign, campaigns
from defender_assets.simulator.clock import DAY, HOUR, first_tick, moment
from defender_assets.simulator.delivery import Delivery, Line, after, copies, deliveries
from defender_assets.simulator.format import TABLES, Record, line
from defender_assets.simulator.heartbeats import Heartbeats
from defender_assets.simulator.malformed import malformed_lines
from defender_assets.simulator.realistic import attacks, everyday_alerts
from defender_assets.simulator.scenario import Append, Scenario, seeded_rng
from defender_assets.simulator.tenants import Tenant, build_tenants

_Waiting = list[tuple[datetime, int, Delivery]]


def simulate(scenario: Scenario) -> Iterator[Append]:
    """Every append of the export, in order of arrival; the appends to one blob are in byte order.

    Memory contains the population, about one hour of lines, and the late deliveries.
    """
    begin = first_tick(scenario.start)
    sources = [_Source(scenario, tenant) for tenant in build_tenants(scenario)]
    waiting: _Waiting = []
    sequence = count()
    for hour in range(begin, begin + scenario.days * DAY, HOUR):
        for source in sources:
            for delivery in source.hour(hour):
                heappush(waiting, (delivery.append.at, next(sequence), delivery))
        # All appends of the next hour arrive after that hour begins.
        yield from _arrived(scenario, waiting, moment(hour + HOUR))
        if scenario.until is not None and moment(hour) > scenario.until:
            return
    yield from _arrived(scenario, waiting, None)


def campaigns_of(scenario: Scenario) -> list[Campaign]:
    """The campaigns of all tenants, including alerts that arrive after `until`."""
    return [campaign for tenant in build_tenants(scenario) for campaign in _attacks(scenario, tenant)]


def causes_of(scenario: Scenario) -> dict[tuple[str, str], str]:
    """The cause of each alert (tenant_id, AlertId) of the scenario; a single alert is its own cause."""
    found = {}
    begin = first_tick(scenario.start)
    for tenant in build_tenants(scenario):
        for day in range(begin, begin + scenario.days * DAY, DAY):
            for alert in _unrelated_alerts(scenario, tenant, day):
                found[tenant.tenant_id, alert.alert_id] = alert.cause or alert.alert_id
        for campaign in _attacks(scenario, tenant):
            found |= {(tenant.tenant_id, alert.alert_id): campaign.campaign_id for alert in campaign.alerts}
    return found


def _unrelated_alerts(scenario: Scenario, tenant: Tenant, day: int) -> Iterator[Alert]:
    return (everyday_alerts if scenario.world else background_alerts)(scenario, tenant, day)


def _attacks(scenario: Scenario, tenant: Tenant) -> Iterator[Campaign]:
    return (attacks if scenario.world else campaigns)(scenario, tenant)


def _arrived(scenario: Scenario, waiting: _Waiting, before: datetime | None) -> Iterator[Append]:
    while waiting and (before is None or waiting[0][0] < before):
        at, position, delivery = heappop(waiting)
        if scenario.until is not None and at > scenario.until:
            return
        yield delivery.append
        if delivery.rest:
            follower = after(delivery)
            heappush(waiting, (follower.append.at, position, follower))


class _Source:
    """One tenant's lines, sorted into the blobs of the hour in which they are exported."""

    def __init__(self, scenario: Scenario, tenant: Tenant) -> None:
        self._scenario = scenario
        self._tenant = tenant
        self._heartbeats = Heartbeats(scenario, tenant)
        self._campaigns = list(_attacks(scenario, tenant))
        self._pending: defaultdict[int, dict[str, list[Line]]] = defaultdict(lambda: {table: [] for table in TABLES})

    def hour(self, hour: int) -> Iterator[Delivery]:
        """The deliveries to the blobs of this hour. Call it for the hours in order."""
        if hour % DAY == 0:
            for exported, table, data in malformed_lines(self._scenario, self._tenant, hour):
                self._put(exported, table, data)
            rng = seeded_rng(self._scenario.seed, "copies", self._tenant.index, hour // DAY)
            self._send(self._alert_records(hour), rng)
        rng = seeded_rng(self._scenario.seed, "copies of heartbeats", self._tenant.index, hour // HOUR)
        self._send(self._heartbeats.hour(hour), rng)
        for table, lines in self._pending.pop(hour, {table: [] for table in TABLES}).items():
            yield from deliveries(self._scenario, self._tenant.tenant_id, table, hour, lines)

    def _alert_records(self, day: int) -> Iterator[Record]:
        begun = (each for each in self._campaigns if day <= each.alerts[0].created < day + DAY)
        attacks = (alert for campaign in begun for alert in campaign.alerts)
        for alert in chain(_unrelated_alerts(self._scenario, self._tenant, day), attacks):
            yield from alert_records(seeded_rng(self._scenario.seed, "rows", self._tenant.index, alert.alert_id), alert)

    def _send(self, records: Iterator[Record], rng: Random) -> None:
        for record in records:
            for each in (record, *(copies(rng, record) if self._scenario.faults else ())):
                self._put(each.exported, each.table, line(each, self._tenant.tenant_id))

    def _put(self, exported: int, table: str, data: bytes) -> None:
        self._pending[exported - exported % HOUR][table].append(Line(exported, data))
