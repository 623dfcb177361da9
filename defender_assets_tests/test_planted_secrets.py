"""Planted secrets: whatever fails, nothing that is stored, logged or printed has a signature or a webhook's address.

The account quotes each signed address in its answers, and libraries quote it in their errors and panics.
"""

import logging
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner
from deltalake import DeltaTable
from polars.exceptions import PanicException

from defender_assets.assets import runs
from defender_assets.catalog import LEADS
from defender_assets.checks import FRESHNESS, outcome_of
from defender_assets.cli import main
from defender_assets.core.azure.account import from_connection_string
from defender_assets.core.errors import SettingsError
from defender_assets.core.export.azure import AzureExport
from defender_assets.core.lake import snapshots
from defender_assets.core.lake.clock import MOST_DAYS_AT_ONCE
from defender_assets.core.lake.damage import naming_damage
from defender_assets.core.lake.lake import Lake
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO
from defender_assets.outputs.notifications import webhook_client
from defender_assets.outputs.notifications.webhooks import NotificationConfig, Webhook
from defender_assets.resources import user_facing_errors
from defender_assets.settings import load_settings
from defender_assets_tests.support.dagster_project import DagsterProject
from defender_assets_tests.support.days import day_before, yesterday
from defender_assets_tests.support.refusing_account import refusing_account
from defender_assets_tests.support.webhook_receiver import PATH, receiving

PLANTED = "cGxhbnRlZCBzaWduYXR1cmU"
SIGNATURE = f"{PLANTED}%2Bx%3D"
TOKEN = "cGxhbnRlZCB0b2tlbg"
SIGNED = f"https://acme.blob.core.windows.net/lake/raw_alert_info/part-0.parquet?sv=2024-01-01&sp=rl&sig={SIGNATURE}"


def panicking(*_: object, **__: object) -> None:
    """Panic as Polars does in a thread; the message and the hidden context quote a signed address."""
    panic = PanicException(f"range end {SIGNED} out of range")
    panic.__context__ = OSError(f"GET {SIGNED}")
    raise panic


def failing(*_: object, **__: object) -> None:
    """Fail with an error that this project does not know, caused by one with a signed address."""
    raise RuntimeError("it failed") from ConnectionError(f"Max retries exceeded with url: {SIGNED}")


def assert_no_secret(text: str, where: object = "") -> None:
    for secret in (PLANTED, TOKEN):
        at = text.find(secret)
        assert at < 0, f"{where}: …{text[max(at - 300, 0) : at + 80]}…"


@dataclass(frozen=True)
class Home:
    """A project with a signed account, and everywhere that Dagster and the lake store something."""

    project: DagsterProject
    folders: tuple[Path, ...]
    signed: AzureExport
    signed_string: str
    lake: Lake

    def assert_no_secret(self) -> None:
        files = [file for folder in self.folders for file in folder.rglob("*") if file.is_file()]
        assert any(file.suffix == ".db" for file in files)
        for file in files:
            assert_no_secret(file.read_bytes().decode("latin-1"), file)


