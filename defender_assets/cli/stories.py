"""`defender-assets stories`: show the current state of the stories, or that of a day."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import click

from defender_assets.cli.lake_reader import LakeReader, filtered
from defender_assets.cli.options import DAY, day_option, filter_options, limit_option, output_format, state_option
from defender_assets.cli.output import Cells, fitting
from defender_assets.cli.since import Look, since_option
from defender_assets.core.enums import NEW
from defender_assets.core.text import pluralize

PLURAL = {"address": "addresses"}


def shared_entities(story: Mapping[str, Any]) -> list[str]:
    """Return how many entities of each kind link the story's leads."""
    kinds = [entity["kind"] for entity in story["shared_entities"] or []]
    return [pluralize(kinds.count(kind), kind, PLURAL.get(kind)) for kind in sorted(set(kinds))]


def state(story: Mapping[str, Any]) -> str | None:
    """Return the story's state if anybody has said something about its leads."""
    if story.get("state", NEW) == NEW and not story.get("closed_leads"):
        return None
    return f"{story['state'].replace('_', ' ')} ({story['closed_leads']} of {len(story['lead_ids'])} closed)"


CELLS: Cells = {
    "score": lambda story: story["score"],
    "severity": lambda story: story["severity"],
    "leads": lambda story: len(story["lead_ids"]),
    "products": lambda story: story["products"],
    "title": lambda story: story["title"],
    "shared": shared_entities,
    "first alert (UTC)": lambda story: story["first_alert_time"],
    "state": state,
    "id": lambda story: story["story_id"][:8],
}
FROM_WIDTH = {"state": 110, "shared": 160, "products": 130, "first alert (UTC)": 90, "severity": 60}
"""Terminal width from which a column shows; the others always show."""

VERSION: Cells = {"day": lambda story: story["export_date"]}


@click.command()
@day_option("Only the stories that changed on this day of arrival, as they were then.")
@click.option("--until", type=DAY, metavar="YYYY-MM-DD", help="The state at the end of this day instead of now.")
@filter_options("stories")
@since_option
@state_option
@click.option("--all-versions", is_flag=True, help="Every row of a story, not only its latest.")
@limit_option
@output_format()
def stories(
    *,
    day: date | None,
    until: date | None,
    since: str | None,
    state: str,
    all_versions: bool,
    limit: int | None,
    output_format: str,
    **filters: str | None,
) -> None:
    """Show stories: leads of any product that belong together, the most urgent first. `story ID` shows one.

    Stories whose leads are all closed are left out (`--state all`).
    """
    from defender_assets.core.triage.states import in_state, with_story_states
    from defender_assets.outputs.queries import views

    reader = LakeReader.from_settings()
    if day is not None or all_versions:
        rows = views.story_versions(reader.lake, day=day, until=until)
    else:
        rows = views.current_stories(reader.lake, until)
    rows = in_state(with_story_states(rows, views.lead_states(reader.lake)), state)
    cells = fitting({**CELLS, **VERSION} if all_versions else CELLS, FROM_WIDTH)
    asked = " and ".join(f"--{option} {value}" for option, value in (("day", day), ("until", until)) if value)

    def why_none() -> str:
        versions = views.story_versions(reader.lake)
        left_out = "Closed ones are left out (--state all)."
        return reader.which_filter(versions, rows, filters, "stories", asked=asked, left_out=left_out)

    found = filtered(rows, filters)
    if since is None:
        reader.show(found, cells, "stories", output_format, limit, why_none=why_none)
        return
    look = Look("stories", reader.lake.uri, ("tenant_id", "story_id"), since, datetime.now(UTC))
    reader.show_new(
        views.with_updates(reader.lake, found), look, cells, "stories", output_format, limit, why_none=why_none
    )
