"""`defender-assets mute ID`: write the rule that mutes leads like this one into the team's file."""

from datetime import UTC, date, datetime
from pathlib import Path

import click

from defender_assets.cli.errors import CliError
from defender_assets.cli.lake_reader import LakeReader, announced_settings
from defender_assets.cli.options import DAY
from defender_assets.cli.output import say
from defender_assets.core.errors import SettingsError
from defender_assets.core.invisible import as_pasted
from defender_assets.core.text import first_few, pluralize

DAYS_SHOWN = 10


@click.command()
@click.argument("lead_id", metavar="ID")
@click.option("--until", type=DAY, required=True, metavar="YYYY-MM-DD", help="The last day of arrival that is muted.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is shown with each muted lead.")
@click.option("--owner", metavar="WHO", help="Who answers for the rule.")
@click.option("--detection", is_flag=True, help="On every device and account of the tenant.")
@click.option("--dry-run", is_flag=True, help="Only show the rule and what it would have hidden.")
def mute(*, lead_id: str, until: date, reason: str, owner: str | None, detection: bool, dry_run: bool) -> None:
    """Mute leads of the same tenant, title and device (else account), until a day.

    Says first how many leads of the last 90 days the rule would have hidden, and how many of them were true positives.
    The rule goes to the file that DEFENDER_MUTED names; its comments stay. If there is none, or it cannot be written,
    the rule is printed.
    """
    from defender_assets.core.leads.risk.muting import VARIABLE
    from defender_assets.core.toml_files import rule_text
    from defender_assets.outputs.queries import filters, views
    from defender_assets.outputs.queries.muting import COUNTED_DAYS, hidden_by, mute_rule

    if not as_pasted(reason):
        raise CliError("the reason is empty: say why these leads are benign")
    settings = announced_settings()
    reader, now = LakeReader(settings.lake()), datetime.now(UTC)
    if until < now.date():
        raise CliError(f"{until} is past: name a day from {now.date()} on")
    found = filters.named_lead(views.lead_versions(reader.lake, muted=True), lead_id)
    lead = reader.versions_of_one(found, "lead", lead_id)[-1]
    rule = mute_rule(lead, until, reason, owner=owner, detection=detection)
    hidden = hidden_by(reader.lake, rule, now)
    of_true = f", {hidden.true_positives} of them true positives" if hidden.true_positives else ""
    say(f"Of the last {COUNTED_DAYS} days, the rule would have hidden {pluralize(hidden.leads, 'lead')}{of_true}.")
    if detection:
        narrow = hidden_by(reader.lake, mute_rule(lead, until, reason, owner=owner, detection=False), now)
        say(
            f"That is {pluralize(hidden.leads - narrow.leads, 'lead')} more than on the lead's device or account alone."
        )
    text = rule_text("mute", rule)
    if dry_run:
        say(text)
        return
    problem = f"{VARIABLE} names no file"
    if settings.muted is not None:
        problem = _append(settings.muted, rule)
    if problem:
        say(f"{problem}. Put this rule into the file that {VARIABLE} names:", stderr=True)
        say(text)
        return
    say(f"Added to {settings.muted}. Leads are muted as their days are built from now on.")
    if hidden.days:
        days = ", ".join(first_few([day.isoformat() for day in hidden.days], DAYS_SHOWN))
        say(f"To mute those that are built already, run the job rebuild_day for {days}.")


def _append(path: Path, rule: dict[str, object]) -> str:
    """Append the rule; return why it could not be, empty if it was."""
    from defender_assets.core.toml_files import append_rule

    try:
        append_rule(path, "mute", rule)
    except OSError as error:
        return f"{path} cannot be written ({error.strerror})"
    except SettingsError as error:
        return str(error)
    return ""
