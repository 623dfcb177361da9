"""The settings in effect as `check` shows them: without secrets, and where each came from."""

from collections.abc import Iterator
from pathlib import Path

from defender_assets import settings as names
from defender_assets.cli.check.report import Setting
from defender_assets.core.text import pluralize
from defender_assets.settings import Settings


def settings_shown(settings: Settings) -> Iterator[Setting]:
    """Yield each setting; of a webhook only whether it is set."""
    values = {
        names.LAKE_URI: settings.lake_uri,
        names.START_DATE: settings.start_date.isoformat(),
        names.LOOKBACK_DAYS: str(settings.lookback_days),
        names.SENSOR_SECONDS: str(settings.sensor_seconds),
        names.RETENTION_DAYS: str(settings.retention_days or "every day is kept"),
        names.LEAVE_OUT: _file_of_rules(settings.leave_out, len(settings.left_out), "every blob is read"),
        names.RISK_WEIGHTS: str(settings.risk_weights or "the project's weights"),
        names.MUTED: _file_of_rules(settings.muted, len(settings.scoring.mutes), "no lead is muted"),
        **{
            name: "set" if name in settings.origins else "no notifications"
            for name in (names.TEAMS_WEBHOOK, names.SLACK_WEBHOOK)
        },
        names.NOTIFY_RISK: str(settings.notifications.risk),
        names.AUTHOR: settings.author or "the user of the operating system",
        names.PORTAL_URL: settings.portal_url,
        names.UI_URL: settings.notifications.ui_url or "no links to it",
    }
    if settings.lake_account and names.LAKE_CONNECTION_STRING in settings.origins:
        values[names.LAKE_CONNECTION_STRING] = f"{settings.lake_account.endpoint} ({settings.lake_account.auth_method})"
    export_setting = next((name for name in names.EXPORT_CHOICES if name in settings.origins), names.EXPORT_DIR)
    account = settings.export_account
    export = f"{account.endpoint} ({account.auth_method})" if account else str(settings.export_dir)
    for name, value in {export_setting: export, **values}.items():
        yield Setting(name, value, settings.origins.get(name, "default"))


def _file_of_rules(file: Path | None, rules: int, without: str) -> str:
    return f"{file} ({pluralize(rules, 'rule')})" if file else without
