"""Measured precision: counts of verdicts, their interval, and what does not count."""

from dataclasses import replace
from datetime import timedelta
from math import sqrt
from random import Random
from typing import Any

import polars as pl
import pytest

from defender_assets.catalog import LEADS
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.maintenance import apply_retention
from defender_assets.core.triage.precision import (
    ALL_BANDS,
    QUALITY_SCHEMA,
    QUALITY_TABLE,
    read_quality,
    store_quality,
    verdict_counts,
)
from defender_assets.core.triage.schema import VERDICT_SCHEMA
from defender_assets_tests.support.days import day_before
from defender_assets_tests.support.exports import DAY, TENANT
from defender_assets_tests.support.triaged_leads import NOW, close, lead, put_leads, state


def said(number: int, verdict: str | None, title: str = "t", **columns: Any) -> dict[str, Any]:
    row = {"tenant_id": TENANT, "lead_id": f"{title}{number}", "sequence": number, "title": title, "priority": 60}
    times = {"stated_at": NOW + timedelta(hours=2), "alert_time": NOW}
    return row | times | {"verdict": verdict, "state": "closed" if verdict else "new"} | columns


def counts(*statements: dict[str, Any], band: str = ALL_BANDS) -> dict[str, dict[str, Any]]:
    rows = verdict_counts(pl.LazyFrame(list(statements), schema=VERDICT_SCHEMA)).filter(pl.col("band") == band)
    return {row["title"]: row for row in rows.collect().to_dicts()}


@pytest.mark.parametrize(("right", "judged"), [(0, 1), (1, 1), (3, 41), (50, 50), (499, 1000)])
def test_the_interval_is_that_of_wilson(right: int, judged: int) -> None:
    """The ends are the shares p with (share - p)**2 = z**2 p (1 - p) / n."""
    row = counts(*(said(number, "true_positive" if number < right else "false_positive") for number in range(judged)))[
        "t"
    ]
    share, z = right / judged, 1.959963984540054
    assert row["precision"] == share
    for end in (row["precision_low"], row["precision_high"]):
        assert abs(share - end) == pytest.approx(z * sqrt(end * (1 - end) / judged), abs=1e-9)
    assert row["precision_low"] <= share <= row["precision_high"]


def test_leads_without_a_verdict_and_undetermined_ones_are_neither() -> None:
    row = counts(said(1, "undetermined"), said(2, None), said(3, "benign_positive"), said(4, "true_positive"))["t"]
    assert (row["undetermined"], row["benign_positive"], row["true_positive"], row["precision"]) == (1, 1, 1, 0.5)
    assert counts(said(1, "undetermined"))["t"]["precision"] is None
    assert counts(said(1, None)) == {}


def test_of_a_lead_the_newest_verdict_counts_until_there_is_another_one() -> None:
    first, reopened = said(1, "true_positive", lead_id="x"), said(2, None, lead_id="x")
    assert counts(first, reopened)["t"]["true_positive"] == 1
    row = counts(first, reopened, said(3, "false_positive", lead_id="x", stated_at=NOW + timedelta(days=9)))["t"]
    assert (row["true_positive"], row["false_positive"]) == (0, 1)
    # to the first time that it was closed
    assert row["median_hours_to_close"] == 2


def test_bands_of_priority_are_counted_apart() -> None:
    statements = [
        said(n, "true_positive", priority=priority) for n, priority in enumerate((100, 75, 74, 50, 24, 0, None))
    ]
    found = {band: counts(*statements, band=band)["t"]["true_positive"] for band in ("75-100", "50-74", "0-24", "all")}
    assert found == {"75-100": 2, "50-74": 2, "0-24": 3, "all": 7}


def test_a_noisy_detectors_interval_excludes_the_precision_of_the_good_ones() -> None:
    random = Random(18)
    chances = {"noisy": 0.1, "good": 0.8, "better": 0.9}
    statements = [
        said(number, "true_positive" if random.random() < chance else "false_positive", title)
        for title, chance in chances.items()
        for number in range(60)
    ]
    found = counts(*statements)
    assert all(found["noisy"]["precision_high"] < found[title]["precision_low"] for title in ("good", "better"))
    for title, chance in chances.items():
        assert found[title]["precision_low"] <= chance <= found[title]["precision_high"]


def test_the_table_is_replaced_as_a_whole_and_retention_changes_no_verdict(lake: Lake) -> None:
    old, new = day_before(40), day_before(1)
    put_leads(lake, lead("a", title="t"), lead("b", title="t"), lead("m", title="t", muted_by="rule"), day=old)
    put_leads(lake, lead("c", title="t"), lead("d", title=None), day=new)
    close(lake, lead("a", title="t"), "true_positive")
    state(lake, lead("b", title="t"), state="in_progress")
    stored = store_quality(lake)
    assert stored.schema == QUALITY_SCHEMA
    assert lake.read(QUALITY_TABLE).collect().equals(stored)
    row = stored.row(0, named=True)
    assert (row["title"], row["band"], row["leads"], row["leads_since"], row["true_positive"]) == (
        "t",
        "all",
        3,
        old,
        1,
    )
    assert stored.filter(pl.col("title").is_null(), band="all")["leads"].to_list() == [1]
    # nothing new: no commit
    version = lake.open(QUALITY_TABLE).version()
    store_quality(lake)
    assert lake.open(QUALITY_TABLE).version() == version
    assert apply_retention(replace(lake, keep_days=31))[LEADS.name] == 3
    row = store_quality(lake).row(0, named=True)
    assert (row["leads"], row["leads_since"], row["true_positive"], row["precision"]) == (1, new, 1, 1.0)
    assert lake.read(QUALITY_TABLE).collect().height == 4


def test_an_empty_lake_has_no_detections(lake: Lake) -> None:
    put_leads(lake, day=DAY)
    assert read_quality(lake, NOW).is_empty()
