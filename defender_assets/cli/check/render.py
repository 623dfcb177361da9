"""Text output of the report of `check`."""

from typing import TYPE_CHECKING

from defender_assets.cli.output import Cells, console, hour_of, say, table
from defender_assets.core.schemas.column import CONTAINER_PREFIX
from defender_assets.core.text import format_duration, pluralize

if TYPE_CHECKING:
    from defender_assets.cli.check.export_facts import Sample
    from defender_assets.cli.check.report import Report

_MINUTE = 60


def show(report: "Report") -> None:
    """Print the report."""
    out = console()
    settings: Cells = {"setting": lambda row: row.name, "value": lambda row: row.value, "from": lambda row: row.origin}
    out.print(table(report.settings, settings, "Settings"))
    if report.export.exists:
        say(*_status("Export", report.export.where, "reachable", failed=report.export.error is not None))
    else:
        say(f"! Export: {report.export.where}: does not exist", "bold yellow")
    if report.export.containers:
        containers: Cells = {
            "container": lambda row: row.container.removeprefix(CONTAINER_PREFIX),
            "tenants": lambda row: len(row.tenants),
            "blobs": lambda row: f"{row.blobs:,}",
            "bytes": lambda row: f"{row.bytes:,}",
            "days": lambda row: row.days,
            "newest blob": lambda row: hour_of(row.newest_blob) if row.newest_blob else "–",
            "newest record": lambda row: _ago(row.age_seconds),
            "last lines": lambda row: _sample(row.sample),
        }
        out.print(table(report.export.containers, containers, f"Containers {CONTAINER_PREFIX}…"))
        say(f"Tenants: {', '.join(report.export.tenants) or 'none yet'}")
    writable = "writable (three commits to a trial table, which was removed)"
    unusable = "can be read, but not written" if report.lake.read_only else "cannot be used"
    say(*_status("Lake", report.lake.where, writable, unusable, failed=report.lake.error is not None))
    if report.lake.looked_at and report.lake.readable:
        behind = "; ".join(day.describe() for day in report.lake.behind)
        last = pluralize(len(report.lake.looked_at), "day")
        say(f"Behind: {behind or f'none of the last {last}'}")
    for mark, style, lines in (("!", "bold yellow", report.attention), ("·", "", report.notes)):
        for line in lines:
            say(f"{mark} {line}", style)
    if not report.errors:
        no_problem = "No problems found" + ("." if report.export.tenants else ", but there is nothing to read yet.")
        say("Something needs attention: see the lines that begin with !" if report.attention else no_problem, "bold")


def _status(what: str, where: str, usable: str, unusable: str = "cannot be used", *, failed: bool) -> tuple[str, str]:
    mark, state = ("✗", unusable) if failed else ("✓", usable)
    return f"{mark} {what}: {where}: {state}", "bold red" if failed else "bold"


def _ago(seconds: int | None) -> str:
    if seconds is None:
        return "–"
    return f"{format_duration(seconds)} ago" if seconds >= _MINUTE else "now"


def _sample(sample: "Sample | None") -> str:
    if sample is None:
        return "–"
    bad = f", {sample.quarantined} not ({', '.join(sample.reasons)})" if sample.quarantined else ""
    return f"{sample.good} read{bad}"
