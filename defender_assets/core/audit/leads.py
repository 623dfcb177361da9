"""Compares leads with the records that they name, and the alerts of a day with its leads."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from defender_assets.core.audit.findings import Difference, Kind
from defender_assets.core.audit.keys import ID, KEYS, PLACE, Places
from defender_assets.core.leads import ALERT_LOOKBACK_DAYS
from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO

ALERT_TABLES = (ALERT_INFO, ALERT_EVIDENCE)
_COLUMNS = ("tenant_id", "export_date", "lead_id", "alert_id", "sources")
_LEAD = ["tenant_id", "lead_id"]
_SOURCE_DAY = pl.col("blob").str.extract(r"/(y=\d{4}/m=\d{2}/d=\d{2})/").str.to_date("y=%Y/m=%m/d=%d", strict=False)


@dataclass
class AlertWindow:
    """KEYS of the alert tables' records in raw and of their typed rows, of the look-back of one day.

    `failed` are days of which a table could not be read.
    """

    failed: set[date] = field(default_factory=set)
    days: dict[date, dict[str, tuple[pl.DataFrame, pl.DataFrame]]] = field(default_factory=dict)

    def add(self, day: date, table: str, records: pl.DataFrame, typed: pl.DataFrame) -> None:
        """Add a day of a table, and drop those that no later day looks back to."""
        self.days.setdefault(day, {})[table] = records, typed
        for old in [each for each in self.days if each < day - timedelta(days=ALERT_LOOKBACK_DAYS)]:
            del self.days[old]

    def failed_before(self, day: date) -> list[date]:
        """Return the days of the look-back, the day included, that could not be read."""
        return sorted(each for each in self.failed if timedelta() <= day - each <= timedelta(days=ALERT_LOOKBACK_DAYS))

    def _all(self, which: int, table: str, first: date, last: date) -> pl.DataFrame:
        frames = [tables[table][which] for day, tables in self.days.items() if first <= day <= last and table in tables]
        return pl.concat([KEYS.to_frame(), *frames])

    def new_alerts(self, day: date) -> pl.DataFrame:
        """Return KEYS of the day's typed rows whose record no earlier day of the look-back has."""
        first, eve = day - timedelta(days=ALERT_LOOKBACK_DAYS), day - timedelta(days=1)
        new = [
            self._all(1, table.name, day, day).join(self._all(1, table.name, first, eve), on=ID, how="anti")
            for table in ALERT_TABLES
        ]
        return pl.concat(new)

    def wrong_sources(self, day: date, sources: pl.DataFrame) -> pl.DataFrame:
        """Return the sources at which raw, or the typed table by `record_id`, has no record of the lead's alert."""
        wrong = [sources.filter(~pl.col("table").is_in([table.name for table in ALERT_TABLES]))]
        first = day - timedelta(days=ALERT_LOOKBACK_DAYS)
        for table in ALERT_TABLES:
            of = sources.filter(pl.col("table") == table.name)
            records = self._all(0, table.name, first, day)
            sound = records.join(self._all(1, table.name, first, day), on=ID, how="semi")
            keys = ["place", "offset", "alert"]
            wrong.append(of.join(sound.select(keys).unique(), on=keys, how="anti"))
        return pl.concat(wrong)


def compare_leads(
    day: date, leads: pl.LazyFrame, window: AlertWindow, places: Places, held_from: date, *, whole_lookback: bool
) -> Iterator[Difference]:
    """Yield what differs between a day's leads and the records of its look-back.

    Sources of days before `held_from` are left out. Without the whole look-back, nobody can tell which records of the
    day were new, so that only the sources are compared.
    """
    rows = leads.filter(pl.col("export_date") == day).select(_COLUMNS).collect()
    for tenant_id, lead_id, count in rows.group_by(_LEAD).len().filter(pl.col("len") > 1).sort(_LEAD).iter_rows():
        yield _of_lead(Kind.DOUBLE_LEAD, day, tenant_id, lead_id, count=count - 1)
    empty = rows.filter(pl.col("sources").list.len().fill_null(0) == 0)
    for tenant_id, lead_id in empty.select(_LEAD).sort(_LEAD).iter_rows():
        yield _of_lead(Kind.LEAD_WITHOUT_SOURCES, day, tenant_id, lead_id)
    sources = rows.explode("sources").drop_nulls("sources").unnest("sources")
    sources = sources.with_columns(
        PLACE, offset=pl.col("byte_offset"), alert=pl.col("alert_id").hash(), source_day=_SOURCE_DAY
    ).filter(pl.col("source_day").is_null() | (pl.col("source_day") >= held_from))
    wrong = window.wrong_sources(day, sources)
    named = wrong.sort(*_LEAD, "blob", "byte_offset").group_by(*_LEAD, maintain_order=True)
    for (tenant_id, lead_id), of_lead in named:
        blob, offset = of_lead.select("blob", "byte_offset").row(0)
        yield _of_lead(Kind.LEAD_SOURCE, day, str(tenant_id), str(lead_id), blob, offset, of_lead.height)
    if whole_lookback:
        yield from _missing(day, rows, window, places)


def _missing(day: date, rows: pl.DataFrame, window: AlertWindow, places: Places) -> Iterator[Difference]:
    """Yield a difference for each blob with new records of alerts that have no lead on the day."""
    new = window.new_alerts(day)
    tenants = [(place, places.of(place)[0]) for place in new["place"].unique()]
    schema = {"place": pl.UInt64(), "tenant_id": pl.String()}
    new = new.join(pl.DataFrame(tenants, schema=schema, orient="row"), on="place")
    missing = new.join(rows.select("tenant_id", alert=pl.col("alert_id").hash()), on=["tenant_id", "alert"], how="anti")
    by_blob = missing.group_by("tenant_id", "place").agg(pl.col("offset").min(), pl.col("alert").n_unique())
    for tenant_id, place, offset, count in by_blob.sort("tenant_id", "place").iter_rows():
        blob = places.of(place)[1]
        yield Difference(Kind.MISSING_LEAD, LEADS_TABLE, day, tenant_id, blob, offset, count=count)


def _of_lead(
    kind: Kind,
    day: date,
    tenant_id: str,
    lead_id: str,
    blob: str | None = None,
    offset: int | None = None,
    count: int = 1,
) -> Difference:
    return Difference(kind, LEADS_TABLE, day, tenant_id, blob, offset, f"lead {lead_id}", count)
