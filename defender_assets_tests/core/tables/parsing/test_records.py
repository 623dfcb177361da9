"""Parsing lines into typed rows, `unmapped` or quarantine, without losing anything."""

import gc
import json
import weakref
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from defender_assets.core.raw.batches import Source
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, TABLES, Table
from defender_assets.core.schemas.quarantine import QUARANTINE_REASONS
from defender_assets.core.tables.parsing.records import RecordBuffer, parse_lines
from defender_assets.core.tables.parsing.typed_rows import Parsed, parse_chunk, parsed_rows
from defender_assets_tests.support.exports import DAY, MOMENT, OTHER_TENANT, TENANT, line, properties

SOURCE = Source(TENANT, DAY, "a blob", datetime(2026, 11, 3, 8, tzinfo=UTC), 1000, 7)


def parse(table: Table, content: bytes, source: Source = SOURCE) -> Parsed:
    return parse_chunk(table, source, content)


def one(table: Table, **changes: Any) -> dict[str, Any]:
    parsed = parse(table, line(table, properties(table, **changes)))
    assert parsed.quarantined.is_empty()
    return parsed.rows.row(0, named=True)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.hunting_name)
def test_a_row_has_exactly_the_schema_and_its_provenance(table: Table) -> None:
    content = line(table, properties(table))
    parsed = parse(table, b"\r\n" + content)
    assert parsed.rows.schema == table.schema
    row = parsed.rows.row(0, named=True)
    assert row["byte_offset"] == 1002
    assert (row["tenant_id"], row["export_date"], row["blob"]) == (TENANT, DAY, "a blob")
    assert row["Timestamp"] == row["exported_at"] == datetime(2026, 11, 3, 8, 15, 30, 123456, tzinfo=UTC)
    assert row["unmapped"] is None


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-11-03T08:15:30Z", datetime(2026, 11, 3, 8, 15, 30, tzinfo=UTC)),
        ("2026-11-03T08:15:30.1Z", datetime(2026, 11, 3, 8, 15, 30, 100000, tzinfo=UTC)),
        ("2026-11-03T08:15:30.1234567Z", datetime(2026, 11, 3, 8, 15, 30, 123456, tzinfo=UTC)),
        ("2026-11-03T09:15:30+01:00", datetime(2026, 11, 3, 8, 15, 30, tzinfo=UTC)),
        ("2026-11-03T08:15:30", datetime(2026, 11, 3, 8, 15, 30, tzinfo=UTC)),
    ],
)
def test_timestamps_of_any_precision_are_read(written: str, moment: datetime) -> None:
    assert one(ALERT_INFO, Timestamp=written)["Timestamp"] == moment


def test_a_timestamp_that_is_not_text_is_quoted_as_written() -> None:
    parsed = parse(ALERT_INFO, line(ALERT_INFO, properties(ALERT_INFO, Timestamp=1762157730)))
    assert parsed.quarantined["detail"].to_list() == ["Timestamp is not text but 1762157730"]


@pytest.mark.parametrize("written", ["0000-01-01T00:00:00Z", "-0044-03-15T00:00:00Z", "+12345-01-01T00:00:00Z"])
def test_a_time_outside_the_years_1_to_9999_is_rejected(written: str) -> None:
    parsed = parse(ALERT_INFO, line(ALERT_INFO, properties(ALERT_INFO, Timestamp=written)))
    assert parsed.quarantined["reason"].to_list() == ["bad_timestamp"]
    row = parse(ALERT_INFO, line(ALERT_INFO, properties(ALERT_INFO), time=written)).rows.row(0, named=True)
    assert (row["exported_at"], row["received_at"]) == (None, None)
    assert json.loads(row["unmapped"])["$envelope"]["time"] == written


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.9999999Z", datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    ],
)
def test_the_first_and_the_last_time_of_dotnet_are_read(written: str, moment: datetime) -> None:
    assert one(ALERT_INFO, Timestamp=written)["Timestamp"] == moment


