import json
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from defender_assets.catalog import BRIEFS
from defender_assets.cli.check.diagnosis import diagnose_settings
from defender_assets.cli.check.export_facts import ExportFacts
from defender_assets.cli.check.lake_facts import LakeFacts
from defender_assets.cli.check.report import Report
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.maintenance import apply_retention
from defender_assets.core.leads.risk import ScoringConfig
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO, TABLES
from defender_assets.core.triage import VERDICTS_TABLE
from defender_assets.outputs.notifications import SENT_NOTICES
from defender_assets.settings import (
    CONNECTION_STRING,
    DEMO_EXPORT_DIR,
    DEMO_SCENARIO,
    LAKE_CONNECTION_STRING,
    SLACK_WEBHOOK,
    VARIABLES,
    load_settings,
)
from defender_assets_tests.cli.conftest import Run
from defender_assets_tests.support.day_runs import run_day
from defender_assets_tests.support.days import day_before, today, yesterday
from defender_assets_tests.support.exports import DAY, TENANT, Folder, blob_path, line, local_lake, properties, records
from defender_assets_tests.support.small_lake import SmallLake
from defender_assets_tests.support.triaged_leads import close, lead, put_leads
from defender_assets_tests.support.unprivileged import unprivileged_folder
from defender_assets_tests.support.waiting import HANG_SECONDS

ROOT = Path(__file__).parents[2]
KEY = "c2VjcmV0LWtleS1vZi1ubyBhY2NvdW50LWF0LWFsbA=="
HOOK = "https://hooks.slack.com/services/T0SECRET/B0SECRET/aVerySecretToken42"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The default export of the test's working directory."""
    return Folder(tmp_path / ".defender" / "export")


def checked(run: Run, exit_code: int) -> dict[str, Any]:
    result = run("check", "--format", "json")
    assert result.exit_code == exit_code, result.output
    assert result.stdout.isascii()
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def container(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in found["export"]["containers"] if each["container"] == name)


