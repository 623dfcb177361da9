"""The new records of a run at a glance: counts that a picture shows, and the newest rows. Cheap: no day is read for it.

How they are shown is the business of the shell.
"""

from collections import Counter
from dataclasses import dataclass, field

import polars as pl

from defender_assets.core.tables import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, Table

LAGS = {"under 1 min": 60, "1 to 5 min": 300, "5 to 15 min": 900, "15 to 60 min": 3600, "1 to 6 h": 21600}
LONGER = "over 6 h"
"""Arrival behind event time, and the upper bounds of it in seconds."""

NEWEST = 10

_SHOWN = {
    ALERT_INFO.name: ("Timestamp", "Severity", "ServiceSource", "Title", "AlertId"),
    ALERT_EVIDENCE.name: ("Timestamp", "AlertId", "EntityType", "EvidenceRole", "DeviceName", "AccountUpn"),
    DEVICE_INFO.name: ("Timestamp", "DeviceName", "OSPlatform", "ExposureLevel", "SensorHealthState"),
}
_COUNTED = {ALERT_INFO.name: "Severity", ALERT_EVIDENCE.name: "EntityType", DEVICE_INFO.name: "OSPlatform"}


@dataclass
class Glimpse:
    """What came in a run.

    `lags` counts records by the words of LAGS and LONGER, `words` by the column that tells most of the table, `hours`
    by hour of the event (UTC) and that column; `newest` holds up to NEWEST rows of a few columns.
    """

    lags: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    hours: Counter[tuple[int, str]] = field(default_factory=Counter)
    newest: pl.DataFrame = field(default_factory=pl.DataFrame)

    def add(self, table: Table, rows: pl.DataFrame) -> None:
        """Add the rows that a share brought."""
        word = pl.col(_COUNTED[table.name]).fill_null("(none)")
        self.words.update(dict(rows.group_by(word).len().iter_rows()))
        by_hour = rows.group_by(pl.col("Timestamp").dt.hour().cast(pl.Int64), word).len()
        self.hours.update({(hour, of): count for hour, of, count in by_hour.iter_rows()})
        lag = (pl.col("exported_at") - pl.col("Timestamp")).dt.total_seconds()
        name = pl.lit(LONGER)
        for words, bound in reversed(LAGS.items()):
            name = pl.when(lag < bound).then(pl.lit(words)).otherwise(name)
        self.lags.update(dict(rows.filter(lag.is_not_null()).group_by(name.alias("lag")).len().iter_rows()))
        newest = rows.select(_SHOWN[table.name]).top_k(NEWEST, by="Timestamp")
        self.newest = pl.concat([self.newest, newest] if self.newest.width else [newest]).top_k(NEWEST, by="Timestamp")


def counted_column(table: Table) -> str:
    """Return the column whose words a glimpse of the table counts."""
    return _COUNTED[table.name]
