"""`defender-assets what-if`: how other weights, mutes or code would have judged the held alerts."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from defender_assets.cli.errors import print_error
from defender_assets.cli.lake_reader import announced_settings
from defender_assets.cli.leads import title
from defender_assets.cli.options import DAY, limit_option, output_format
from defender_assets.cli.output import TABLE_ROWS, Cells, as_json, console, fitting, say, table
from defender_assets.core.errors import DefenderAssetsError, SettingsError
from defender_assets.core.json_text import read_json
from defender_assets.core.text import first_few, pluralize

if TYPE_CHECKING:
    from defender_assets.outputs.what_if.report import Comparison
    from defender_assets.settings import Settings

DAYS = 30
"""Days that are compared by default."""

DIFFERS = 3
"""Exit code: there is a difference, or another one than is expected."""

NAMED = 5


def change(name: str) -> Callable[[Mapping[str, Any]], str | None]:
    """Return a cell with the values of both sides, or with one value that both have."""

    def cell(row: Mapping[str, Any]) -> str | None:
        base, other = ("–" if row[name][side] is None else str(row[name][side]) for side in ("base", "other"))
        return base if base == other else f"{base} → {other}"

    return cell


def reasons(lead: Mapping[str, Any]) -> list[str]:
    """Return the reasons that changed, with the points of both sides, the rule that mutes, and the other columns."""
    texts = [f"{each['reason']} ({each['base'] or 0} → {each['other'] or 0})" for each in lead["reasons"]]
    if lead["muted_by"]["base"] != lead["muted_by"]["other"]:
        texts.append(f"muted by {lead['muted_by']['other']}" if lead["muted_by"]["other"] else "no longer muted")
    return [*texts, *lead["columns"]]


LEAD_CELLS: Cells = {
    "day": lambda lead: lead["day"],
    "what": lambda lead: lead["kinds"],
    "position": change("position"),
    "points": change("priority_points"),
    "risk": change("risk_score"),
    "why": reasons,
    "title": title,
    "verdict": lambda lead: lead["verdict"],
    "id": lambda lead: lead["lead_id"][:8],
}
STORY_CELLS: Cells = {
    "day": lambda story: story["day"],
    "what": lambda story: story["kind"],
    "points": lambda story: " → ".join(
        ", ".join(str(each["points"]) for each in story[side]) or "–" for side in ("base", "other")
    ),
    "leads": lambda story: " → ".join(
        ", ".join(str(len(each["lead_ids"])) for each in story[side]) or "–" for side in ("base", "other")
    ),
    "title": lambda story: story["title"],
    "id": lambda story: (story["other"] or story["base"])[0]["story_id"][:8],
}
FROM_WIDTH = {"verdict": 130, "risk": 100, "why": 100}
"""Terminal width from which a column shows; the others always show."""

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("what-if")
@click.option("--weights", type=_FILE, metavar="FILE", help="Weights to try. Default: those of DEFENDER_RISK_WEIGHTS.")
@click.option("--muted", type=_FILE, metavar="FILE", help="Mute rules to try. Default: those of DEFENDER_MUTED.")
@click.option("--from", "first", type=DAY, metavar="YYYY-MM-DD", help=f"First day. Default: the last {DAYS} days.")
@click.option("--to", "last", type=DAY, metavar="YYYY-MM-DD", help="Last day. Default: today.")
@click.option(
    "--stored",
    is_flag=True,
    help="Compare with what the lake holds, also where other rules judged it.",
)
@click.option("--expect", type=_FILE, metavar="FILE", help="An earlier JSON output: exit 0 if the result is the same.")
@limit_option
@output_format(("table", "json"))
def what_if(
    *,
    weights: Path | None,
    muted: Path | None,
    first: date | None,
    last: date | None,
    stored: bool,
    expect: Path | None,
    limit: int | None,
    output_format: str,
) -> None:
    """Build leads, stories and queue again with other weights, mutes or code, and show what would be different.

    Both sides are built in memory from the records of the lake; nothing of it is written. The base are the current
    settings. Without options, the code at hand is compared with what the same rules have built.

    Exit code 0: no difference, or with --expect the expected one. 3: a difference. 1: an error.
    """
    ctx = click.get_current_context()
    with _as_exit_code(ctx):
        settings = announced_settings()
        result = _compared(settings, weights, muted, _span(first, last), stored=stored)
        found = result.as_dict()
        if output_format == "json":
            click.echo(as_json(found))
        else:
            _show(result, limit or TABLE_ROWS, stored=stored)
        if expect is None:
            ctx.exit(DIFFERS if result.differs else 0)
        lines = _departures(found, expect)
        for line in lines or ["As expected."]:
            say(line, stderr=output_format == "json")
        ctx.exit(DIFFERS if lines else 0)


@contextmanager
def _as_exit_code(ctx: click.Context) -> Iterator[None]:
    """End with exit code 1 after an error that a user can act on: 2 and 3 have other meanings for the caller."""
    try:
        yield
    except DefenderAssetsError as error:
        print_error(str(error), _secrets())
        ctx.exit(1)


def _secrets() -> tuple[str, ...]:
    from defender_assets.settings import load_settings

    try:
        return load_settings().secrets
    except DefenderAssetsError:
        return ()


def _span(first: date | None, last: date | None) -> tuple[date, date]:
    last = last or datetime.now(UTC).date()
    first = first or last - timedelta(days=DAYS - 1)
    if first > last:
        raise SettingsError(f"--from {first} is after --to {last}: expected an earlier day")
    return first, last


def _compared(
    settings: "Settings", weights: Path | None, muted: Path | None, span: tuple[date, date], *, stored: bool
) -> "Comparison":
    from defender_assets.catalog import derived_tables
    from defender_assets.core.leads.risk.muting import load_mutes
    from defender_assets.core.leads.risk.weights import load_weights
    from defender_assets.outputs.queries.views import reading
    from defender_assets.outputs.what_if.overlay import Rules
    from defender_assets.outputs.what_if.report import compare

    scoring = settings.scoring
    if weights is not None:
        scoring = replace(scoring, weights=load_weights(weights))
    if muted is not None:
        scoring = replace(scoring, mutes=load_mutes(muted))
    base = Rules(
        derived_tables(settings.scoring, settings.portal_url),
        settings.scoring.version,
        stored=True,
        judged_by_any=stored,
    )
    other = Rules(derived_tables(scoring, settings.portal_url), scoring.version)
    lake = settings.lake()
    with _progress() as progress, reading(lake):
        result = compare(lake, base, other, *span, progress)
    if not result.days:
        gone = max(gone for _, gone in result.left_out.values())
        raise SettingsError(
            f"no day from {span[0]} to {span[1]} can be compared: the lake no longer holds their look-back of 30 days, "
            f"which is gone up to {gone}"
        )
    if not result.lead_days:
        raise SettingsError(
            f"{lake.describe()} has no alert of {span[0]} to {span[1]}, so nothing was compared: correct "
            "DEFENDER_LAKE_URI, --from or --to"
        )
    return result


@contextmanager
def _progress() -> Iterator[Callable[[date], None]]:
    """Yield a function that shows on a terminal which day is built."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with console(stderr=True).status("Building leads …", spinner="line") as status:
        yield lambda day: status.update(f"Building {day} …")


