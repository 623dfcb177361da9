"""The command line: a thin module or folder for each command, and shared code to read and print. No data logic.

Dagster, Polars and the Azure SDK take seconds to import, so only the functions that need them import them. The
module of a command is imported when the command is used; the list of all commands needs none of them.
"""

import click

from defender_assets.cli.errors import Commands

__all__ = ["main"]

_COMMANDS = {
    "init": ("init", "Write .env: where the export and the lake are."),
    "check": ("check.command", "Whether export and lake can be used, and what to fix."),
    "ui": ("ui", "Dagster's UI, with the sensors on."),
    "demo": ("demo.command", "Two simulated tenants, from export to stories."),
    "simulate": ("simulate", "Write an export as Microsoft does, faults included."),
    "leads": ("leads", "Show leads in the order in which to look at them."),
    "lead": ("lead", "Everything about one lead."),
    "stories": ("stories", "Show stories: leads that belong together."),
    "story": ("story", "Everything about one story."),
    "brief": ("brief", "Write a day's brief: one HTML page."),
    "sql": ("sql", "Ask the tables a question in SQL."),
    "ocsf": ("ocsf", "Write leads as OCSF Detection Findings."),
    "entity": ("entity", "Everything about a device, user, hash, address or mail."),
    "triage": ("triage", "Say what is known of leads: state, verdict, assignee."),
    "mute": ("mute", "Mute leads like this one until a day."),
    "muted": ("muted", "What each mute rule hides."),
    "quality": ("quality", "How often each detection was right."),
    "what-if": ("what_if", "How other weights, mutes or code would have judged the alerts."),
    "audit": ("audit", "Prove that the lake has what the export has."),
    "quarantine": ("quarantine", "Show lines that could not be parsed."),
    "replay": ("replay", "Parse quarantined lines again after a fix."),
    "repair": ("repair", "Leave damaged files out of a table."),
    "notify": ("notify", "Send Teams or Slack what is new, or show what would be sent."),
    "mcp": ("mcp", "Serve the leads of one tenant to an agent (MCP)."),
}
"""Each command: its module, and what it does."""


@click.group(
    cls=Commands,
    modules={name: f"{__name__}.{module}" for name, (module, _) in _COMMANDS.items()},
    commands={name: click.Command(name, short_help=does) for name, (_, does) in _COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="defender-assets")
def main() -> None:
    """Microsoft Defender's alert and device exports as Dagster assets.

    Settings come from the environment and from .env in the working directory; `check` shows the result.

    Exit codes: 0 success, 1 something needs attention, 2 a wrong setting, argument or account, 3 nothing found,
    or, of `audit`, a difference.
    """
