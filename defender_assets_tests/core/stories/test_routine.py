from collections.abc import Iterable
from typing import Any

import polars as pl
import pytest

from defender_assets.core.stories.occurrences import with_detection
from defender_assets.core.stories.routine import routine_days
from defender_assets_tests.support.alert_rows import OTHER_TENANT, Row, at, lead_frame, lead_row

USER, DEVICE, OTHER = ("user", "u"), ("device", "d"), ("device", "e")


def days_of(lead: Row, others: Iterable[Row]) -> int | None:
    leads = with_detection(lead_frame([lead, *others]).collect()).with_row_index("lead")
    found = routine_days(leads).filter(pl.col("lead") == 0)
    return found["routine_days"].item() if found.height else None


def other(hours: float, *entities: tuple[str, ...], **columns: Any) -> Row:
    return lead_row(f"o{hours} {entities}", *(entities or (USER, OTHER)), when=at(hours), **{"title": "t"} | columns)


def test_days_on_other_devices_are_counted(subtests: pytest.Subtests) -> None:
    lead = lead_row("lead", USER, DEVICE, title="t")
    cases: dict[str, tuple[list[Row], int]] = {
        "none": ([], 0),
        "two days": ([other(-30), other(-31), other(-60)], 2),
        "within a day": ([other(-23), other(23)], 0),
        "later": ([other(30)], 0),
        "the same device": ([other(-30, USER, DEVICE)], 0),
        "both devices": ([other(-31, USER, DEVICE), other(-30)], 1),
        "another one first": ([other(-31), other(-30, USER, DEVICE)], 1),
        "no device": ([other(-30, USER)], 1),
        "another detection": ([other(-30, title="x")], 0),
        "another account": ([other(-30, ("user", "v"), OTHER)], 0),
        "another tenant": ([other(-30, tenant_id=OTHER_TENANT)], 0),
        "less severe": ([other(-30, severity="Low")], 1),
        "much less severe": ([other(-30, severity="Informational")], 0),
        "a flood in a day": ([other(-30 - n / 60, severity="Low") for n in range(30)], 1),
        "more severe": ([other(-30, severity="High")], 1),
    }
    for name, (others, expected) in cases.items():
        with subtests.test(name):
            assert days_of(lead, others) == expected


def test_each_account_of_a_lead_must_have_the_routine() -> None:
    both = lead_row("lead", USER, ("user", "v"), DEVICE, title="t")
    assert days_of(both, [other(-30)]) == 0
    assert days_of(both, [other(-30), other(-40, ("user", "v"), OTHER), other(-60)]) == 1


def test_leads_of_no_account_or_many_or_without_a_title_have_no_routine() -> None:
    many = [("user", f"u{n}") for n in range(11)]
    assert days_of(lead_row("lead", DEVICE, title="t"), [other(-30, OTHER)]) is None
    assert days_of(lead_row("lead", *many, title="t"), [other(-30, *many)]) is None
    assert days_of(lead_row("lead", USER, title=None), [other(-30, title=None)]) is None
    assert days_of(lead_row("lead", USER, title="t", alert_time=None), [other(-30)]) is None
