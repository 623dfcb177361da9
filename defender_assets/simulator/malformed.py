"""Malformed lines, which a reader has to quarantine. Late, repeated and split records are in `delivery`."""

from collections.abc import Iterator
from random import Random
from typing import Any

from defender_assets.simulator.clock import DAY, HOUR, first_tick, stamp
from defender_assets.simulator.format import DEVICE_INFO, END_OF_LINE, TABLES, Record, json_bytes, line
from defender_assets.simulator.names import guid, hexadecimal
from defender_assets.simulator.scenario import Scenario, seeded_rng
from defender_assets.simulator.tenants import Tenant

KINDS = ("truncated", "foreign_table", "no_key", "foreign_tenant", "no_timestamp")


def malformed_lines(scenario: Scenario, tenant: Tenant, day: int) -> Iterator[tuple[int, str, bytes]]:
    """(ticks of export, table, line) of the malformed lines of the day that begins at tick `day`."""
    number = (day - first_tick(scenario.start)) // DAY
    for shift, table in enumerate(TABLES):
        rng = seeded_rng(scenario.seed, "malformed", tenant.index, number, table)
        for position in range(scenario.bad_lines):
            kind = KINDS[(number * scenario.bad_lines + position + shift + tenant.index) % len(KINDS)]
            exported = day + rng.randrange(DAY - HOUR)
            yield exported, table, _line(rng, tenant, kind, table, exported)


def _line(rng: Random, tenant: Tenant, kind: str, table: str, exported: int) -> bytes:
    key = "DeviceId" if table == DEVICE_INFO else "AlertId"
    columns: dict[str, Any] = {
        "Timestamp": "yesterday" if kind == "no_timestamp" else stamp(exported - HOUR),
        key: f"da{hexadecimal(rng, 38)}",
        "Title": f"Malformed on purpose: {kind}",
    }
    if kind == "no_key":
        del columns[key]
    category = TABLES[TABLES.index(table) - 1] if kind == "foreign_table" else table
    tenant_id = guid(rng) if kind == "foreign_tenant" else tenant.tenant_id
    whole = line(Record(exported, exported, category, json_bytes(columns)), tenant_id)
    return whole[: rng.randrange(20, len(whole) - 10)] + END_OF_LINE if kind == "truncated" else whole
