"""The settings: read from `.env`, the environment or the demo, and validated. Importing this module reads nothing."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

from defender_assets.catalog import LAKE_TABLES
from defender_assets.core.azure import lake_uri as lake_uris
from defender_assets.core.azure.account import AzureAccount, from_account_url, from_connection_string
from defender_assets.core.azure.lake_uri import azure_lake, is_address, local_lake
from defender_assets.core.errors import SettingsError, contains_secret, quoted
from defender_assets.core.export import DirectoryExport, Export
from defender_assets.core.export import leave_out as leave_out_rules
from defender_assets.core.export.leave_out import LeaveOutRule, SelectedExport
from defender_assets.core.identifiers import PORTAL
from defender_assets.core.json_text import read_json
from defender_assets.core.lake.lake import Lake
from defender_assets.core.leads.risk import ScoringConfig, muting, weights
from defender_assets.outputs.notifications import webhooks
from defender_assets.outputs.notifications.webhooks import NotificationConfig, base_of_links, notification_config

CONNECTION_STRING = "AZURE_STORAGE_CONNECTION_STRING"
ACCOUNT_URL = "AZURE_STORAGE_ACCOUNT_URL"
EXPORT_DIR = "DEFENDER_EXPORT_DIR"
LAKE_URI, LAKE_CONNECTION_STRING = lake_uris.LAKE_URI, lake_uris.LAKE_CONNECTION_STRING
START_DATE = "DEFENDER_START_DATE"
LOOKBACK_DAYS = "DEFENDER_LOOKBACK_DAYS"
SENSOR_SECONDS = "DEFENDER_SENSOR_SECONDS"
RETENTION_DAYS = "DEFENDER_RETENTION_DAYS"
LEAVE_OUT = leave_out_rules.VARIABLE
RISK_WEIGHTS, MUTED = weights.VARIABLE, muting.VARIABLE
TEAMS_WEBHOOK, SLACK_WEBHOOK = webhooks.TEAMS_WEBHOOK, webhooks.SLACK_WEBHOOK
NOTIFY_RISK, UI_URL = webhooks.NOTIFY_RISK, webhooks.UI_URL
AUTHOR = "DEFENDER_AUTHOR"
PORTAL_URL = "DEFENDER_PORTAL_URL"
SECRETS = (CONNECTION_STRING, LAKE_CONNECTION_STRING, TEAMS_WEBHOOK, SLACK_WEBHOOK)
"""Variables with a key, a signature or the address of a webhook."""
EXPORT_CHOICES = (CONNECTION_STRING, ACCOUNT_URL, EXPORT_DIR)
VARIABLES = (
    *EXPORT_CHOICES,
    LAKE_URI,
    LAKE_CONNECTION_STRING,
    START_DATE,
    LOOKBACK_DAYS,
    SENSOR_SECONDS,
    RETENTION_DAYS,
    LEAVE_OUT,
    RISK_WEIGHTS,
    MUTED,
    TEAMS_WEBHOOK,
    SLACK_WEBHOOK,
    NOTIFY_RISK,
    UI_URL,
    PORTAL_URL,
    AUTHOR,
)

_PREFIX = "DEFENDER_"
_LONGEST_NAME = 40

DEFAULT_EXPORT_DIR = ".defender/export"
DEFAULT_LAKE = ".defender/lake"
DEMO = ".defender/demo"
DEMO_EXPORT_DIR, DEMO_LAKE, DEMO_SCENARIO = f"{DEMO}/export", f"{DEMO}/lake", f"{DEMO}/demo.json"
DEMO_DAGSTER_HOME = f"{DEMO}/dagster"
DEMO_ORIGIN, ENVIRONMENT = "demo", "environment"
READING_DEMO = (
    f"Reading the demo in {DEMO}: no export and no lake is set; `defender-assets init` connects your own account"
)
DEFAULT_START = date(2026, 1, 1)
# a mistyped year such as 0226 would mean half a million partitions; Dagster can load neither year 1 nor 9999
EARLIEST_START, LATEST_START = date(1970, 1, 1), date(2999, 12, 31)
DEFAULT_LOOKBACK = 3
LONGEST_LOOKBACK = 366
DEFAULT_SENSOR_SECONDS = 10
# Dagster's daemon looks at its sensors every five seconds
SHORTEST_SENSOR_SECONDS, LONGEST_SENSOR_SECONDS = 5, 3600
# leads are built from the alerts of the last 30 days
SHORTEST_RETENTION = 31
LONGEST_RETENTION = 36_500
US_GOVERNMENT_PORTAL, US_GOVERNMENT_STORAGE = "https://security.microsoft.us", ".usgovcloudapi.net"


@dataclass(frozen=True)
class Settings:
    """The validated settings. Account keys and signatures stay inside the accounts and are never printed."""

    export_account: AzureAccount | None = None
    export_dir: Path = Path(DEFAULT_EXPORT_DIR)
    lake_uri: str = DEFAULT_LAKE
    lake_account: AzureAccount | None = None
    start_date: date = DEFAULT_START
    lookback_days: int = DEFAULT_LOOKBACK
    sensor_seconds: int = DEFAULT_SENSOR_SECONDS
    retention_days: int | None = None
    leave_out: Path | None = None
    left_out: tuple[LeaveOutRule, ...] = ()
    risk_weights: Path | None = None
    muted: Path | None = None
    scoring: ScoringConfig = field(default_factory=ScoringConfig)
    notifications: NotificationConfig = field(default_factory=NotificationConfig)
    author: str | None = None
    portal_url: str = PORTAL
    origins: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    """A line for each `DEFENDER_…` variable that is no setting: see `unknown_variables`."""

    def export(self) -> Export:
        """Return the export to read, without the blobs that the team leaves out."""
        export = self.whole_export()
        return SelectedExport(export, self.left_out) if self.left_out else export

    def whole_export(self) -> Export:
        """Return the export with the blobs that the team leaves out."""
        if self.export_account is not None:
            from defender_assets.core.export.azure import AzureExport  # noqa: PLC0415 (it loads the Azure SDK)

            return AzureExport(self.export_account)
        return DirectoryExport(self.export_dir)

    def lake(self) -> Lake:
        """Return the lake to read and write."""
        return Lake(self.lake_uri, LAKE_TABLES, self.lake_account, self.retention_days)

    @property
    def reads_demo(self) -> bool:
        """Return whether export and lake are the demo's because none is set."""
        return self.origins.get(LAKE_URI) == DEMO_ORIGIN

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return all texts that must never be shown."""
        holders = (self.export_account, self.lake_account, *self.notifications.webhooks)
        return tuple(secret for holder in holders if holder for secret in holder.secrets)


def load_settings(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """Return the settings of a working directory, whose `.env` takes precedence over the environment, as in Dagster.

    Without an export, a lake and the default lake, a demo that exists gives all three: export, lake and first day.

    Args:
        environ: the environment, by default that of the process.
        folder: the working directory, to which relative paths refer.

    Raises:
        SettingsError: one line with the variable, what is wrong, and an example of a correct value.
    """
    folder = (folder or Path.cwd()).resolve()
    environ = os.environ if environ is None else environ
    values, origins = _read_values(environ, folder / ".env")
    exports = [name for name in EXPORT_CHOICES if name in values]
    if len(exports) > 1:
        raise SettingsError(f"{' and '.join(exports)} are set, but there can be only one export: keep one of them")
    demo = _demo(values, folder)
    values, origins = {**demo, **values}, {**dict.fromkeys(demo, DEMO_ORIGIN), **origins}
    account = _export_account(values)
    portal = _portal(values, account)
    uri, lake_account = _lake(values, account, folder)
    files = {name: folder / _path(name, values[name]) for name in (RISK_WEIGHTS, MUTED, LEAVE_OUT) if name in values}
    lookback = _number(values, LOOKBACK_DAYS, "days", (0, LONGEST_LOOKBACK), "such as 3")
    sensor = _number(values, SENSOR_SECONDS, "seconds", (SHORTEST_SENSOR_SECONDS, LONGEST_SENSOR_SECONDS), "such as 30")
    return Settings(
        export_account=account,
        export_dir=folder / _export_dir(values),
        lake_uri=uri,
        lake_account=lake_account,
        start_date=_start_date(values),
        lookback_days=DEFAULT_LOOKBACK if lookback is None else lookback,
        sensor_seconds=DEFAULT_SENSOR_SECONDS if sensor is None else sensor,
        retention_days=_number(
            values,
            RETENTION_DAYS,
            "days",
            (SHORTEST_RETENTION, LONGEST_RETENTION),
            "such as 365; without it every day is kept",
        ),
        leave_out=files.get(LEAVE_OUT),
        left_out=leave_out_rules.load_leave_out(files[LEAVE_OUT]) if LEAVE_OUT in files else (),
        risk_weights=files.get(RISK_WEIGHTS),
        muted=files.get(MUTED),
        scoring=ScoringConfig(
            weights.load_weights(files[RISK_WEIGHTS]) if RISK_WEIGHTS in files else weights.packaged_weights(),
            muting.load_mutes(files[MUTED]) if MUTED in files else (),
        ),
        notifications=notification_config(values, portal),
        author=_author(values),
        portal_url=portal,
        origins=origins,
        unknown=unknown_variables(environ, folder),
    )


def unknown_variables(environ: Mapping[str, str], folder: Path) -> tuple[str, ...]:
    """Return a line for each variable that begins like a setting and is none, with the nearest setting; no values.

    Lines of `.env` that are no assignments are named as well.

    Args:
        environ: the environment.
        folder: the working directory, whose `.env` is read as well.

    Raises:
        SettingsError: when the file cannot be read.
    """
    dotenv = folder / ".env"
    in_file, stray = _read_dotenv(dotenv)
    found = dict.fromkeys(environ, ENVIRONMENT) | dict.fromkeys(in_file, str(dotenv))
    return (
        *(f"{dotenv}, line {number}, has no effect: expected NAME=value" for number in stray),
        *(
            f"{_shown_name(name)} ({origin}) is no setting and has no effect: the nearest one is {_nearest(name)}"
            for name, origin in sorted(found.items())
            if name.upper().startswith(_PREFIX) and name not in VARIABLES
        ),
    )


def _nearest(name: str) -> str:
    known = [variable for variable in VARIABLES if variable.startswith(_PREFIX)]
    return get_close_matches(name.upper()[:_LONGEST_NAME], known, n=1, cutoff=0)[0]


def _shown_name(name: str) -> str:
    """Return the name, unless something else than a name may have been written there."""
    if re.fullmatch(rf"[A-Za-z0-9_]{{1,{_LONGEST_NAME}}}", name):
        return name
    return f"a variable that begins with {_PREFIX} and whose name has {len(name)} characters"


def is_configured(folder: Path) -> bool:
    """Return whether the environment or the `.env` of a working directory has any setting of this project.

    Raises:
        SettingsError: when the file cannot be read.
    """
    return bool(_read_values(os.environ, folder / ".env")[0])


def _read_values(environ: Mapping[str, str], dotenv: Path) -> tuple[dict[str, str], dict[str, str]]:
    in_file, _ = _read_dotenv(dotenv)
    values, origins = {}, {}
    for name in VARIABLES:
        # Dagster also passes on empty values of the file, so they unset a variable of the environment
        source, origin = (environ, ENVIRONMENT) if in_file.get(name) is None else (in_file, str(dotenv))
        value = (source.get(name) or "").strip()
        if any(char in value for char in "\0\n\r"):
            raise SettingsError(f"{name} has a line break in its value: close the quotes on the same line ({origin})")
        if value:
            values[name], origins[name] = value, origin
    return values, origins


def _read_dotenv(dotenv: Path) -> tuple[dict[str, str | None], list[int]]:
    """Return the values of a file, none if it is missing, and the numbers of the lines that are no assignments.

    Raises:
        SettingsError: when it is no text file, or such a line names a setting.
    """
    if not os.path.lexists(dotenv):
        return {}, []
    try:
        text = dotenv.read_text(encoding="utf-8-sig") if dotenv.is_file() else None
    except PermissionError as error:
        raise SettingsError(f"{dotenv} cannot be read ({error.strerror}): give this user read permission") from None
    except (OSError, UnicodeDecodeError):
        text = None
    # UTF-16 without its mark is UTF-8 with zeros
    if text is None or "\0" in text:
        raise SettingsError(f"{dotenv} cannot be read: it must be a UTF-8 text file of lines NAME=value")
    bindings = list(parse_stream(StringIO(text)))
    for each in bindings:
        # `$env:NAME = value`, as a shell of Windows has it, assigns to another name
        odd = each.original.string if each.error else re.sub(r"^\w+$", "", each.key or "")
        if name := next((name for name in VARIABLES if name in odd), None):
            raise SettingsError(f"{dotenv}, line {_line(each)}: expected {name}=value, with any quotes closed")
    readable = "".join(each.original.string for each in bindings if not each.error)
    return dotenv_values(stream=StringIO(readable)), [_line(each) for each in bindings if each.error]


def _line(binding: Binding) -> int:
    """Return the number of the line of an assignment, behind the blank lines before it."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")