def test_an_empty_installation_is_well_and_says_what_to_do(run: Run, tmp_path: Path) -> None:
    result = run("check")

    assert result.exit_code == 0
    for text in (
        "none of the export's containers",
        "nothing to read yet.",
        "Streaming API",
        "defender-assets demo",
        "does not exist",
        "default",
    ):
        assert text in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_defaults_are_worded_as_in_the_table_of_settings(run: Run) -> None:
    rows = re.findall(r"^\| `(DEFENDER_\w+)` \|.*\| ([^|]+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    documented = {name: default.strip("`") for name, default in rows}

    for setting in checked(run, 0)["settings"]:
        assert setting["value"].endswith(documented[setting["name"]]), setting


def test_a_directory_that_does_not_exist_is_not_reachable(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not checked(run, 0)["export"]["reachable"]
    assert "✓ Export" not in run("check").stdout

    monkeypatch.setenv("DEFENDER_EXPORT_DIR", "mistyped")

    found = checked(run, 1)
    assert not found["export"]["reachable"]
    assert found["attention"][0].startswith(f"{tmp_path / 'mistyped'} does not exist: correct DEFENDER_EXPORT_DIR")


def test_blobs_of_the_future_need_attention(run: Run, folder: Folder) -> None:
    # tomorrow's first hour is not of the future in the last hour of a day
    for path in (blob_path(day_before(-1), 12), blob_path(day_before(-2), 0), blob_path(today(), 0)):
        folder.append(ALERT_INFO, path, records(ALERT_INFO, 0, 1))

    (attention,) = checked(run, 1)["attention"]

    assert "has 2 blobs of the future, such as" in attention
    assert blob_path(day_before(-2), 0) in attention


def test_a_lake_that_is_a_file_is_a_wrong_setting(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lake").write_text("")
    monkeypatch.setenv("DEFENDER_LAKE_URI", "lake")

    for command in ("check", "leads"):
        result = run(command)
        assert result.exit_code == 2
        assert result.stderr.startswith("error: DEFENDER_LAKE_URI: ")
        assert "is a file: expected a directory" in result.stderr


def test_a_bad_line_of_the_demo_is_said_to_be_planted(run: Run, tmp_path: Path) -> None:
    demo = Folder(tmp_path / DEMO_EXPORT_DIR)
    demo.append(DEVICE_INFO, blob_path(hour=1), b"not json\r\n")
    (tmp_path / DEMO_SCENARIO).write_text('{"start": "2026-01-01"}')

    (attention,) = checked(run, 1)["attention"]

    assert "The demo plants such lines" in attention
    assert "! 1 of the last lines" in run("check").stdout


def test_a_materialized_export_is_usable_and_its_bad_lines_need_attention(
    on_small_lake: Run, small_lake: SmallLake
) -> None:
    found = checked(on_small_lake, 1)

    assert found["status"] == "attention"
    assert found["export"]["tenants"] == found["lake"]["tenants"]
    assert len(found["export"]["tenants"]) == 2
    assert found["lake"]["writable"]
    assert len(found["lake"]["tables"]) == 12
    alerts = container(found, ALERT_INFO.container)
    assert (alerts["exists"], alerts["days"], alerts["days_before_start"]) == (True, 2, 0)
    assert not list(small_lake.lake_dir.glob("_check_*"))


def test_a_last_line_that_cannot_be_read_needs_attention(run: Run, folder: Folder) -> None:
    good = line(DEVICE_INFO, properties(DEVICE_INFO))
    folder.append(DEVICE_INFO, blob_path(hour=1), good + b"\x1b[2J{broken\r\n" + b'{"still":"written"')

    found = checked(run, 1)

    sample = container(found, DEVICE_INFO.container)["sample"]
    assert (sample["good"], sample["quarantined"], sample["reasons"]) == (1, 1, ["not_json"])
    assert "defender-assets quarantine" in found["attention"][0]
    assert run("check").exit_code == 1


def test_only_the_end_of_a_large_blob_is_read(run: Run, folder: Folder) -> None:
    folder.append(DEVICE_INFO, blob_path(hour=1), b"not json\r\n" + records(DEVICE_INFO, 0, 500))

    sample = container(checked(run, 0), DEVICE_INFO.container)["sample"]

    assert sample["bytes"] <= 64 * 1024
    assert 0 < sample["good"] < 500


def test_a_line_longer_than_the_sample_is_read_completely(run: Run, folder: Folder) -> None:
    folder.append(ALERT_INFO, blob_path(hour=1), line(ALERT_INFO, properties(ALERT_INFO, Title="x" * 100_000)))

    assert container(checked(run, 0), ALERT_INFO.container)["sample"]["good"] == 1


def test_the_age_is_that_of_the_newest_record(run: Run, folder: Folder) -> None:
    now = datetime.now(UTC)
    an_hour_ago = (now - timedelta(hours=1)).isoformat()
    folder.append(ALERT_INFO, blob_path(now.date(), 0), line(ALERT_INFO, properties(ALERT_INFO), time=an_hour_ago))
    folder.append(DEVICE_INFO, blob_path(DAY), records(DEVICE_INFO, 0, 1))

    found = checked(run, 0)

    assert 3600 <= container(found, ALERT_INFO.container)["age_seconds"] < 3600 + HANG_SECONDS
    assert "is the export still on" in " ".join(found["notes"])
    assert datetime.combine(DAY, time(8), UTC) < now


def test_days_before_the_start_are_counted(run: Run, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in (DAY, DAY + timedelta(days=1), DAY + timedelta(days=2)):
        folder.append(ALERT_INFO, blob_path(day), records(ALERT_INFO, 0, 1))
    monkeypatch.setenv("DEFENDER_START_DATE", str(DAY + timedelta(days=2)))

    found = checked(run, 0)

    assert container(found, ALERT_INFO.container)["days_before_start"] == 2
    assert f"DEFENDER_START_DATE={DAY}" in " ".join(found["notes"])


def test_a_missing_container_is_named_with_the_step_that_enables_it(run: Run, folder: Folder) -> None:
    folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 1))

    found = checked(run, 0)

    assert [each["exists"] for each in found["export"]["containers"]] == [True, False, False]
    notes = [note for note in found["notes"] if "is missing" in note]
    assert len(notes) == 2
    assert all(
        "Microsoft Defender portal → Settings → Microsoft Defender XDR → Streaming API" in note for note in notes
    )


def test_days_behind_are_found_without_creating_a_table(run: Run, folder: Folder, tmp_path: Path) -> None:
    content = records(ALERT_INFO, 0, 3)
    folder.append(ALERT_INFO, blob_path(today(), 0), content)

    found = checked(run, 0)

    assert found["lake"]["behind"] == [
        {"day": today().isoformat(), "missing_bytes": len(content), "blobs": 1, "stale": []}
    ]
    assert len(found["lake"]["looked_at"]) == 4
    assert not (tmp_path / ".defender" / "lake").exists()


def test_days_that_were_run_are_not_behind_without_notifications(run: Run, folder: Folder, tmp_path: Path) -> None:
    for table in TABLES:
        folder.append(table, blob_path(today(), 0), records(table, 0, 3))
    lake = local_lake(tmp_path / ".defender" / "lake")
    run_day(lake, DirectoryExport(folder.root), today())
    assert not lake.exists(SENT_NOTICES)

    found = checked(run, 0)

    assert (len(found["lake"]["looked_at"]), found["lake"]["behind"]) == (4, [])
    assert not lake.exists(SENT_NOTICES)


def test_days_whose_leads_other_rules_judged_are_counted(run: Run, folder: Folder, tmp_path: Path) -> None:
    lake = local_lake(tmp_path / ".defender" / "lake")
    folder.append(ALERT_INFO, blob_path(today(), 0), records(ALERT_INFO, 0, 1))
    for back, version in ((0, ScoringConfig().version), (1, None), (2, "other"), (4, "not looked at")):
        put_leads(lake, lead(f"lead{back}", scoring_version=version), day=day_before(back))

    found = checked(run, 0)

    assert found["lake"]["judged_by_others"] == [str(day_before(2)), str(day_before(1))]
    (note,) = [note for note in found["notes"] if "judged by other" in note]
    assert note.startswith("the leads of 2 of the last 4 days were judged by other weights, mute rules or code")
    assert "rebuild_day" in note


def test_a_missing_table_is_behind_although_no_bytes_are_missing(run: Run, folder: Folder, tmp_path: Path) -> None:
    folder.append(ALERT_INFO, blob_path(today(), 0), records(ALERT_INFO, 0, 3))
    lake = local_lake(tmp_path / ".defender" / "lake")
    run_day(lake, DirectoryExport(folder.root), today())
    shutil.rmtree(lake.table_uri(BRIEFS.name))

    (behind,) = checked(run, 0)["lake"]["behind"]

    assert (behind["missing_bytes"], [stale["table"] for stale in behind["stale"]]) == (0, [BRIEFS.name])
    assert not lake.exists(BRIEFS.name)


def test_a_lake_with_other_tenants_is_noted(
    on_small_lake: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Folder(tmp_path / "other")
    for table in TABLES:
        other.append(table, blob_path(), records(table, 0, 1))
    monkeypatch.setenv("DEFENDER_EXPORT_DIR", str(other.root))

    found = checked(on_small_lake, 0)

    assert found["export"]["tenants"] == [TENANT]
    assert "DEFENDER_LAKE_URI" in " ".join(found["notes"])


def test_a_lake_that_cannot_be_written_is_wrong(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / ".defender" / "export").mkdir(parents=True)
    monkeypatch.setenv("DEFENDER_LAKE_URI", "file/lake")

    found = checked(run, 2)

    assert found["status"] == "wrong"
    assert not found["lake"]["writable"]
    assert found["export"]["reachable"]


def test_where_each_setting_came_from(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("DEFENDER_LOOKBACK_DAYS=5\n")
    monkeypatch.setenv("DEFENDER_LOOKBACK_DAYS", "7")
    monkeypatch.setenv("DEFENDER_START_DATE", "2026-10-01")

    settings = {each["name"]: (each["value"], each["origin"]) for each in checked(run, 0)["settings"]}

    assert settings["DEFENDER_LOOKBACK_DAYS"] == ("5", str(tmp_path / ".env"))
    assert settings["DEFENDER_START_DATE"] == ("2026-10-01", "environment")
    assert settings["DEFENDER_LAKE_URI"] == (str(tmp_path / ".defender" / "lake"), "default")


@pytest.mark.parametrize("variable", [*VARIABLES, "DEFENDER_LAKE_URI\tDEFENDER_EXPORT_DIR"])
@pytest.mark.parametrize(
    "secret", [f"AccountName=acme;AccountKey={KEY}", f"https://acme.example/?sp=rl&sig={KEY}", HOOK]
)
@pytest.mark.parametrize("output_format", ["text", "json"])
def test_a_secret_in_the_wrong_variable_is_never_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch, variable: str, secret: str, output_format: str
) -> None:
    for name in variable.split("\t"):
        monkeypatch.setenv(name, secret)
    if variable in {LAKE_CONNECTION_STRING, CONNECTION_STRING}:
        monkeypatch.setenv("DEFENDER_LAKE_URI", "az://no_container")

    result = run("check", "--format", output_format)

    assert KEY not in result.output
    assert "T0SECRET" not in result.output
    if variable != SLACK_WEBHOOK or secret != HOOK:
        assert result.exit_code == 2


def test_a_container_that_the_export_no_longer_shows_needs_attention(run: Run, folder: Folder) -> None:
    for table in (ALERT_INFO, DEVICE_INFO):
        folder.append(table, blob_path(today(), 0), records(table, 0, 1))
        ingest(local_lake(folder.root.parent / "lake"), DirectoryExport(folder.root), table, today())
    assert checked(run, 0)["lake"]["not_shown"] == []
    shutil.rmtree(folder.root / DEVICE_INFO.container)

    (attention,) = checked(run, 1)["attention"]

    assert f"The export no longer shows container {DEVICE_INFO.container}" in attention
    assert "Streaming API" in attention


def test_a_tenant_that_is_silent_for_longer_than_usual_is_named(run: Run, folder: Folder) -> None:
    for hour in range(24):
        folder.append(DEVICE_INFO, blob_path(day_before(2), hour), records(DEVICE_INFO, hour, 1))
    ingest(local_lake(folder.root.parent / "lake"), DirectoryExport(folder.root), DEVICE_INFO, day_before(2))

    found = checked(run, 0)

    # a directory may be an old copy, so that this is a note
    assert any(f"{TENANT} sent no heartbeat for" in note for note in found["notes"])
    assert len(found["lake"]["silent"]) == 1


def test_a_start_date_in_the_future_needs_attention(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFENDER_START_DATE", "2999-01-01")

    assert "DEFENDER_START_DATE=2999-01-01 is in the future" in checked(run, 1)["attention"][0]


def test_a_wrong_setting_is_reported_as_json_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFENDER_START_DATE", "soon")

    found = checked(run, 2)

    assert found["status"] == "wrong"
    assert "DEFENDER_START_DATE" in found["errors"][0]


def test_mute_rules_are_counted_and_expired_ones_named(run: Run, tmp_path: Path) -> None:
    rule = '[[mute]]\nname = "{}"\nreason = "r"\nuntil = {}\ntitle = "t"\n'
    (tmp_path / "muted.toml").write_text(rule.format("old", "2020-01-01") + rule.format("new", "2999-01-01"))
    (tmp_path / "risk.toml").write_text("[severity]\nhigh = 50\n")
    (tmp_path / ".env").write_text("DEFENDER_MUTED=muted.toml\nDEFENDER_RISK_WEIGHTS=risk.toml\n")

    found = checked(run, 0)

    values = {setting["name"]: setting["value"] for setting in found["settings"]}
    assert values["DEFENDER_MUTED"] == f"{tmp_path / 'muted.toml'} (2 rules)"
    assert values["DEFENDER_RISK_WEIGHTS"] == str(tmp_path / "risk.toml")
    assert any(note.endswith("muted.toml contains rules that have expired: old") for note in found["notes"])


@pytest.mark.parametrize("variable", [SLACK_WEBHOOK, CONNECTION_STRING])
@pytest.mark.parametrize(
    ("mode", "named"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True), (0o644, True)]
)
def test_a_secret_in_a_file_that_others_may_read_is_named(
    tmp_path: Path, variable: str, mode: int, *, named: bool
) -> None:
    value = HOOK if variable == SLACK_WEBHOOK else f"AccountName=a;AccountKey={KEY};EndpointSuffix=core.windows.net"
    (tmp_path / ".env").write_text(f"{variable}='{value}'\n")
    (tmp_path / ".env").chmod(mode)
    settings = load_settings()
    report = Report([], ExportFacts(""), LakeFacts(""))

    diagnose_settings(report, settings, today())

    expected = f"{tmp_path / '.env'} holds {variable}, and other users of this machine may read it (mode {mode:o})"
    assert [line.partition(":")[0] for line in report.attention] == ([expected] if named else [])


def test_settings_without_a_secret_may_be_read_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SLACK_WEBHOOK, HOOK)
    (tmp_path / ".env").write_text("DEFENDER_LOOKBACK_DAYS=5\n")
    (tmp_path / ".env").chmod(0o644)
    report = Report([], ExportFacts(""), LakeFacts(""))

    diagnose_settings(report, load_settings(), today())

    assert report.attention == []


def test_a_clock_that_nothing_confirms_is_named_until_it_is_confirmed(
    run: Run, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = local_lake(folder.root.parent / "lake")
    for back in (43, 42, 41, 40):
        folder.append(ALERT_INFO, blob_path(day_before(back)), records(ALERT_INFO, 0, 1))
        ingest(lake, DirectoryExport(folder.root), ALERT_INFO, day_before(back))
    monkeypatch.setenv("DEFENDER_RETENTION_DAYS", "31")

    (doubt,) = checked(run, 1)["attention"]

    assert doubt.startswith("4 days of the lake")
    assert doubt.endswith("or `defender-assets check --clock-is-right` confirms it")
    result = run("check", "--clock-is-right")
    assert result.exit_code == 0
    assert "No problems found" in result.stdout
    assert apply_retention(replace(lake, keep_days=31))[ALERT_INFO.raw] == 4


def test_files_that_are_not_read_are_counted_instead_of_all_is_well(run: Run, folder: Folder) -> None:
    folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 1))
    folder.append(ALERT_INFO, blob_path().replace("PT1H", "._PT1H"), b"x")
    found = checked(run, 0)
    assert container(found, ALERT_INFO.container)["ignored"] == {"name with a dot in front": 1}
    assert any("1 file not read (name with a dot in front), such as" in note for note in found["notes"])

    folder.append(ALERT_INFO, f"{blob_path(hour=9)}.gz", b"x")
    folder.append(ALERT_INFO, "resourceId=/SUBSCRIPTIONS/A/y=2026/PT1H.json", b"x")
    (folder.root / DEVICE_INFO.container).symlink_to(folder.root / ALERT_INFO.container)
    folder.append(ALERT_INFO, f"tenantId={TENANT}/\x1b[2J.json", b"x")
    found = checked(run, 1)

    attention = "\n".join(found["attention"])
    assert "1 file not read (compressed), such as 'tenantId=" in attention
    assert "1 file not read (resourceId= folder), such as 'resourceId=/SUBSCRIPTIONS/A/" in attention
    assert f"{DEVICE_INFO.container}: 1 file not read (link)" in attention
    assert "\\x1b[2J.json': blobs of the export are tenantId=" in attention
    assert "No problems found" not in run("check").stdout


def test_blobs_that_are_left_out_are_listed_with_the_reason(run: Run, folder: Folder, tmp_path: Path) -> None:
    for hour in (7, 8):
        folder.append(ALERT_INFO, blob_path(yesterday(), hour), records(ALERT_INFO, hour, 1))
    rule = '[[leave_out]]\npath = "{}"\nreason = "lost key"\nuntil = {}\n'
    (tmp_path / "out.toml").write_text(
        rule.format("*/h=07/*", "2999-12-31") + rule.format("tenantId=a/*", "2020-01-01")
    )
    (tmp_path / ".env").write_text("DEFENDER_LEAVE_OUT=out.toml\n")

    found = checked(run, 0)

    notes = "\n".join(found["notes"])
    assert (
        f"{ALERT_INFO.container}: 1 blob left out until 2999-12-31 by path '*/h=07/*' of {tmp_path / 'out.toml'}: "
        "lost key" in notes
    )
    assert "out.toml contains rules that have expired: tenantId=a/*" in notes
    assert container(found, ALERT_INFO.container)["blobs"] == 1
    assert found["lake"]["behind"][0]["blobs"] == 1
    values = {setting["name"]: setting["value"] for setting in found["settings"]}
    assert values["DEFENDER_LEAVE_OUT"] == f"{tmp_path / 'out.toml'} (2 rules)"


def test_what_cannot_be_read_needs_attention_and_the_rest_is_checked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with unprivileged_folder() as made:
        folder = Folder(made / "export")
        for hour in (7, 8):
            folder.append(ALERT_INFO, blob_path(hour=hour), records(ALERT_INFO, hour, 1))
        folder.append(DEVICE_INFO, blob_path(), records(DEVICE_INFO, 0, 1))
        (folder.root / ALERT_INFO.container / blob_path(hour=8)).chmod(0)
        (folder.root / DEVICE_INFO.container).chmod(0)
        monkeypatch.chdir(made)
        monkeypatch.setenv("DEFENDER_EXPORT_DIR", str(folder.root))

        found = checked(run, 1)

    attention = "\n".join(found["attention"])
    assert f"{blob_path(hour=8)} cannot be read (Permission denied): give this user read permission" in attention
    assert f"{DEVICE_INFO.container} cannot be read (Permission denied)" in attention
    assert container(found, ALERT_INFO.container)["sample"]["good"] == 1


def test_who_may_write_statements_only_is_told_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with unprivileged_folder() as made:
        lake = local_lake(made / "lake")
        put_leads(lake, lead("a"))
        assert checked_notes(run, monkeypatch, made) == []
        close(lake, lead("a"))
        (made / "lake").chmod(0o555)
        (told,) = checked_notes(run, monkeypatch, made)
        assert "may write lead_verdicts" in told
        (made / "lake").chmod(0o755)
        (made / "lake" / VERDICTS_TABLE / "_delta_log").chmod(0o555)
        (told,) = checked_notes(run, monkeypatch, made)
        assert "may not write lead_verdicts" in told


def checked_notes(run: Run, monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[str]:
    """What `check` says of triage on the lake of a folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DEFENDER_LAKE_URI", str(folder / "lake"))
    notes = json.loads(run("check", "--format", "json").stdout)["notes"]
    return [note for note in notes if "lead_verdicts" in note]