def _departures(found: Mapping[str, Any], expect: Path) -> list[str]:
    from defender_assets.outputs.what_if.report import departures

    try:
        return departures(json.loads(as_json(found)), read_json(expect.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise SettingsError(f"--expect {expect} cannot be used ({error}): expected the JSON of what-if") from None


def _show(result: "Comparison", limit: int, *, stored: bool) -> None:
    if result.left_out:
        days = first_few([str(day) for day in result.left_out], NAMED)
        say(f"Left out, because part of their look-back of 30 days is no longer held: {', '.join(days)}.")
    if result.base == result.other and result.built_days:
        of = f"{result.built_days} of {pluralize(result.lead_days, 'day')} with leads"
        why = "they are behind" if stored else "they are behind, or judged by other rules, which --stored compares"
        say(f"Of {of}, the lake has no leads to compare with ({why}): both sides were built now.")
    compared = f"{pluralize(result.lead_days, 'day')} with leads from {result.days[0]} to {result.days[-1]}"
    if not result.differs:
        say(f"No difference in {compared}.")
        return
    summary = result.summary()
    for rows, cells, what in (
        (result.leads, LEAD_CELLS, "leads"),
        (result.stories, STORY_CELLS, "stories"),
    ):
        if rows:
            shown = sorted(rows, key=_importance) if what == "leads" else rows
            console().print(table(shown[:limit], fitting(cells, FROM_WIDTH), what.capitalize()))
        if len(rows) > limit:
            say(f"{limit:,} of {len(rows):,}: --limit N shows more, --format json all.")
        counts = ", ".join(f"{count} {kind}" for kind, count in summary[what].items() if count)
        say(f"{what.capitalize()} that differ: {counts or 'none'}.")
    say(f"Compared: {compared}.")
    _show_verdicts(result)


def _importance(lead: Mapping[str, Any]) -> tuple[bool, int]:
    """Return the order of the table: first what the rules change themselves, then what only makes room for it."""
    kinds = {*lead["kinds"]} - {"up", "down"}
    points = [lead["priority_points"][side] or 0 for side in ("base", "other")]
    return not kinds, -abs(points[1] - points[0])


def _show_verdicts(result: "Comparison") -> None:
    true = result.verdicts["true_positive"]
    if true["leads"]:
        say(
            f"Of {pluralize(true['leads'], 'true positive')}, {result.true_positives_down} move down in the queue or "
            f"out of it, and {true['up'] + true['in']} up or into it."
        )
    else:
        say("No lead of these days has the verdict true_positive, so nothing says whether the queue gets better.")
