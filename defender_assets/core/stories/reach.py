"""Which leads of a look-back can matter for the stories of some of them. The others need not be counted.

Leads are linked by an entity that both name, within LINK_WINDOW. A lead that names nothing is linked by its detection,
within DENSE. Therefore a story of wanted leads contains only leads that such links reach from them. All leads that name
an entity of these show how common the entity is, so they count too.
"""

import polars as pl

from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.leads.risk.muting import exclude_muted
from defender_assets.core.stories.correlation import LINK_WINDOW
from defender_assets.core.stories.occurrences import DENSE

MOST_REACHED = 0.5
"""The share of the leads above which it costs about as much to count all of them."""

_NAMED = ["lead", "tenant_id", "alert_time", "muted_by"]


def leads_that_matter(leads: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """Return the leads that can matter for the stories of the wanted ones, in their order; all of them if many do.

    `leads` have a row per lead, with `tenant_id`, `alert_time`, `entities`, `detection`, `muted_by`; `wanted` has
    LEAD_KEY.
    """
    leads = leads.with_row_index("lead")
    named, most = _named(leads.filter(pl.col("alert_time").is_not_null())), leads.height * MOST_REACHED
    reached = _reached(_links(named), leads.join(wanted, on=LEAD_KEY, how="semi").select("lead"), most)
    if reached.height > most:
        return leads.drop("lead")
    names = named.join(reached, on="lead", how="semi").select("name").unique()
    naming = named.join(names, on="name", how="semi").select("lead")
    return leads.join(pl.concat([reached, naming]), on="lead", how="semi", maintain_order="left").drop("lead")


def _named(leads: pl.DataFrame) -> pl.DataFrame:
    """Return what each lead names: _NAMED, `name`, and the `window` in which it links.

    A name is a hash: two that collide only make more leads matter.
    """
    entities = leads.select(*_NAMED, "entities").explode("entities").drop_nulls("entities").unnest("entities")
    kind = pl.col("kind").hash(1)
    identified = entities.filter(pl.col("identity") != pl.col("value"))
    return pl.concat(
        [
            entities.select(*_NAMED, name=_name("value", kind), window=LINK_WINDOW),
            identified.select(*_NAMED, name=_name("identity", kind), window=LINK_WINDOW),
            _of_detections(leads).select(*_NAMED, name=_name("detection", pl.lit("").hash(2)), window=DENSE),
        ]
    )


def _name(text: str, kind: pl.Expr) -> pl.Expr:
    return pl.col("tenant_id").hash(3) ^ kind ^ pl.col(text).hash(4)


def _of_detections(leads: pl.DataFrame) -> pl.DataFrame:
    """Return the leads of detections of which one names nothing."""
    detection = ["tenant_id", "detection"]
    titled = leads.filter(pl.col("detection") != "")
    nameless = titled.filter(pl.col("entities").list.len() == 0)
    return titled.join(nameless, on=detection, how="semi")


def _links(named: pl.DataFrame) -> pl.DataFrame:
    """Return `lead` and `link`: of each name the leads one after the other, as long as each is near the one before."""
    rows = exclude_muted(named).filter(pl.col("name").is_duplicated()).sort("name", "window", "alert_time")
    other = pl.any_horizontal(pl.col(column) != pl.col(column).shift() for column in ("name", "window"))
    far = other | (pl.col("alert_time").diff() > pl.col("window"))
    return rows.select("lead", link=far.fill_null(value=False).cum_sum())


def _reached(links: pl.DataFrame, wanted: pl.DataFrame, most: float) -> pl.DataFrame:
    """Return the wanted leads and those that links reach from them, directly or through others; some, above `most`."""
    reached = added = wanted
    while added.height and reached.height <= most:
        met = links.join(added, on="lead", how="semi").select("link").unique()
        added = links.join(met, on="link", how="semi").select("lead").unique().join(reached, on="lead", how="anti")
        reached = pl.concat([reached, added])
    return reached
