"""What a story's own alerts take from the risk of its leads: an attack on many makes its detection look frequent."""

import polars as pl

from defender_assets.core.identifiers import LEAD_KEY


def restored_points(leads: pl.DataFrame, members: pl.DataFrame, story: str) -> pl.DataFrame:
    """Return LEAD_KEY and `restored` (Int64): what each lead of a story lost to the frequency caused by the story.

    It is the story's share of the tenant's leads with that detection. So an attack on many accounts is as urgent as
    the same attack on few.

    `leads` are all of the look-back, one row each, with `tenant_id`, `lead_id`, `detection` and `lost` (`risk.score`);
    `members` have LEAD_KEY and the column `story`.
    """
    detection = ["tenant_id", "detection"]
    known = leads.filter(pl.col("detection") != "").select(*LEAD_KEY, "detection", "lost")
    inside = pl.len().over(story, *detection)
    return (
        members.select(*LEAD_KEY, story)
        .join(known, on=LEAD_KEY)
        .join(known.group_by(detection).agg(total=pl.len()), on=detection)
        .with_columns(restored=(pl.col("lost") * inside / pl.col("total")).round().cast(pl.Int64))
        .filter(pl.col("restored") > 0)
        .select(*LEAD_KEY, "restored")
    )