@pytest.mark.parametrize(
    ("column", "written", "value"),
    [
        ("OSBuild", 22631, 22631),
        ("OSBuild", "4096", 4096),
        ("ReportId", 2**63 - 1, 2**63 - 1),
        ("ReportId", str(-(2**63)), -(2**63)),
        ("IsExcluded", True, True),
        ("IsExcluded", "false", False),
        ("IsExcluded", None, None),
        ("DeviceName", "", None),
        ("OSBuild", "", None),
        ("DeviceManualTags", "", None),
        ("DeviceManualTags", "[]", []),
        ("DeviceManualTags", '["a","b"]', ["a", "b"]),
        ("DeviceManualTags", ["a"], ["a"]),
        ("MergedDeviceIds", "a1, b2", ["a1", "b2"]),
        ("MergedDeviceIds", "a1,", ["a1"]),
        ("MergedDeviceIds", '["a1"]', ["a1"]),
        (
            "LoggedOnUsers",
            '[{"UserName":"ada","DomainName":"corp","Sid":"S-1"}]',
            [{"UserName": "ada", "DomainName": "corp", "Sid": "S-1"}],
        ),
        ("LoggedOnUsers", '[{"UserName":"ada"}]', [{"UserName": "ada", "DomainName": None, "Sid": None}]),
        ("AdditionalFields", '{"a":1}', '{"a":1}'),
        ("AdditionalFields", {"a": 1}, '{"a": 1}'),
    ],
)
def test_a_value_that_fits_exactly_is_taken(column: str, written: Any, value: Any) -> None:
    row = one(DEVICE_INFO, **{column: written})
    assert row[column] == value
    assert row["unmapped"] is None


@pytest.mark.parametrize(
    ("column", "written"),
    [
        ("OSBuild", "1.5"),
        ("OSBuild", "9223372036854775808"),
        ("OSBuild", '"007"'),
        ("OSBuild", '"+5"'),
        ("OSBuild", "1e3"),
        ("OSBuild", "true"),
        ("OSBuild", "9" * 10_000),
        ("IsExcluded", '"yes"'),
        ("IsExcluded", "1"),
        ("DeviceName", "7"),
        ("DeviceName", "false"),
        ("DeviceName", '{"a":[1.50]}'),
        ("DeviceManualTags", '"[1,2]"'),
        ("DeviceManualTags", "[1,2]"),
        ("DeviceManualTags", '"no array"'),
        ("MergedDeviceIds", r'"{\"a\":1}"'),
        ("LoggedOnUsers", r'"[{\"UserName\":\"a\",\"Extra\":1}]"'),
    ],
)
def test_a_value_that_would_change_goes_to_unmapped_as_written(column: str, written: str) -> None:
    props = f'{{"Timestamp":"{MOMENT}","DeviceId":"d","{column}":{written}}}'
    parsed = parse(DEVICE_INFO, line(DEVICE_INFO, props))
    row = parsed.rows.row(0, named=True)
    assert row[column] is None
    assert row["unmapped"] == f'{{"{column}":{written}}}'
    assert parsed.tally.mismatches == {column: 1}


def test_unknown_fields_keep_their_text() -> None:
    props = f'{{"Timestamp":"{MOMENT}","DeviceId":"d","New":1.50,"Newer":{{"x" : [ ] }}}}'
    row = parse(DEVICE_INFO, line(DEVICE_INFO, props)).rows.row(0, named=True)
    assert row["unmapped"] == '{"New":1.50,"Newer":{"x" : [ ] }}'


def test_what_the_envelope_holds_beyond_the_documented_keys_is_kept() -> None:
    content = line(ALERT_INFO, properties(ALERT_INFO), time="never").replace(b'"time"', b'"New":[1],"time"')
    row = parse(ALERT_INFO, content).rows.row(0, named=True)
    assert row["exported_at"] is None
    assert json.loads(row["unmapped"]) == {
        "$envelope": {"New": [1], "time": "never", "_TimeReceivedBySvc": "never"},
    }


def test_old_envelopes_without_the_newer_keys_are_read() -> None:
    content = (
        f'{{"properties":{properties(ALERT_INFO)},"category":"AdvancedHunting-AlertInfo","tenantId":"{TENANT.upper()}"'
        f',"time":"{MOMENT}"}}\n'
    )
    row = parse(ALERT_INFO, content.encode()).rows.row(0, named=True)
    assert row["AlertId"] == "da0"
    assert row["received_at"] is None


def wrap_records(*lines: bytes) -> bytes:
    return b'{"records":[' + b",".join(each.strip() for each in lines) + b"]}\r\n"


@pytest.mark.parametrize(
    "wrap", [lambda text: text, lambda text: b'{"body":' + text.strip() + b"}\r\n"], ids=["records", "body"]
)
def test_event_hub_wrappings_are_taken(wrap: Callable[[bytes], bytes]) -> None:
    lines = [line(ALERT_INFO, properties(ALERT_INFO, AlertId=name)) for name in ("da1", "da2")]
    plain = parse(ALERT_INFO, b"".join(lines)).rows
    wrapped = parse(ALERT_INFO, wrap(wrap_records(*lines)))
    assert wrapped.rows["record_id"].to_list() == plain["record_id"].to_list()
    assert wrapped.rows["byte_offset"].to_list() == [1000, 1000]
    assert (wrapped.tally.lines, wrapped.tally.good, wrapped.tally.records) == (1, 1, 2)


