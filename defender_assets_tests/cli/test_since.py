"""`--since last` over days: what stays new although a look passed over it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from defender_assets.cli.since import LAST, NEW_FOR, Look

MONDAY = datetime(2026, 11, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))


def look(now: datetime, rows: dict[str, datetime], *, hidden: Iterable[str] = (), limit: int | None = None) -> str:
    """Look once at leads and their times, of which a filter hides some, and return the letters that it shows."""
    this = Look("leads", "lake", ("tenant_id", "lead_id"), LAST, now)
    visible = [("t", lead_id, at) for lead_id, at in rows.items() if lead_id not in hidden]
    schema = pl.Schema({"tenant_id": pl.String(), "lead_id": pl.String(), "updated_at": pl.Datetime("us", "UTC")})
    new = this.new(pl.LazyFrame(visible, schema=schema, orient="row")).collect()
    count = new.height if limit is None else min(limit, new.height)
    this.seen(new, count)
    return "".join(new["lead_id"].head(count))


def test_what_a_filter_hid_is_new_for_a_month() -> None:
    rows = {"a": MONDAY - HOUR, "b": MONDAY - 2 * HOUR}
    assert look(MONDAY, rows, hidden="b") == "a"
    assert look(MONDAY + 5 * DAY, rows, hidden="b") == ""
    assert look(MONDAY + 20 * DAY, rows) == "b"
    assert look(MONDAY + 21 * DAY, rows) == ""


def test_what_a_limit_cut_is_new_until_it_is_shown() -> None:
    away = MONDAY + 2 * NEW_FOR
    rows = {name: MONDAY + number * HOUR for number, name in enumerate("abcd")}
    assert look(MONDAY, {}) == ""
    assert look(away, rows, limit=1) == "a"
    assert look(away + DAY, rows, limit=2) == "bc"
    assert look(away + DAY, rows, limit=2) == "d"
    assert look(away + 2 * DAY, rows) == ""


def test_a_look_that_finds_nothing_is_a_look() -> None:
    assert look(MONDAY, {}) == ""
    # more than a first look goes back
    assert look(MONDAY + 3 * DAY, {"a": MONDAY + HOUR}) == "a"


def test_a_record_that_arrives_days_late_is_new() -> None:
    assert look(MONDAY, {"a": MONDAY}) == "a"
    assert look(MONDAY + 7 * DAY, {"a": MONDAY}) == ""
    assert look(MONDAY + 7 * DAY, {"a": MONDAY, "b": MONDAY + HOUR}) == "b"


def test_a_clock_that_was_ahead_hides_nothing_afterwards() -> None:
    assert look(MONDAY + 400 * DAY, {"a": MONDAY}) == ""
    assert look(MONDAY, {"a": MONDAY - HOUR}) == "a"


def test_what_is_remembered_does_not_grow_for_ever(tmp_path: Path) -> None:
    sizes = []
    for day in range(100):
        now = MONDAY + day * DAY
        look(now, {f"{day}-{number}": now - HOUR for number in range(10)})
        sizes.append((tmp_path / "defender-assets" / "looks.json").stat().st_size)
    assert max(sizes[50:]) <= max(sizes[30:50]) * 1.05
