import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from defender_assets.simulator import Append
from defender_assets_tests.support.simulated_exports import CLEAN, SCENARIO, appends, blobs, lines, records

REPEATING = replace(SCENARIO, days=2, bad_lines=0, devices=150)


def hour_end(append: Append) -> datetime:
    found = re.search(r"y=(\d+)/m=(\d+)/d=(\d+)/h=(\d+)", append.blob)
    assert found
    year, month, day, hour = map(int, found.groups())
    return datetime(year, month, day, hour, tzinfo=UTC) + timedelta(hours=1)


def test_some_records_repeat_with_the_same_properties_and_a_new_time() -> None:
    times: dict[tuple[str, str, bytes], list[str]] = {}
    for record in records(REPEATING):
        key = record.table, record.envelope["tenantId"], record.raw
        times.setdefault(key, []).append(record.envelope["time"])
    copies = Counter(len(found) for found in times.values())

    repeats = sum(len(found) - 1 for found in times.values())
    assert 0.027 < repeats / len(records(REPEATING)) < 0.04
    assert max(copies) == 4
    assert all(len(set(found)) == len(found) for found in times.values())


def test_copies_reach_other_hours_and_other_days() -> None:
    days: dict[bytes, set[str]] = {}
    hours: dict[bytes, set[str]] = {}
    for record in records(REPEATING, "deviceinfo"):
        days.setdefault(record.raw, set()).add(record.line.day)
        hours.setdefault(record.raw, set()).add(record.line.blob)
    assert any(len(found) > 1 for found in hours.values())
    assert any(len(found) > 1 for found in days.values())


def test_closed_hours_grow_after_minutes_after_hours_and_on_the_next_day() -> None:
    late = [append.at - hour_end(append) for append in appends(SCENARIO)]
    assert any(timedelta(minutes=10) < delay < timedelta(hours=1) for delay in late)
    assert any(timedelta(hours=2) < delay < timedelta(hours=14) for delay in late)
    assert any(append.at.date() > hour_end(append).date() for append in appends(SCENARIO))
    assert sum(delay > timedelta(minutes=8) for delay in late) < len(late) / 10


def test_there_are_blank_lines_and_empty_blobs() -> None:
    assert any(line.text == b"" for line in lines(SCENARIO))
    assert b"" in blobs(appends(SCENARIO)).values()


def test_most_appends_are_whole_records_and_a_few_end_inside_one() -> None:
    whole = Counter(append.data.endswith(b"\r\n") for append in appends(SCENARIO) if append.data)
    assert 0 < whole[False] < whole[True] / 20


def test_the_next_append_to_its_blob_completes_a_split_record() -> None:
    open_since: dict[tuple[str, str], datetime] = {}
    for append in appends(SCENARIO):
        key = append.container, append.blob
        if begun := open_since.pop(key, None):
            assert append.at - begun == timedelta(microseconds=1)
        if append.data and not append.data.endswith(b"\n"):
            open_since[key] = append.at
    assert not open_since


def test_appends_have_a_largest_size() -> None:
    small = replace(CLEAN, days=1, append_bytes=10_000)
    assert max(len(append.data) for append in appends(small)) <= 10_000
    large = replace(CLEAN, days=1, devices=1_000)
    mean = sum(len(append.data) for append in appends(large)) / len(appends(large))
    assert 20_000 < mean <= 35_000


def test_without_faults_every_record_arrives_once_in_time_and_whole() -> None:
    clean = appends(CLEAN)
    assert all(append.data.endswith(b"\r\n") for append in clean)
    assert all(append.at <= hour_end(append) + timedelta(minutes=4) for append in clean)
    assert all(line.text for line in lines(CLEAN))
    raw = [(record.table, record.envelope["tenantId"], record.raw) for record in records(CLEAN)]
    assert len(set(raw)) == len(raw)


def test_without_faults_the_records_are_the_same() -> None:
    faulty = {(record.line.day, record.raw) for record in records(replace(SCENARIO, bad_lines=0))}
    assert {(record.line.day, record.raw) for record in records(CLEAN)} <= faulty