def test_a_wrapped_line_with_one_bad_record_is_quarantined_whole() -> None:
    good, bad = line(ALERT_INFO, properties(ALERT_INFO)), line(ALERT_INFO, properties(ALERT_INFO, Timestamp="?"))
    content = wrap_records(good, bad)
    parsed = parse(ALERT_INFO, content)
    assert parsed.rows.is_empty()
    assert parsed.quarantined["content"].to_list() == [content.removesuffix(b"\r\n")]


def test_properties_in_a_string_are_taken_and_hashed_as_written() -> None:
    quoted = json.dumps(properties(ALERT_INFO))
    row = parse(ALERT_INFO, line(ALERT_INFO, quoted)).rows.row(0, named=True)
    assert row["AlertId"] == "da0"
    assert row["record_id"] != one(ALERT_INFO)["record_id"]


BAD = {
    "not_json": b'{"time":',
    "too_deep": b'{"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "no_envelope": properties(ALERT_INFO).encode(),
    "foreign_table": line(DEVICE_INFO, properties(ALERT_INFO)).strip(),
    "foreign_tenant": line(ALERT_INFO, properties(ALERT_INFO), tenant=OTHER_TENANT).strip(),
    "no_key": line(ALERT_INFO, properties(ALERT_INFO, AlertId="")).strip(),
    "bad_timestamp": line(ALERT_INFO, properties(ALERT_INFO, Timestamp="2026-02-30T00:00:00Z")).strip(),
}


@pytest.mark.parametrize("reason", BAD)
def test_what_is_no_record_is_quarantined_with_its_bytes_and_the_rest_stays(reason: str) -> None:
    good = line(ALERT_INFO, properties(ALERT_INFO))
    parsed = parse(ALERT_INFO, good + BAD[reason] + b"\r\n" + good + BAD[reason] + b"\n")
    assert parsed.rows.height == 2
    assert parsed.quarantined["content"].to_list() == [BAD[reason]] * 2
    assert parsed.quarantined["reason"].to_list() == [reason] * 2
    assert parsed.quarantined["byte_offset"][0] == 1000 + len(good)
    assert all(reason in QUARANTINE_REASONS for reason in parsed.quarantined["reason"])
    tally = parsed.tally
    assert (tally.lines, tally.good, tally.quarantined, tally.blank, tally.records) == (4, 2, 2, 0, 2)


def test_bad_lines_are_freed_with_their_chunk() -> None:
    """Without the garbage collector, which is rare where objects are few and large."""
    for reason, content in BAD.items():
        gc.disable()
        try:
            buffer = RecordBuffer()
            parse_lines(ALERT_INFO, SOURCE, content + b"\n", buffer)
            parsed_rows(ALERT_INFO, buffer)
            held = weakref.ref(buffer)
            del buffer
            assert held() is None, reason
        finally:
            gc.enable()


@pytest.mark.parametrize(
    "content",
    [
        b'{"a":"\xff\xfe"}',
        b"[]",
        b"null",
        b'{"records":7}',
        b'{"body":7}',
        line(ALERT_INFO, "null").strip(),
        line(ALERT_INFO, '"text"').strip(),
        line(ALERT_INFO, "[]").strip(),
        line(ALERT_INFO, '{"AlertId":"a"}').strip(),
        line(ALERT_INFO, f'{{"Timestamp":"{MOMENT}","AlertId":7}}').strip(),
        line(ALERT_INFO, f'{{"Timestamp":"{MOMENT}","AlertId":"a","New":"\\ud8"}}').strip(),
        line(ALERT_INFO, properties(ALERT_INFO)).strip() * 2,
        b"\x00",
    ],
    ids=range(13),
)
def test_no_line_breaks_the_reader(content: bytes) -> None:
    parsed = parse(ALERT_INFO, content + b"\r\n")
    assert parsed.quarantined["content"].to_list() == [content]
    assert parsed.tally.quarantined == 1


def test_invalid_utf8_in_an_unknown_field_is_quarantined_not_lost() -> None:
    content = line(ALERT_INFO, f'{{"Timestamp":"{MOMENT}","AlertId":"a","New":"?"}}').replace(b'"?"', b'"\xff"')
    parsed = parse(ALERT_INFO, content)
    assert parsed.quarantined["reason"].to_list() == ["not_json"]


