"""What changed in an alert since its last version, in sentences."""

from datetime import date

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.alerts import alert_values
from defender_assets.core.lists import row_list

_RANKS = {"informational": 0, "low": 1, "medium": 2, "high": 3}


def alert_changes(day: date, info: pl.DataFrame, evidence: pl.DataFrame, late: pl.DataFrame) -> pl.DataFrame:
    """Return ALERT_KEY and `changes` (List(String)) of the alerts with a record on an earlier day of the look-back.

    Compares the values from the records of earlier days with those from all records.

    `info` and `evidence` are the records of the look-back, each once, on its earliest day; `late` has ALERT_KEY of the
    alerts whose device became known on the day.
    """
    earlier = pl.col("export_date") < day
    if info.filter(earlier).is_empty() and evidence.filter(earlier).is_empty():
        return info.select(ALERT_KEY).clear().with_columns(changes=pl.lit(None, pl.List(pl.String)))
    before = alert_values(info.filter(earlier), evidence.filter(earlier))
    had_info = info.filter(earlier).select(ALERT_KEY).unique().with_columns(_had_info=True)
    got_info = info.select(ALERT_KEY).unique().with_columns(_got_info=True)
    added = evidence.filter(~earlier).group_by(ALERT_KEY).agg(_added=pl.len())
    joined = (
        alert_values(info, evidence)
        .join(before, on=ALERT_KEY, suffix="_before")
        .join(had_info, on=ALERT_KEY, how="left")
        .join(got_info, on=ALERT_KEY, how="left")
        .join(added, on=ALERT_KEY, how="left")
        .join(late.select(ALERT_KEY).with_columns(_late=True), on=ALERT_KEY, how="left")
    )
    known_techniques = pl.col("attack_techniques_before").fill_null(pl.lit([], dtype=pl.List(pl.String)))
    new = pl.col("attack_techniques").list.set_difference(known_techniques)
    sentences = [
        pl.when(pl.col("_got_info") & pl.col("_had_info").is_null()).then(pl.lit("Its AlertInfo arrived")),
        _severity(),
        _replaced("title", "Title"),
        _replaced("category", "Category"),
        pl.when(new.list.len() > 0).then(pl.format("Techniques added: {}", new.list.sort().list.join(", "))),
        pl.when(pl.col("_added") == 1).then(pl.lit("1 evidence record added")),
        pl.when(pl.col("_added") > 1).then(pl.format("{} evidence records added", "_added")),
        pl.when(pl.col("_late")).then(pl.lit("Its device became known")),
    ]
    return joined.select(*ALERT_KEY, changes=row_list(sentences))


def _severity() -> pl.Expr:
    now, before = (
        pl.col(name).str.to_lowercase().replace_strict(_RANKS, default=None, return_dtype=pl.Int64)
        for name in ("severity", "severity_before")
    )
    raised_or_lowered = pl.when(now > before).then(pl.lit("raised")).when(now < before).then(pl.lit("lowered"))
    word = raised_or_lowered.otherwise(pl.lit("changed"))
    return pl.when(pl.col("severity") != pl.col("severity_before")).then(
        pl.format("Severity {} from {} to {}", word, "severity_before", "severity")
    )


def _replaced(column: str, name: str) -> pl.Expr:
    return pl.when(pl.col(column) != pl.col(f"{column}_before")).then(
        pl.format(f"{name} changed from “{{}}” to “{{}}”", f"{column}_before", column)
    )
