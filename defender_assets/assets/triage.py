"""The external assets of triage: tables without days. No run of a day materializes them."""

from collections.abc import Callable

import dagster as dg

from defender_assets.catalog import LEADS, QUALITY, QUEUE, VERDICTS
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.table_spec import TableSpec
from defender_assets.core.triage.precision import detection_quality
from defender_assets.core.triage.statements import state_statements
from defender_assets.metadata.specs import OWNERS, spec_metadata, spec_tags


def triage_assets(storage: Lake) -> list[dg.AssetSpec]:
    """Return the external assets of triage, without partitions."""
    return [
        _external(
            storage,
            VERDICTS,
            [LEADS.name, QUEUE.name],
            state_statements,
            "What analysts say of leads: state, verdict, assignee, comment. One row per statement.\n\n"
            "`defender-assets triage` appends to it. No run reads or writes it, and retention leaves it alone. The "
            "commands, the shown brief and the notifications join it with the leads.",
        ),
        _external(
            storage,
            QUALITY,
            [VERDICTS.name, LEADS.name, QUEUE.name],
            detection_quality,
            "How often each detection was right, by the verdicts of analysts: precision with its 95 % interval, and "
            "the median time to close.\n\nThe job `measure_quality` and `defender-assets quality` replace all rows. "
            "A lead without a verdict counts as neither right nor wrong.",
        ),
    ]


def _external(
    storage: Lake, spec: TableSpec, deps: list[str], made_by: Callable[..., object], description: str
) -> dg.AssetSpec:
    return dg.AssetSpec(
        spec.name,
        group_name="leads",
        owners=OWNERS,
        kinds={"deltalake"},
        deps=deps,
        metadata=spec_metadata(storage, spec.name, spec.columns, "triage.md", made_by),
        tags=spec_tags("leads"),
        description=description,
    )
