"""A certificate holds for the lake and the export that it was written of, and for no other."""

import copy
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from defender_assets.core.audit.certificate import CertificateError, certificate, read_certificate, verify
from defender_assets.core.audit.findings import Kind
from defender_assets.core.export import DirectoryExport
from defender_assets.core.schemas import ALERT_EVIDENCE, DEVICE_INFO
from defender_assets_tests.support.day_runs import run_day
from defender_assets_tests.support.exports import DAY, blob_path, records
from defender_assets_tests.support.planted_lake import FIRST, SECOND, Planted

NOW = datetime(2026, 11, 20, tzinfo=UTC)
RUNNING = datetime(DAY.year, DAY.month, DAY.day, 9, 30, tzinfo=UTC)
Lines = list[bytes]


@pytest.fixture(scope="module")
def certified(planted: Planted) -> dict[str, Any]:
    made = certificate(planted.audited(), [], NOW)
    return read_certificate(json.dumps(made))


def _rewritten(
    planted: Planted, tmp_path: Path, change: Callable[[Lines], Lines], blob: str = FIRST
) -> DirectoryExport:
    """A copy of the export, written at another time, with changed lines of a blob."""
    for file in planted.export.root.rglob("*.json"):
        copied = tmp_path / file.relative_to(planted.export.root)
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes(file.read_bytes())
    of = tmp_path / DEVICE_INFO.container / blob
    of.write_bytes(b"".join(change(of.read_bytes().splitlines(keepends=True))))
    return DirectoryExport(tmp_path)


def test_it_holds_for_the_lake_and_for_a_copy_of_the_export(
    planted: Planted, certified: dict[str, Any], tmp_path: Path
) -> None:
    of_lake = verify(certified, lake=planted.lake)
    copied = verify(certified, export=_rewritten(planted, tmp_path, list))
    for found in (of_lake, copied):
        assert (found.failures, found.differences, found.problems) == ([], [], [])
        assert found.compared == len(certified["entries"]) == 8


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [lines[0].replace(b"DeviceId-0", b"DeviceId-9"), *lines[1:]],
        lambda lines: lines[1:],
        lambda lines: [*lines, lines[0]],
        lambda lines: [lines[1], *lines],
        lambda lines: [lines[1], lines[0], *lines[2:]],
    ],
    ids=["changed", "dropped", "added at the end", "added at the start", "swapped"],
)
def test_a_changed_dropped_or_added_line_of_the_export_names_its_blob_hour(
    planted: Planted, certified: dict[str, Any], tmp_path: Path, change: Callable[[Lines], Lines]
) -> None:
    found = verify(certified, export=_rewritten(planted, tmp_path, change))
    assert {(each.table, each.blob) for each in found.failures} == {(DEVICE_INFO.name, FIRST)}


def test_blobs_that_vanish_or_appear_are_named(planted: Planted, certified: dict[str, Any], tmp_path: Path) -> None:
    export = _rewritten(planted, tmp_path, list)
    (tmp_path / ALERT_EVIDENCE.container / SECOND).unlink()
    (tmp_path / DEVICE_INFO.container / blob_path(hour=11)).parent.mkdir(parents=True)
    (tmp_path / DEVICE_INFO.container / blob_path(hour=11)).write_bytes(records(DEVICE_INFO, 70, 1))
    found = verify(certified, export=export)
    assert {(each.table, each.blob) for each in found.failures} == {
        (ALERT_EVIDENCE.name, SECOND),
        (DEVICE_INFO.name, blob_path(hour=11)),
    }


def test_growth_of_the_running_hour_is_no_failure(planted: Planted, tmp_path: Path) -> None:
    early = certificate(planted.audited(), [], RUNNING)
    grown = _rewritten(planted, tmp_path, lambda lines: [*lines, lines[0]], SECOND)
    assert verify(early, export=grown).failures == []
    first = _rewritten(planted, tmp_path, lambda lines: [*lines, lines[0]], FIRST)
    assert [each.blob for each in verify(early, export=first).failures] == [FIRST]


def test_growth_of_the_lake_leaves_the_certified_bytes_alone(planted: Planted, tmp_path: Path) -> None:
    made = Planted(Path(shutil.copytree(planted.root, tmp_path / "copy")))
    early, late = (certificate(made.audited(), [], moment) for moment in (RUNNING, NOW))
    made.folder.append(DEVICE_INFO, SECOND, records(DEVICE_INFO, 80, 1))
    run_day(made.lake, made.export, DAY, ())
    running = verify(early, lake=made.lake)
    assert (running.failures, running.differences, running.compared) == ([], [], 8)
    assert [each.blob for each in verify(late, lake=made.lake).failures] == [SECOND]


def test_a_changed_lake_fails_and_names_the_blob_hour(planted: Planted, certified: dict[str, Any]) -> None:
    with planted.changed(DEVICE_INFO.raw, lambda rows: rows.filter(pl.int_range(pl.len()) != 2)):
        assert (DEVICE_INFO.name, FIRST) in {
            (each.table, each.blob) for each in verify(certified, lake=planted.lake).failures
        }
    with planted.changed(DEVICE_INFO.name, lambda rows: rows.head(1)):
        found = verify(certified, lake=planted.lake)
        assert {(each.kind, each.blob) for each in found.differences} >= {(Kind.MISSING_ROW, SECOND)}


def test_a_changed_certificate_is_noticed(certified: dict[str, Any]) -> None:
    def failures(change: Callable[[dict[str, Any]], object]) -> set[str]:
        forged = copy.deepcopy(certified)
        change(forged)
        return {each.reason.split(":")[0] for each in verify(forged).failures}

    assert failures(lambda forged: forged) == set()
    assert "the entry in the certificate was changed" in failures(lambda forged: forged["entries"][0].update(lines=7))
    assert "the root does not fit the entries" in failures(lambda forged: forged["entries"].pop())
    with pytest.raises(CertificateError, match="no certificate of format 1"):
        read_certificate('{"certificate": "defender-assets audit"}')
