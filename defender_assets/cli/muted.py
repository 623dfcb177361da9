"""`defender-assets muted`: what each mute rule of the team hides, with its owner and its end."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from defender_assets.cli.errors import CliError
from defender_assets.cli.lake_reader import LakeReader, announced_settings
from defender_assets.cli.options import limit_option, output_format
from defender_assets.cli.output import Cells, fitting


def end(rule: Mapping[str, Any]) -> str:
    """Return the last day of the rule, and whether it is past."""
    if rule["until"] is None:
        return "no end"
    return f"{rule['until']}{' (past)' if rule['ended'] else ''}"


CELLS: Cells = {
    "leads": lambda rule: rule["leads"],
    "true positives": lambda rule: rule["true_positives"],
    "until": end,
    "owner": lambda rule: rule["owner"],
    "rule": lambda rule: rule["name"],
    "reason": lambda rule: rule["reason"],
}
FROM_WIDTH = {"reason": 110}
"""Terminal width from which a column shows; the others always show."""


@click.command()
@limit_option
@output_format()
def muted(*, limit: int | None, output_format: str) -> None:
    """Show what each rule of DEFENDER_MUTED hides, with its owner and its end: those that hide most first.

    Counts the leads of the last 90 days that the rule matches, whether their day was built with it or not, and those of
    them that were called true positives. A lead that two rules match counts for both.
    """
    from defender_assets.core.leads.risk.muting import VARIABLE
    from defender_assets.outputs.queries.muting import hidden_by_each

    settings = announced_settings()
    if settings.muted is None:
        raise CliError(f"{VARIABLE} names no file: `defender-assets mute ID` shows a rule to begin with")
    reader = LakeReader(settings.lake())
    rules = hidden_by_each(reader.lake, settings.scoring.mutes, datetime.now(UTC))
    reader.show(rules.lazy(), fitting(CELLS, FROM_WIDTH), "mute rules", output_format, limit)
