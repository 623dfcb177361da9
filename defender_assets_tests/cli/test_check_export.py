"""`check`: what it says of the export, down to the last lines of its newest blobs."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO
from defender_assets.settings import (
    DEMO_EXPORT_DIR,
    DEMO_SCENARIO,
)
from defender_assets_tests.cli.conftest import Run, checked, container
from defender_assets_tests.support.days import day_before, today, yesterday
from defender_assets_tests.support.exports import DAY, TENANT, Folder, blob_path, line, properties, records
from defender_assets_tests.support.small_lake import SmallLake
from defender_assets_tests.support.unprivileged import unprivileged_folder
from defender_assets_tests.support.waiting import HANG_SECONDS


def test_a_directory_that_does_not_exist_is_not_reachable(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not checked(run, 0)["export"]["reachable"]
    assert "✓ Export" not in run("check").stdout

    monkeypatch.setenv("DEFENDER_EXPORT_DIR", "mistyped")

    found = checked(run, 1)
    assert not found["export"]["reachable"]
    assert found["attention"][0].startswith(f"{tmp_path / 'mistyped'} does not exist: correct DEFENDER_EXPORT_DIR")


def test_a_directory_above_or_below_the_containers_needs_attention(
    run: Run, folder: Folder, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    file = folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 1))
    (folder.root.with_name("upper") / ALERT_INFO.container.upper()).mkdir(parents=True)
    found_there = {
        folder.root.parent: "export, upper",
        folder.root / ALERT_INFO.container: f"tenantId={TENANT}",
        file.parent: "PT1H.json",
        folder.root.with_name("upper"): ALERT_INFO.container.upper(),
    }
    for directory, names in found_there.items():
        with subtests.test(names):
            monkeypatch.setenv("DEFENDER_EXPORT_DIR", str(directory))

            found = checked(run, 1)

            (attention,) = found["attention"]
            assert f"but {names}: set DEFENDER_EXPORT_DIR to the directory" in attention
            assert not [note for note in found["notes"] if "empty" in note or "Streaming API" in note]


def test_blobs_of_the_future_need_attention(run: Run, folder: Folder) -> None:
    # tomorrow's first hour is not of the future in the last hour of a day
    for path in (blob_path(day_before(-1), 12), blob_path(day_before(-2), 0), blob_path(today(), 0)):
        folder.append(ALERT_INFO, path, records(ALERT_INFO, 0, 1))

    (attention,) = checked(run, 1)["attention"]

    assert "has 2 blobs of the future, such as" in attention
    assert blob_path(day_before(-2), 0) in attention


def test_a_blob_of_a_later_day_says_nothing_of_what_is_read_now(run: Run, folder: Folder) -> None:
    folder.append(DEVICE_INFO, blob_path(day_before(-1), 12), b"not json\r\n")
    folder.append(DEVICE_INFO, blob_path(day_before(9), 12), records(DEVICE_INFO, 0, 1))

    found = checked(run, 1)

    # quarantine has none of its lines before that day, and the newest record is nine days old
    assert not [line for line in found["attention"] if "quarantine" in line]
    (devices,) = (each for each in found["export"]["containers"] if each["table"] == DEVICE_INFO.name)
    assert devices["newest_blob"] == blob_path(day_before(9), 12)
    assert devices["age_seconds"] > 8 * 86_400


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