@pytest.fixture
def home(project: DagsterProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setattr(runs, "RETRIES", None)
    monkeypatch.setattr(webhook_client, "POST_SECONDS", 0.2)
    (tmp_path / "dagster").mkdir()
    # nothing listens at this address, and a post has a deadline
    config = NotificationConfig((Webhook("slack", f"http://127.0.0.1:1/services/T0/B0/{TOKEN}"),), risk=0)
    settings = replace(project.settings, notifications=config)
    managed = {"python_logs": {"managed_python_loggers": ["root", "azure", "urllib3"], "python_log_level": "DEBUG"}}
    with (
        refusing_account(yesterday()) as address,
        dg.instance_for_test(temp_dir=str(tmp_path / "dagster"), overrides=managed) as instance,
    ):
        string = f"BlobEndpoint={address};SharedAccessSignature=sv=2024-01-01&ss=b&srt=sco&sp=rl&sig={SIGNATURE}"
        account = from_connection_string("AZURE_STORAGE_CONNECTION_STRING", string)
        assert SIGNATURE in account.secrets
        lake = Lake("az://lake/tables", project.lake.tables, account)
        folders = (tmp_path / "dagster", tmp_path / "lake")
        yield Home(replace(project, settings=settings, instance=instance), folders, AzureExport(account), string, lake)


def test_dagster_stores_and_logs_no_secret_of_what_fails(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    project = home.project
    signed = project.with_resources(export=home.signed)

    # blobs and a container that answer 403 and 409 with the signed address
    result = signed.run(yesterday(), ALERT_INFO.raw, DEVICE_INFO.raw)
    assert result.success
    (said,) = [
        str(check.description)
        for check in result.get_asset_check_evaluations()
        if check.asset_key.to_user_string() == ALERT_INFO.raw
    ]
    assert "3 parts of the export cannot be read" in said
    signed.tick()
    assert signed.check().success
    notify(project)

    # a lake that answers so
    unusable = project.with_resources(lake=home.lake)
    assert not unusable.run(yesterday(), ALERT_INFO.raw).success
    assert not unusable.check().success
    with pytest.raises(dg.Failure):
        unusable.tick()

    # tables that cannot be read: panics, and errors of libraries
    project.put(day_before(2))
    project.fill(day_before(2), derived=())
    for error in (panicking, failing):
        with monkeypatch.context() as patched:
            patched.setattr(snapshots, "scan_stored", error)
            assert not project.run(day_before(2), ALERT_INFO.name, LEADS.name, refresh=(ALERT_INFO.name,)).success
            project.check()
    notify(project)

    # the account's clock is another one than the machine's; then a lake that refuses
    for each, succeeds in ((signed, True), (unusable, False)):
        job = each.definitions().resolve_job_def("maintain_lake")
        assert job.execute_in_process(instance=project.instance, raise_on_error=False).success == succeeds

    assert_no_secret(caplog.text, "log")
    assert_no_secret("".join(capfd.readouterr()), "output")
    home.assert_no_secret()


def test_restored_tables_refused_deletions_and_slow_receivers_show_no_secret(
    home: Home, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    project = home.project
    for back in range(1, MOST_DAYS_AT_ONCE + 4):
        project.put(day_before(back))
        ingest(project.lake, project.export, ALERT_INFO, day_before(back))
    project.fill(day_before(2), derived=())
    with receiving() as receiver:
        receiver.drips = "header"
        address = f"{receiver.url.removesuffix(PATH)}/services/T0/B0/{TOKEN}"
        config = NotificationConfig((Webhook("slack", address),), risk=0)
        slow = replace(project, settings=replace(project.settings, notifications=config))

        # what raw lost cannot be read again: the account refuses it with the signed address
        for name, version in ((ALERT_INFO.raw, 0), (ALERT_INFO.name, 0)):
            DeltaTable(project.lake.table_uri(name)).restore(version)
        signed = slow.with_resources(export=home.signed)
        assert signed.run(yesterday(), ALERT_INFO.raw, ALERT_INFO.name).success
        signed.tick()
        signed.check()

        # more days would leave at once than usual
        DeltaTable(project.lake.table_uri(ALERT_INFO.raw)).restore(MOST_DAYS_AT_ONCE + 3)
        short = slow.with_resources(lake=replace(project.lake, keep_days=2))
        job = short.definitions().resolve_job_def("maintain_lake")
        refused = job.execute_in_process(instance=project.instance, raise_on_error=False)
        assert not refused.success
        assert "would be deleted at once" in str([event.event_specific_data for event in refused.all_events])

        notify(slow)
        assert receiver.asked

    assert_no_secret(caplog.text, "log")
    assert_no_secret("".join(capfd.readouterr()), "output")
    home.assert_no_secret()


def notify(project: DagsterProject) -> None:
    definitions = project.definitions()
    sensor = definitions.resolve_sensor_def("notify_sensor")
    with dg.build_sensor_context(
        instance=project.instance, definitions=definitions, resources={"lake": project.lake}, sensor_name=sensor.name
    ) as context:
        said = str(sensor.evaluate_tick(context).skip_message)
        assert "next try after" in said or "waits until" in said


@pytest.mark.parametrize("error", [panicking, failing])
def test_no_traceback_of_an_error_of_the_lake_shows_a_secret(
    project: DagsterProject, error: Callable[[], None]
) -> None:
    lake = project.lake

    def named() -> None:
        with naming_damage(lake, {ALERT_INFO.raw: (yesterday(), yesterday())}):
            error()

    for attempt in (error, named):
        with pytest.raises(dg.Failure) as shown, user_facing_errors(lake):
            attempt()
        assert_no_secret("".join(traceback.format_exception(shown.value)), attempt)
        outcome = outcome_of(FRESHNESS, attempt)
        assert outcome is not None
        assert_no_secret(outcome.summary)


LEAVE_OUT = {
    "no toml": f"https://acme/?sig={SIGNATURE}",
    "another key": f'["sig={SIGNATURE}"]',
    "a strange key of a rule": f"[[leave_out]]\npath = 'a'\nreason = 'b'\n\"x?sig={SIGNATURE}\" = 1",
    "no day": f"[[leave_out]]\npath = 'a'\nreason = 'b'\nuntil = 'https://acme/?sig={SIGNATURE}'",
}


def test_no_command_prints_a_secret(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def say(*arguments: str) -> None:
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code, arguments
        assert_no_secret(result.output + repr(result.exception), arguments)

    monkeypatch.setenv("DEFENDER_SLACK_WEBHOOK", f"https://hooks.slack.com/services/T0/B0/{TOKEN}")
    monkeypatch.setenv("DEFENDER_EXPORT_DIR", str(tmp_path / "export"))
    monkeypatch.setenv("DEFENDER_LAKE_URI", str(tmp_path / "lake"))
    rules = tmp_path / "leave-out.toml"
    with monkeypatch.context() as patched:
        patched.setenv("DEFENDER_LEAVE_OUT", str(rules))
        for content in LEAVE_OUT.values():
            rules.write_text(content)
            say("check")
            with pytest.raises(SettingsError) as wrong:
                load_settings()
            # Dagster shows this error when it loads the definitions
            assert_no_secret("".join(traceback.format_exception(wrong.value)), content)
    home.project.put(yesterday())
    home.project.fill(yesterday(), derived=())
    with monkeypatch.context() as patched:
        for error in (panicking, failing):
            patched.setattr(snapshots, "scan_stored", error)
            say("quarantine")
            say("check")
    monkeypatch.delenv("DEFENDER_EXPORT_DIR")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", home.signed_string)
    say("check")
    monkeypatch.setenv("DEFENDER_LAKE_URI", "az://lake/tables")
    certificate = tmp_path / "certificate.json"
    certificate.write_text(f'{{"sig={SIGNATURE}": 1}}')
    for command in (
        ("check",),
        ("check", "--clock-is-right"),
        ("repair", "sent_notices"),
        ("leads",),
        ("notify",),
        ("triage", "aa01", "--state", "new"),
        ("entity", "pc1"),
        ("mute", "aa01", "--until", "2999-01-01", "--reason", "r"),
        ("quality",),
        ("sql", "SELECT * FROM leads"),
        ("what-if",),
        ("what-if", "--expect", str(certificate)),
        ("audit",),
        ("audit", "--out", str(tmp_path / "new.json")),
        ("audit", "--verify", str(certificate)),
    ):
        say(*command)
    assert not (tmp_path / "new.json").exists()