@pytest.mark.parametrize("half", [r"\ud83d", r"\uDE00", r"\ud83d\ud83d\ude00"])
def test_half_a_surrogate_pair_keeps_its_record_and_its_text(half: str) -> None:
    props = f'{{"Timestamp":"{MOMENT}","AlertId":"a","Title":"x{half}y","Category":"\\\\ud83d","New":["{half}"]}}'
    parsed = parse(ALERT_INFO, line(ALERT_INFO, props) + line(ALERT_INFO, props.replace(half, r"\ufffd")))
    assert parsed.quarantined.is_empty()
    row, repaired = parsed.rows.rows(named=True)
    assert row["Title"] is None
    assert row["Category"] == "\\ud83d"
    assert row["unmapped"] == f'{{"Title":"x{half}y","New":["{half}"]}}'
    assert row["record_id"] != repaired["record_id"]
    wrapped = parse(ALERT_INFO, wrap_records(line(ALERT_INFO, props), line(ALERT_INFO, props)))
    assert wrapped.rows["record_id"].to_list() == [row["record_id"]] * 2


def test_half_a_surrogate_pair_in_the_key_makes_the_key_invalid() -> None:
    parsed = parse(ALERT_INFO, line(ALERT_INFO, f'{{"Timestamp":"{MOMENT}","AlertId":"\\ud800"}}'))
    assert parsed.quarantined["reason"].to_list() == ["no_key"]


def test_a_whole_surrogate_pair_is_one_character() -> None:
    row = parse(ALERT_INFO, line(ALERT_INFO, f'{{"Timestamp":"{MOMENT}","AlertId":"\\ud83d\\ude00"}}')).rows
    assert row["AlertId"].to_list() == ["\U0001f600"]


def test_a_byte_order_mark_is_tolerated() -> None:
    parsed = parse(ALERT_INFO, b"\xef\xbb\xbf" + line(ALERT_INFO, properties(ALERT_INFO)))
    assert parsed.rows.height == 1


def test_record_ids_hash_table_tenant_and_the_bytes_of_properties_alone() -> None:
    props = properties(ALERT_EVIDENCE)
    first = parse(ALERT_EVIDENCE, line(ALERT_EVIDENCE, props)).rows["record_id"][0]
    again = parse(ALERT_EVIDENCE, line(ALERT_EVIDENCE, props, time="2026-11-03T09:00:00Z")).rows["record_id"][0]
    spaced = parse(ALERT_EVIDENCE, line(ALERT_EVIDENCE, props.replace(":", " :", 1))).rows["record_id"][0]
    other = Source(OTHER_TENANT, date(2026, 11, 4), "b", SOURCE.blob_created_at, 0, 1)
    foreign = parse(ALERT_EVIDENCE, line(ALERT_EVIDENCE, props, tenant=OTHER_TENANT), other).rows["record_id"][0]
    info = parse(ALERT_INFO, line(ALERT_INFO, props)).rows["record_id"][0]
    assert first == again
    assert len({first, spaced, foreign, info}) == 4
    assert len(first) == 32


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from([column.name for column in DEVICE_INFO.columns if column.name != "Timestamp"]) | st.text(
    max_size=6
)


def is_same(column: pl.DataType, taken: Any, value: Any) -> bool:
    """Whether the value of a column is exactly what was written."""
    if isinstance(column, pl.Boolean):
        return str(taken).lower() == str(value).lower()
    if isinstance(column, pl.Int64):
        return str(taken) == str(value) and not isinstance(value, bool)
    if isinstance(column, pl.List):
        ids = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        return bool(taken == ids or taken == json.loads(value))
    return bool(taken == value or json.loads(taken) == value)


@given(st.dictionaries(names, values, max_size=6))
@example({"blob": None, "record_id": "r"})
def test_every_field_of_a_record_is_in_a_column_or_in_unmapped(fields: dict[str, Any]) -> None:
    fields = {**fields, "DeviceId": "d", "Timestamp": MOMENT}
    row = parse(DEVICE_INFO, line(DEVICE_INFO, json.dumps(fields))).rows.row(0, named=True)
    unmapped = json.loads(row["unmapped"] or "{}")
    columns = {column.name for column in DEVICE_INFO.columns}
    for name, value in fields.items():
        if name in unmapped:
            assert unmapped[name] == value
            assert name not in columns or row[name] is None
        elif value not in (None, "") and name != "Timestamp":
            assert row[name] is None if value == "null" else is_same(DEVICE_INFO.schema[name], row[name], value)


GOOD = line(ALERT_INFO, properties(ALERT_INFO)).strip()


@given(st.lists(st.sampled_from([*BAD.values(), b"", b"  ", GOOD]), max_size=12))
def test_lines_are_good_quarantined_or_blank(lines: list[bytes]) -> None:
    parsed = parse(ALERT_INFO, b"".join(each + b"\r\n" for each in lines))
    tally = parsed.tally
    assert tally.lines == len(lines) == tally.good + tally.quarantined + tally.blank
    assert parsed.quarantined.height == tally.quarantined
    assert parsed.rows.height == tally.records
    assert parsed.quarantined.filter(pl.col("content").is_in(list(BAD.values()))).height == tally.quarantined
