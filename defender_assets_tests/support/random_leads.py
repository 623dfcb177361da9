"""Worlds of random leads that share few entities, to compare stories of the leads that matter with those of all."""

import random
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import polars as pl
from polars.testing import assert_frame_equal

from defender_assets.core.stories import build_stories, reach
from defender_assets_tests.support.alert_rows import DAY, Row, at, lead_frame, lead_row

SIZE = 60
_SEVERITIES = ("High", "Medium", "Low", None)


def random_leads(count: int, seed: int) -> list[Row]:
    """Return leads of worlds whose tenants share nothing; some leads have a row on several days."""
    rows = []
    for world in range(count):
        seeded_rng = random.Random(f"{seed} {world}")
        pool, detections = seeded_rng.choice((4, 12, 40)), seeded_rng.choice((2, 6, 40))
        for number in range(SIZE):
            lead = _random_lead(seeded_rng, f"{number:02}", pool, detections) | {"tenant_id": f"world {world}"}
            rows.append(lead)
            if seeded_rng.random() < 0.2:
                first = lead["export_date"]
                later = min(first + timedelta(days=seeded_rng.randint(1, 3)), DAY)
                rows += [lead | {"export_date": later}] if later > first else []
    return rows


def _random_lead(seeded_rng: random.Random, name: str, pool: int, detections: int) -> Row:
    days = -seeded_rng.choice((0, *range(8)))
    when = at(seeded_rng.choice((-3, 0, 9)) + seeded_rng.uniform(0, 2), days + seeded_rng.choice((0, 0, 0, -2)))
    columns: dict[str, Any] = {
        "title": seeded_rng.choice(("", *(f"Detection {n}" for n in range(detections)))),
        "severity": seeded_rng.choice(_SEVERITIES),
        "risk_score": seeded_rng.randint(0, 90),
        "muted_by": seeded_rng.choice((None, None, None, None, "rule")),
    }
    return lead_row(name, *_random_entities(seeded_rng, pool), when=when, day=DAY + timedelta(days=days), **columns)


def _random_entities(seeded_rng: random.Random, pool: int) -> list[tuple[str, ...]]:
    if seeded_rng.random() < 0.15:
        return []
    entities: dict[tuple[str, ...], None] = {}
    for kind in seeded_rng.choices(("user", "user", "user", "device", "resource", "file", "host", "address"), k=3):
        number = seeded_rng.randrange(pool)
        if kind == "user":
            # one person under two identifiers, of which a lead can have one
            entities[kind, f"{seeded_rng.choice('ab')}{number}", f"a{number}"] = None
        else:
            entities[kind, f"{number}", f"{number}"] = None
    return list(entities)


def compare_reach(leads: list[Row]) -> pl.DataFrame:
    """Return the stories of leads, which must be the same whether all are counted or those that matter."""
    with patch.object(reach, "MOST_REACHED", 0):
        of_all = build_stories(DAY, lead_frame(leads))
    with patch.object(reach, "MOST_REACHED", 1):
        assert_frame_equal(build_stories(DAY, lead_frame(leads)), of_all)
    return of_all
