"""Updating a day's leads with new records gives what building all of them does, to the last value."""

import random
from collections.abc import Iterable
from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from defender_assets.core.lake.snapshots import Change
from defender_assets.core.leads import build, build_leads, update_leads
from defender_assets.core.leads.entities.identities import known_accounts
from defender_assets.core.leads.touched import touched_alerts
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, Table
from defender_assets_tests.support.alert_rows import DAY, Row, at, beat, evidence, frame, info, leads_of
from defender_assets_tests.support.random_records import random_record

Records = list[tuple[Table, Row]]
TYPED = (ALERT_INFO, ALERT_EVIDENCE, DEVICE_INFO)
WORLDS, STEPS = 60, 3


@pytest.fixture(autouse=True)
def always_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "LEAST_KEPT", 0)


def frames(records: Records) -> list[pl.LazyFrame]:
    return [frame(table, (row for of, row in records if of is table)) for table in TYPED]


def changes_of(records: Records) -> list[Change]:
    held = {table.name for table, _ in records}
    new = zip(TYPED, frames(records), strict=True)
    return [Change(each if table.name in held else None, None) for table, each in new]


def updated(leads: pl.DataFrame, before: Records, new: Records) -> pl.DataFrame | None:
    return update_leads(DAY, leads, changes_of(new), *frames([*before, *new]))


def worlds(seed: object, size: int, tables: Iterable[Table] = TYPED) -> Records:
    """Random records of many worlds, each with tenants of its own, so that one build has all of them."""
    found = []
    for world in range(WORLDS):
        seeded_rng = random.Random(f"{seed} world {world}")
        for _ in range(size):
            table, row = random_record(seeded_rng)
            if table in tables:
                found.append((table, row | {"tenant_id": f"{world}:{row['tenant_id']}"}))
    return found


@pytest.mark.parametrize("seed", range(2))
def test_leads_that_are_updated_are_those_that_are_built(seed: int) -> None:
    seeded_rng = random.Random(seed)
    before = worlds(seed, 40)
    leads = build_leads(DAY, *frames(before))
    changed = 0
    for step in range(STEPS):
        new = worlds(f"{seed} {step}", 2, (ALERT_INFO, ALERT_EVIDENCE))
        copies = [(table, row) for table, row in seeded_rng.sample(before, 20) if table is not DEVICE_INFO]
        new += [(table, row | {"blob": "later", "exported_at": at(14), "export_date": DAY}) for table, row in copies]
        now = updated(leads, before, new)
        before += new
        built = build_leads(DAY, *frames(before))
        assert now is not None
        assert_frame_equal(now, built)
        changed += not now.equals(leads)
        leads = now
    assert changed == STEPS


def test_most_leads_stay_as_they_are() -> None:
    before, new = worlds(0, 40), worlds(1, 1, (ALERT_EVIDENCE,))
    leads = build_leads(DAY, *frames(before))
    records = frames(before + new)
    touched = touched_alerts(DAY, leads, known_accounts(records[1]), *frames(new)[:2])
    assert touched is not None
    assert 0 < touched.rebuilt.height < leads.height / 3
    assert 0 < touched.rescored.height < leads.height / 2


def test_a_new_heartbeat_may_touch_every_lead() -> None:
    before = worlds(0, 20)
    assert updated(build_leads(DAY, *frames(before)), before, [(DEVICE_INFO, beat("a"))]) is None


@pytest.mark.parametrize(("days", "in_doubt"), [(6, False), (7, True), (30, True)])
def test_a_record_that_makes_a_week_of_alerts_may_touch_every_lead(days: int, in_doubt: bool) -> None:
    before: Records = [(ALERT_INFO, info("da1")), (ALERT_INFO, info("da2", Title="Other"))]
    day = DAY - timedelta(days=days)
    new: Records = [(ALERT_INFO, info("da3", Title="Another", day=day, Timestamp=at(days=-days)))]
    assert (updated(leads_of([row for _, row in before]), before, new) is None) is in_doubt


def test_a_day_of_which_most_leads_change_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    before: Records = [(ALERT_INFO, info(f"da{number}")) for number in range(4)]
    new: Records = [(ALERT_INFO, info("da9"))]
    assert updated(leads_of([row for _, row in before]), before, new) is None


def test_an_account_that_joins_two_persons_changes_the_leads_of_both() -> None:
    submitter = {"Type": "mailMessage", "Submitter": {"Type": "account", "Sid": "S-1-5-21-1-2-3-4"}}
    before: Records = [
        (ALERT_EVIDENCE, evidence("User", "da1", AccountUpn="one@corp.example")),
        (ALERT_EVIDENCE, evidence("MailMessage", "da2", NetworkMessageId="m", fields=submitter)),
        (ALERT_EVIDENCE, evidence("User", "da3", AccountUpn="other@corp.example")),
    ]
    new: Records = [
        (ALERT_EVIDENCE, evidence("User", "da4", AccountUpn="one@corp.example", AccountSid="S-1-5-21-1-2-3-4"))
    ]
    leads = leads_of([], [row for _, row in before])
    touched = touched_alerts(DAY, leads, known_accounts(frames(before + new)[1]), *frames(new)[:2])
    assert touched is not None
    assert set(touched.rebuilt["AlertId"]) == {"da1", "da2", "da4"}
    now = updated(leads, before, new)
    assert now is not None
    assert_frame_equal(now, build_leads(DAY, *frames(before + new)))
