"""`audit`: what it prints, its exit codes, and a certificate that it writes and verifies."""

import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest

from defender_assets.cli.audit import DIFFERENCE, NOT_COMPARED
from defender_assets.cli.errors import CliError
from defender_assets.core.audit.outcome import audit_outcome
from defender_assets.core.schemas import DEVICE_INFO, TABLES
from defender_assets_tests.cli.conftest import Run
from defender_assets_tests.faults.damage import spoil_data
from defender_assets_tests.support.exports import DAY, blob_path, records
from defender_assets_tests.support.planted_lake import FIRST, SECOND, Planted


@pytest.fixture
def audited(planted_here: Planted, run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("DEFENDER_EXPORT_DIR", str(planted_here.export.root))
    monkeypatch.setenv("DEFENDER_LAKE_URI", planted_here.lake.uri)
    return run


@pytest.fixture
def planted_here(planted: Planted, tmp_path: Path) -> Planted:
    """A lake and its export that the test may change."""
    return Planted(Path(shutil.copytree(planted.root, tmp_path / "planted")))


def test_a_sound_lake_gets_a_certificate_that_holds(audited: Run, planted_here: Planted) -> None:
    made = audited("audit", "--out", "certificate.json")
    assert made.exit_code == 0
    assert "Sound: 1 day, 8 blob-hours" in made.stdout
    assert "root" in made.stderr
    assert audited("audit", "--verify", "certificate.json").exit_code == 0
    shutil.rmtree(planted_here.lake.uri)
    offline = audited("audit", "--verify", "certificate.json")
    assert offline.exit_code == 0
    assert f"8 blob-hours compared with directory {planted_here.export.root}" in offline.stdout
    assert "It does not prove: Whether Microsoft exported every event" in offline.stdout
    file = planted_here.export.root / DEVICE_INFO.container / FIRST
    file.write_bytes(file.read_bytes().replace(b"host0", b"host1", 1))
    broken = audited("audit", "--verify", "certificate.json", "--format", "json")
    assert broken.exit_code == DIFFERENCE
    assert [each["blob"] for each in json.loads(broken.stdout)["failures"]] == [FIRST]


def test_a_day_of_which_raw_has_not_read_everything_is_not_called_sound(audited: Run, planted_here: Planted) -> None:
    with (planted_here.export.root / DEVICE_INFO.container / FIRST).open("ab") as blob:
        blob.write(b'{"time"')

    found = audited("audit")

    assert found.exit_code == 0
    assert "7 bytes pending: no difference so far" in found.stdout
    assert f"No difference so far in 1 day of which raw has not read everything ({DAY}): 8 blob-hours" in found.stdout
    assert "sound" not in found.stdout.lower()
    shown = json.loads(audited("audit", "--format", "json").stdout)
    assert (shown["sound"], shown["pending_bytes"], shown["differences"]) == (False, 7, [])
    (audit,) = planted_here.audited()
    assert audit_outcome(audit).summary == "No difference so far in 8 blob-hours; raw has not read 7 bytes yet."


def test_pending_days_that_no_run_reads_are_named(
    audited: Run, planted_here: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEFENDER_START_DATE", "2026-11-04")
    later = blob_path(date(2990, 1, 31))
    for path in (FIRST, later):
        planted_here.folder.append(DEVICE_INFO, path, records(DEVICE_INFO, 90, 1))

    found = audited("audit").stdout

    assert f"No run reads {DAY}, 2990-01-31: only days from DEFENDER_START_DATE=2026-11-04 to today are read." in found


def test_a_difference_is_named_with_its_remedy_and_gets_no_certificate(audited: Run, planted_here: Planted) -> None:
    file = planted_here.export.root / DEVICE_INFO.container / SECOND
    file.write_bytes(file.read_bytes().replace(b"host0", b"host1", 1))
    text = audited("audit", "--out", "certificate.json")
    assert text.exit_code == DIFFERENCE
    assert f"{DAY} {DEVICE_INFO.raw} {SECOND} at byte " in text.stdout
    assert f"To fix it, run the job refresh_day for {DAY}." in text.stdout
    assert not Path("certificate.json").exists()
    shown = json.loads(audited("audit", "--format", "json", "--from", str(DAY), "--to", str(DAY)).stdout)
    assert not shown["sound"]
    assert [(each["kind"], each["blob"]) for each in shown["differences"]] == [("bytes_differ", SECOND)]


def test_blobs_that_are_left_out_are_listed(
    audited: Run, planted_here: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = planted_here.export.root / DEVICE_INFO.container / SECOND
    file.write_bytes(b"unreadable")
    rules = Path("leave_out.toml")
    rules.write_text(f"[[leave_out]]\npath = '{DEVICE_INFO.container}/{SECOND}'\nreason = 'archived'\n")
    monkeypatch.setenv("DEFENDER_LEAVE_OUT", str(rules))
    found = audited("audit")
    assert found.exit_code == 0
    assert f"Left out: {DEVICE_INFO.container}/{SECOND} (archived)" in found.stdout
    assert "1 blob-hour no longer in the export" in found.stdout


def test_what_cannot_be_compared_is_no_difference(audited: Run, planted_here: Planted) -> None:
    for table in TABLES:
        spoil_data(planted_here.lake, table.raw, DAY, "cut")
    found = audited("audit")
    assert found.exit_code == NOT_COMPARED
    assert "Not compared: " in found.stdout
    assert f"run the job refresh_day for {DAY}" in found.stdout


def test_wrong_arguments_are_refused(audited: Run) -> None:
    Path("no.json").write_text("[]")
    assert audited("audit", "--verify", "no.json").exit_code == CliError.exit_code
    assert audited("audit", "--verify", "no.json", "--out", "x").exit_code == CliError.exit_code
    assert audited("audit", "--against", "lake").exit_code == CliError.exit_code
    for content in (b"\xff", b"[" * 100_000):
        Path("no.json").write_bytes(content)
        assert "it is no certificate of format 1: expected" in audited("audit", "--verify", "no.json").stderr


def test_a_span_without_a_day_gets_no_certificate(audited: Run) -> None:
    reversed_span = audited("audit", "--from", str(DAY), "--to", str(DAY - timedelta(days=1)))
    assert reversed_span.exit_code == CliError.exit_code
    assert "is after --to" in reversed_span.stderr
    without = ("audit", "--from", "2000-01-01", "--to", "2000-01-02")
    assert "has a day in this span" in audited(*without).stdout
    assert audited(*without, "--out", "certificate.json").exit_code == CliError.exit_code
    assert not Path("certificate.json").exists()
