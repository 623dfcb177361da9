"""`check`: what it says of the lake: days that are behind, silence, the clock, and the permission to write."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from defender_assets.catalog import BRIEFS
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.maintenance import apply_retention
from defender_assets.core.leads.risk import ScoringConfig
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO, TABLES
from defender_assets.core.triage.schema import VERDICTS_TABLE
from defender_assets.outputs.notifications.schema import SENT_NOTICES
from defender_assets_tests.cli.conftest import Run, checked
from defender_assets_tests.support.day_runs import run_day
from defender_assets_tests.support.days import day_before, today
from defender_assets_tests.support.exports import TENANT, Folder, blob_path, local_lake, records
from defender_assets_tests.support.triaged_leads import close, lead, put_leads
from defender_assets_tests.support.unprivileged import unprivileged_folder


def test_a_lake_that_is_a_file_is_a_wrong_setting(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lake").write_text("")
    monkeypatch.setenv("DEFENDER_LAKE_URI", "lake")

    for command in ("check", "leads"):
        result = run(command)
        assert result.exit_code == 2
        assert result.stderr.startswith("error: DEFENDER_LAKE_URI: ")
        assert "is a file: expected a directory" in result.stderr


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


def test_whether_this_identity_may_write_statements_is_noted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with unprivileged_folder() as made:
        lake = local_lake(made / "lake")
        put_leads(lake, lead("a"))
        assert checked_notes(run, monkeypatch, made) == []
        close(lake, lead("a"))
        (made / "lake").chmod(0o555)
        (note,) = checked_notes(run, monkeypatch, made)
        assert "may write lead_verdicts" in note
        (made / "lake").chmod(0o755)
        (made / "lake" / VERDICTS_TABLE / "_delta_log").chmod(0o555)
        (note,) = checked_notes(run, monkeypatch, made)
        assert "may not write lead_verdicts" in note


def test_a_lake_that_may_only_be_read_is_inspected_all_the_same(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("check")
    with unprivileged_folder() as made:
        put_leads(local_lake(made / "lake"), lead("a"))
        monkeypatch.chdir(made)
        monkeypatch.setenv("DEFENDER_LAKE_URI", str(made / "lake"))
        (made / "lake").chmod(0o555)
        found = json.loads(run("check", "--format", "json").stdout)
        text = run("check")
    assert (found["lake"]["read_only"], found["lake"]["writable"]) == (True, False)
    assert found["lake"]["tables"] == ["device_enriched_leads"]
    assert "/lake: can be read, but not written" in text.stdout
    assert "Behind: " in text.stdout
    assert text.stderr.endswith(
        "Permission denied; give this user read permission for the lake, and write permission to change it\n"
    )
    assert text.exit_code == 2


def checked_notes(run: Run, monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[str]:
    """What `check` says of triage on the lake of a folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DEFENDER_LAKE_URI", str(folder / "lake"))
    notes = json.loads(run("check", "--format", "json").stdout)["notes"]
    return [note for note in notes if "lead_verdicts" in note]
