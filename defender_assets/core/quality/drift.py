"""Schema drift: new fields, values that do not fit their column, new enumeration values, impossible times.

Microsoft may add, remove or rename any column and extend any enumeration (source facts), so drift never rejects data.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta

import polars as pl

from defender_assets.core.json_text import read_json
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.snapshots import scan_days
from defender_assets.core.quality.check_outcome import SAMPLES, CheckOutcome
from defender_assets.core.schemas import Column, Table
from defender_assets.core.tables.moments import moment
from defender_assets.core.text import escape_control_chars, pluralize
from defender_assets.core.words import word_key, word_keys

LOOKBACK_DAYS = 30
CELL = 100
MOST_WORDS = 1000
# hidden characters and punctuation: such a word is listed even if its letters spell a known one
_NO_WORD = r"[^\p{L}\p{N} _-]"


def drift(lake: Lake, table: Table, day: date) -> CheckOutcome:
    """Return what is in the day's rows but not in the schema: the number of rows and the first day within 30 days."""
    typed = lake.snapshot(table.name, create=True)
    today = _beyond_schema(table, scan_days(typed, day, day))
    if not today:
        return CheckOutcome(passed=True, summary="The records contain nothing beyond the schema.")
    # read past days only if there is drift to date
    earlier = _beyond_schema(table, scan_days(typed, day - timedelta(days=LOOKBACK_DAYS), day - timedelta(days=1)))
    findings = [
        {
            "what": escape_control_chars(name)[:CELL],
            "rows": days[day],
            "first_seen": min(earlier.get(name, days)).isoformat(),
        }
        for name, days in sorted(today.items(), key=lambda item: -item[1][day])
    ]
    summary = (
        f"{pluralize(len(findings), 'field or value', 'fields or values')} beyond the schema. Nothing is lost: fields "
        "and values without a column are in `unmapped`, enumeration values and times in their columns. If a field is "
        "worth a column, add it to the schema and run `rebuild_day` for its days."
    )
    facts = {"found": findings[: 3 * SAMPLES], "count": len(findings)}
    return CheckOutcome(passed=False, summary=summary, facts=facts)


def _beyond_schema(table: Table, rows: pl.LazyFrame) -> dict[str, Counter[date]]:
    return {**_unmapped(table, rows), **_enumeration_values(table, rows), **_no_moments(rows)}


def _unmapped(table: Table, rows: pl.LazyFrame) -> dict[str, Counter[date]]:
    texts = rows.filter(pl.col("unmapped").is_not_null()).select("export_date", "unmapped").collect()
    columns = {column.name for column in table.columns}
    found: dict[str, Counter[date]] = {}
    for day, text in texts.iter_rows():
        for name in _names(text):
            what = f"value that does not fit {name}" if name in columns else f"field {name}"
            found.setdefault(what, Counter())[day] += 1
    return found


def _names(text: str) -> Iterable[str]:
    try:
        return list(read_json(text))
    except ValueError:
        return ["(unreadable)"]


def _enumeration_values(table: Table, rows: pl.LazyFrame) -> dict[str, Counter[date]]:
    """Return the words of enumerations that the schema does not list, in any spelling; the MOST_WORDS most frequent."""
    columns = [column for column in table.columns if column.known_words]
    found: dict[str, Counter[date]] = {}
    for column, counts in zip(columns, pl.collect_all([_new_words(rows, column) for column in columns]), strict=True):
        for day, word, count in counts.iter_rows():
            found.setdefault(f"{column.name} {word!r}", Counter())[day] += count
    return found


def _new_words(rows: pl.LazyFrame, column: Column) -> pl.LazyFrame:
    words = rows.select("export_date", word=column.name)
    if isinstance(column.dtype, pl.List):
        words = words.explode("word")
    known = [word_key(word) for word in column.known_words]
    return (
        words.drop_nulls("word")
        .group_by("export_date", pl.col("word").str.slice(0, CELL))
        .len()
        .filter(~word_keys(pl.col("word")).is_in(known) | pl.col("word").str.contains(_NO_WORD))
        .sort("len", "word", descending=[True, False])
        .head(MOST_WORDS)
    )


def _no_moments(rows: pl.LazyFrame) -> dict[str, Counter[date]]:
    counts = rows.filter(moment().is_null()).group_by("export_date").len().collect()
    days = Counter(dict(counts.iter_rows()))
    return {"Timestamp before 2000, or two days after its arrival": days} if days else {}