def _demo(values: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the demo's settings, or none if the demo is not what is read."""
    scenario = folder / DEMO_SCENARIO
    if values.keys() & {*EXPORT_CHOICES, LAKE_URI} or (folder / DEFAULT_LAKE).exists() or not scenario.exists():
        return {}
    demo = {EXPORT_DIR: DEMO_EXPORT_DIR, LAKE_URI: DEMO_LAKE}
    # `demo` reports a scenario that cannot be read
    with suppress(OSError, ValueError, KeyError, TypeError):
        demo[START_DATE] = date.fromisoformat(read_json(scenario.read_bytes())["start"]).isoformat()
    return demo


def _export_account(values: Mapping[str, str]) -> AzureAccount | None:
    if CONNECTION_STRING in values:
        return from_connection_string(CONNECTION_STRING, values[CONNECTION_STRING])
    if ACCOUNT_URL in values:
        return from_account_url(ACCOUNT_URL, values[ACCOUNT_URL])
    return None


def _export_dir(values: Mapping[str, str]) -> Path:
    text = values.get(EXPORT_DIR, DEFAULT_EXPORT_DIR)
    if is_address(text):
        raise SettingsError(
            f"{EXPORT_DIR} is an address: expected a directory such as {DEFAULT_EXPORT_DIR}; an account goes into "
            f"{CONNECTION_STRING} or {ACCOUNT_URL}"
        )
    return _path(EXPORT_DIR, text)


def _path(name: str, text: str) -> Path:
    """Return the path of a setting. A text that looks like a secret is refused, because paths are shown."""
    if contains_secret(text):
        raise SettingsError(
            f"{name} contains a key, a signature or a webhook address: keys and signatures go into "
            f"{CONNECTION_STRING} or {LAKE_CONNECTION_STRING}, webhooks into {TEAMS_WEBHOOK} or {SLACK_WEBHOOK}"
        )
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise SettingsError(f"{name} is in the home of an unknown user: expected a path") from None


def _lake(
    values: Mapping[str, str], export_account: AzureAccount | None, folder: Path
) -> tuple[str, AzureAccount | None]:
    given = values.get(LAKE_URI, DEFAULT_LAKE)
    if is_address(given):
        return azure_lake(given, values.get(LAKE_CONNECTION_STRING), export_account)
    if LAKE_CONNECTION_STRING in values:
        raise SettingsError(
            f"{LAKE_CONNECTION_STRING} is set, but {LAKE_URI} is the local path {quoted(given)}: "
            "use az://CONTAINER/PATH, or remove the connection string"
        )
    return local_lake(folder / _path(LAKE_URI, given)), None


def _portal(values: Mapping[str, str], export_account: AzureAccount | None) -> str:
    """Return the address of Microsoft's portal, by default that of the cloud of the export account."""
    expected = f"expected the address of Microsoft's portal, such as {PORTAL}"
    text = values.get(PORTAL_URL)
    if text is None:
        host = urlsplit(export_account.endpoint).hostname if export_account else None
        return US_GOVERNMENT_PORTAL if (host or "").endswith(US_GOVERNMENT_STORAGE) else PORTAL
    if not text.startswith("https://"):
        raise SettingsError(f"{PORTAL_URL} is not an https address: {expected}")
    return base_of_links(PORTAL_URL, text, expected)


def _author(values: Mapping[str, str]) -> str | None:
    """Return the author of statements. A text that looks like a secret is refused, because it is stored and shown."""
    author = values.get(AUTHOR)
    if author is not None and contains_secret(author):
        raise SettingsError(f"{AUTHOR} contains a key, a signature or a webhook address: expected a person's name")
    return author


def _start_date(values: Mapping[str, str]) -> date:
    text = values.get(START_DATE, DEFAULT_START.isoformat())
    with suppress(ValueError):
        day = date.fromisoformat(text)
        if day.isoformat() == text and EARLIEST_START <= day <= LATEST_START:
            return day
    raise SettingsError(
        f"{START_DATE} is {quoted(text)}: expected a day from {EARLIEST_START} to {LATEST_START}, such as 2026-01-01"
    )


def _number(values: Mapping[str, str], name: str, unit: str, limits: tuple[int, int], example: str) -> int | None:
    """Return a whole number within its limits, both included; None if it is not set."""
    text = values.get(name)
    least, most = limits
    # at most six digits, because Python refuses to parse thousands of them
    if text is not None and (not re.fullmatch(r"[0-9]{1,6}", text) or not least <= int(text) <= most):
        raise SettingsError(f"{name} is {quoted(text)}: expected a number of {unit} from {least} to {most}, {example}")
    return None if text is None else int(text)
