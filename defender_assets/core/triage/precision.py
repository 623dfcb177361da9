"""The measured precision of detections: verdicts counted by tenant, detection and band of priority."""

from datetime import UTC, datetime

import polars as pl

from defender_assets.core.enums import CLOSED, VERDICTS
from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.core.queue.order import with_priority
from defender_assets.core.queue.schema import QUEUE_TABLE
from defender_assets.core.retries import retry_on_conflict
from defender_assets.core.schemas.column import Column, column_schema, instant, integer, text
from defender_assets.core.triage.schema import VERDICTS_TABLE

QUALITY_TABLE = "detection_quality"

ALL_BANDS = "all"
BANDS = ("75-100", "50-74", "25-49", "0-24")
"""Bands of priority, highest first."""

DETECTION = ("tenant_id", "title", "detection_source")
"""Key of a detection. The title may be null."""
_BAND_ORDER = {band: number for number, band in enumerate((ALL_BANDS, *BANDS))}

_FLOAT = pl.Float64()
# the 97.5th percentile of the normal distribution: 95 % lie between it and its negative
_Z = 1.959963984540054
_HOUR = 3600

QUALITY_COLUMNS = (
    text("tenant_id", "Entra tenant, lower case"),
    text("title", "Title of the detection. Text that an attacker can influence"),
    text("detection_source", "Detection technology or sensor"),
    text("band", "Band of priority when the verdict was given; all for every one", ALL_BANDS, *BANDS),
    integer("leads", "Leads of the detection in the partitions that are held, by their current priority"),
    Column("leads_since", pl.Date(), "First partition that is held, from which leads are counted"),
    *(integer(verdict, f"Leads whose newest verdict is {verdict}") for verdict in VERDICTS),
    Column("precision", _FLOAT, "Share of true positives among true, benign and false positives; null without any"),
    Column("precision_low", _FLOAT, "Lower end of its 95 % Wilson interval"),
    Column("precision_high", _FLOAT, "Upper end of its 95 % Wilson interval"),
    Column("median_hours_to_close", _FLOAT, "Median time from the alert to the first statement that closed the lead"),
    instant("computed_at", "When the rows were computed"),
)
"""Every column of `detection_quality`, in order."""

QUALITY_SCHEMA = column_schema(QUALITY_COLUMNS)


def verdict_counts(verdicts: pl.LazyFrame) -> pl.LazyFrame:
    """Return how often detections were right, by DETECTION and `band`, and over all bands.

    Of a lead, the newest verdict counts, also while the lead is open again. A lead without a verdict counts nowhere.

    Only `lead_verdicts` is read, so retention changes nothing.

    Returns:
        DETECTION, `band`, a column for each of VERDICTS, `precision` with its interval, `median_hours_to_close`.
    """
    closed = (
        verdicts.filter(pl.col("state") == CLOSED)
        .sort("sequence")
        .group_by(LEAD_KEY)
        .agg(
            pl.col("title", "detection_source", "verdict").last(),
            band=_band(pl.col("priority").last()),
            hours=(pl.col("stated_at").first() - pl.col("alert_time").first()).dt.total_seconds() / _HOUR,
        )
    )
    of_bands = pl.concat([closed, closed.with_columns(band=pl.lit(ALL_BANDS))])
    counted = of_bands.group_by(*DETECTION, "band").agg(
        *((pl.col("verdict") == verdict).sum().cast(pl.Int64).alias(verdict) for verdict in VERDICTS),
        median_hours_to_close=pl.col("hours").median(),
    )
    return counted.with_columns(*_precision())


def _band(priority: pl.Expr) -> pl.Expr:
    bands = pl.lit(BANDS[-1])
    for band in reversed(BANDS[:-1]):
        bands = pl.when(priority >= int(band.partition("-")[0])).then(pl.lit(band)).otherwise(bands)
    return bands


def _precision() -> list[pl.Expr]:
    right, judged = pl.col(VERDICTS[0]), pl.sum_horizontal(VERDICTS[:3])
    share = right / judged
    scale = 1 + _Z**2 / judged
    middle = (share + _Z**2 / (2 * judged)) / scale
    half = _Z / scale * (share * (1 - share) / judged + _Z**2 / (4 * judged**2)).sqrt()
    ends = {"precision": share, "precision_low": middle - half, "precision_high": middle + half}
    return [pl.when(judged > 0).then(end.clip(0, 1)).alias(name) for name, end in ends.items()]


def detection_quality(
    verdicts: pl.LazyFrame, leads: pl.LazyFrame, entries: pl.LazyFrame, now: datetime
) -> pl.DataFrame:
    """Return QUALITY_SCHEMA, most verdicts first: every detection with a lead or a verdict.

    `verdicts` are rows of `lead_verdicts`; `leads` and `entries` (of the queue) those of all partitions that are held.
    Muted leads are left out.
    """
    slim = leads.select(*LEAD_KEY, "export_date", "title", "detection_source", "risk_score", "muted_by")
    latest = _latest(slim).filter(pl.col("muted_by").is_null())
    current = with_priority(latest, _latest(entries)).with_columns(band=_band(pl.col("priority")))
    held = (
        pl.concat([current, current.with_columns(band=pl.lit(ALL_BANDS))])
        .group_by(*DETECTION, "band")
        .agg(leads=pl.len().cast(pl.Int64))
    )
    since = leads.select(pl.col("export_date").min()).collect().item()
    key = [*DETECTION, "band"]
    rows = verdict_counts(verdicts).join(held, on=key, how="full", coalesce=True, nulls_equal=True)
    counts = [pl.col(name).fill_null(0) for name in ("leads", *VERDICTS)]
    found = rows.with_columns(
        *counts,
        leads_since=pl.lit(since, pl.Date()),
        computed_at=pl.lit(now.astimezone(UTC), QUALITY_SCHEMA["computed_at"]),
    )
    order = [pl.sum_horizontal(VERDICTS), "leads", *DETECTION, pl.col("band").replace_strict(_BAND_ORDER)]
    descending = [True, True, False, False, False, False]
    return found.select(QUALITY_SCHEMA.names()).sort(order, descending=descending, nulls_last=True).collect()


def _latest(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.sort("export_date").unique(LEAD_KEY, keep="last")


def store_quality(lake: Lake) -> pl.DataFrame:
    """Bring `detection_quality` up to date; return its rows. Nothing is written if they are the same.

    Raises:
        LakeError: when the lake cannot be read, or the table not be written.
    """
    return retry_on_conflict(_store, lake, datetime.now(UTC))


def read_quality(lake: Lake, now: datetime | None = None) -> pl.DataFrame:
    """Return what `store_quality` would store; needs no write access."""
    verdicts, leads, entries = (lake.read(name) for name in (VERDICTS_TABLE, LEADS_TABLE, QUEUE_TABLE))
    return detection_quality(verdicts, leads, entries, now or datetime.now(UTC))


def _store(lake: Lake, now: datetime) -> pl.DataFrame:
    target = lake.fenced(QUALITY_TABLE, None)
    stored, found = lake.read(QUALITY_TABLE).collect(), read_quality(lake, now)
    if not _same(stored, found):
        lake.commit(target, Commit([found], target.version + 1, replaces=""))
    return found


def _same(stored: pl.DataFrame, found: pl.DataFrame) -> bool:
    key, columns = [*DETECTION, "band"], pl.exclude("computed_at")
    return stored.select(columns).sort(key).equals(found.select(columns).sort(key))
