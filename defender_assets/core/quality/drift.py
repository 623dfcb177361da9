"""Drift of the source: columns that are new, values that did not fit, words that an enumeration did not hold so far.

Every enumeration is open and every column may appear, vanish or be renamed (source facts): nothing is refused here.
"""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import polars as pl

from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.snapshots import scan_days
from defender_assets.core.quality.check_outcome import SAMPLES, CheckOutcome
from defender_assets.core.schemas import Table
from defender_assets.core.text import escape_control_chars, pluralize

LOOKBACK_DAYS = 30
CELL = 100


def drift(lake: Lake, table: Table, day: date) -> CheckOutcome:
    """Return what the day's rows hold that the schema does not: by name, how many, and the day it was first seen.

    First seen looks 30 days back.
    """
    typed = lake.open(table.name)
    today = _found(table, scan_days(typed, day, day))
    if not today:
        return CheckOutcome(passed=True, summary="The records hold what the schema knows, and nothing else.")
    # only what there is to tell pays for looking back
    earlier = _found(table, scan_days(typed, day - timedelta(days=LOOKBACK_DAYS), day - timedelta(days=1)))
    news = [
        {
            "what": escape_control_chars(name)[:CELL],
            "rows": days[day],
            "first_seen": min(earlier.get(name, days)).isoformat(),
        }
        for name, days in sorted(today.items(), key=lambda item: -item[1][day])
    ]
    facts: dict[str, Any] = {"found": news[: 3 * SAMPLES], "count": len(news)}
    return CheckOutcome(
        passed=False,
        summary=f"{pluralize(len(news), 'field or word', 'fields and words')} beyond the schema. Nothing is lost: "
        "fields are in `unmapped`, words in their columns. If a field is worth a column, add it to the schema and run "
        "`rebuild_day` for its days.",
        facts=facts,
    )


def _found(table: Table, rows: pl.LazyFrame) -> dict[str, Counter[date]]:
    return {**_unmapped(table, rows), **_words(table, rows)}


def _unmapped(table: Table, rows: pl.LazyFrame) -> dict[str, Counter[date]]:
    texts = rows.filter(pl.col("unmapped").is_not_null()).select("export_date", "unmapped").collect()
    known = {column.name for column in table.columns}
    found: dict[str, Counter[date]] = {}
    for day, text in texts.iter_rows():
        for name in _names(text):
            what = f"value that does not fit {name}" if name in known else f"field {name}"
            found.setdefault(what, Counter())[day] += 1
    return found


def _names(text: str) -> Iterable[str]:
    try:
        return list(json.loads(text))
    except (ValueError, RecursionError):
        return ["(unreadable)"]


def _words(table: Table, rows: pl.LazyFrame) -> dict[str, Counter[date]]:
    found: dict[str, Counter[date]] = {}
    for column in table.columns:
        if not column.known_words:
            continue
        words = (
            rows.select("export_date", word=pl.col(column.name))
            .filter(pl.col("word").is_not_null())
            .filter(~pl.col("word").str.to_lowercase().is_in([word.lower() for word in column.known_words]))
            .group_by("export_date", "word")
            .len()
            .collect()
        )
        for day, word, count in words.iter_rows():
            found.setdefault(f"{column.name} {word[:CELL]!r}", Counter())[day] += count
    return found
