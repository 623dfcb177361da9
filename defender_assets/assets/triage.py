"""The external assets of triage: tables that people write to. No run materializes them."""

import dagster as dg

from defender_assets.catalog import LEADS, QUEUE, VERDICTS
from defender_assets.core.lake.lake import Lake
from defender_assets.metadata.specs import spec_metadata, spec_tags


def triage_assets(storage: Lake) -> list[dg.AssetSpec]:
    """Return the external assets of triage, without partitions."""
    return [
        dg.AssetSpec(
            VERDICTS.name,
            group_name="leads",
            owners=["team:security-data"],
            kinds={"deltalake"},
            deps=[LEADS.name, QUEUE.name],
            metadata=spec_metadata(storage, VERDICTS.name, VERDICTS.columns, "triage.md"),
            tags=spec_tags("leads"),
            description=(
                "What analysts say of leads: state, verdict, assignee, comment. One row per statement.\n\n"
                "`defender-assets triage` appends to it. No run reads or writes it, and retention leaves it alone. The "
                "commands, the shown brief and the notifications join it with the leads."
            ),
        )
    ]
