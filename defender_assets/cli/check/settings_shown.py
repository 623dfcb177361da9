"""The settings as `check` shows them: what counts, without a secret, and where it came from."""

from collections.abc import Iterator

from defender_assets import settings as names
from defender_assets.cli.check.report import Setting
from defender_assets.core.text import pluralize
from defender_assets.settings import Settings


def settings_shown(settings: Settings) -> Iterator[Setting]:
    """Yield each setting; of an address of a receiver nothing but that it is set."""
    values = {
        names.LAKE_URI: settings.lake_uri,
        names.START_DATE: settings.start_date.isoformat(),
        names.LOOKBACK_DAYS: str(settings.lookback_days),
        names.RETENTION_DAYS: str(settings.retention_days or "every day is kept"),
        names.RISK_WEIGHTS: str(settings.risk_weights or "as they come"),
        names.MUTED: _muted(settings),
        **_told(settings),
    }
    if settings.lake_account and names.LAKE_CONNECTION_STRING in settings.origins:
        values[names.LAKE_CONNECTION_STRING] = f"{settings.lake_account.endpoint} ({settings.lake_account.auth_method})"
    chosen = next((name for name in names.EXPORT_CHOICES if name in settings.origins), names.EXPORT_DIR)
    account = settings.export_account
    export = f"{account.endpoint} ({account.auth_method})" if account else str(settings.export_dir)
    for name, value in {chosen: export, **values}.items():
        yield Setting(name, value, settings.origins.get(name, "default"))


def _muted(settings: Settings) -> str:
    rules = pluralize(len(settings.scoring.mutes), "rule")
    return f"{settings.muted} ({rules})" if settings.muted else "no lead is muted"


def _told(settings: Settings) -> dict[str, str]:
    who = settings.notifications
    return {
        **{
            name: "set" if name in settings.origins else "nobody is told"
            for name in (names.TEAMS_WEBHOOK, names.SLACK_WEBHOOK)
        },
        names.NOTIFY_RISK: str(who.risk),
        names.UI_URL: who.ui_url or "messages do not link to it",
    }
