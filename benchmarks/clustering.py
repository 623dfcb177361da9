"""The cost of the stories of a day: seconds, CPU seconds and peak memory, in two shapes of a look-back.

*spread*: leads of a large tenant, with users, devices, files, addresses and hosts that few share. *one device*: all
leads on one device, within 20 hours; several sizes show how the cost grows. Each build is a process of its own.
"""

import argparse
import json
import random
import sys
from datetime import UTC, date, datetime, timedelta
from math import log

import polars as pl

from benchmarks.processes import cost
from defender_assets.core.leads.schema import LEAD_SCHEMA
from defender_assets.core.stories import STORY_LOOKBACK_DAYS, build_stories

DAY = date(2026, 11, 3)
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
TENANT = "11111111-2222-4333-8444-555555555555"
SHAPES = ("spread", "one device")
TARGET_SECONDS, TARGET_GIB = 40, 2
DETECTIONS, SEVERITIES = 300, ("High", "Medium", "Low", "Informational")


def leads(shape: str, amount: int) -> pl.DataFrame:
    """Return made-up leads: LEAD_SCHEMA, null or empty but for what stories read."""
    rng = random.Random(1)
    rows = []
    for number in range(amount):
        if shape == "one device":
            when = NOON - timedelta(hours=20 * rng.random())
            entities = [("device", "one"), ("user", f"u{number % 5}"), ("file", f"f{number}")]
        else:
            when = NOON - timedelta(days=STORY_LOOKBACK_DAYS * rng.random())
            few, many = amount // 6, amount
            kinds = (("device", few), ("user", few), ("user", few), ("file", many), ("address", many), ("host", many))
            entities = [(kind, f"{kind} {place} {rng.randrange(most)}") for place, (kind, most) in enumerate(kinds)]
        rows.append(
            {
                "tenant_id": TENANT,
                "export_date": when.date(),
                "lead_id": f"{number:06}",
                "alert_id": f"da{number}",
                "title": f"Detection {rng.randrange(DETECTIONS)}",
                "severity": rng.choice(SEVERITIES),
                "product": "endpoint",
                "category": "Execution",
                "alert_time": when,
                "risk_score": 30,
                "entities": [{"kind": kind, "value": value, "identity": value} for kind, value in entities],
            }
        )
    return pl.DataFrame(rows, schema_overrides={name: LEAD_SCHEMA[name] for name in rows[0]}).select(
        pl.col(name) if name in rows[0] else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in LEAD_SCHEMA.items()
    )


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks clustering", description=__doc__)
    parser.add_argument("--leads", type=int, default=60_000, help="of the spread shape")
    parser.add_argument("--on-one-device", type=int, nargs="+", default=[2_500, 5_000, 10_000])
    options = parser.parse_args(arguments)
    for shape, sizes in zip(SHAPES, ([options.leads], options.on_one_device), strict=True):
        first = None
        for size in sizes:
            idle = cost([sys.executable, "-m", "benchmarks.clustering", json.dumps([shape, size, False])])
            spent = cost([sys.executable, "-m", "benchmarks.clustering", json.dumps([shape, size, True])])
            seconds = spent.wall - idle.wall
            per = seconds / (size * log(size))
            first = first or per
            print(
                f"{shape:<11}{size:>8,} leads {seconds:6.1f} s {spent.cpu - idle.cpu:6.1f} CPU s "
                f"peak {spent.peak_mb / 1024:4.2f} GiB, per n log n {per / first:4.2f} of the first size"
            )
    print(f"target: {options.leads:,} leads in under {TARGET_SECONDS} s and {TARGET_GIB} GiB on 2 cores")


if __name__ == "__main__":
    _shape, _size, _build = json.loads(sys.argv[1])
    frame = leads(_shape, _size)
    if _build:
        build_stories(DAY, frame.lazy())
