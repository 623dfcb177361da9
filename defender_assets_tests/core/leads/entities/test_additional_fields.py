import json
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from defender_assets.core.leads.entities.additional_fields import read_entities, with_fields
from defender_assets.core.leads.entities.fields import ENTITY, FIELDS
from defender_assets_tests.support.alert_rows import PC

NOTHING = SimpleNamespace(**dict.fromkeys(ENTITY))


def read(value: Any) -> SimpleNamespace:
    return read_text(json.dumps(value))


def read_text(text: str) -> SimpleNamespace:
    return SimpleNamespace(**dict.fromkeys(ENTITY) | read_entities(text, None)[0])


def test_the_facts_of_a_process_are_found_where_microsoft_puts_them() -> None:
    fields = read(
        {
            "$id": "1",
            "ProcessId": 4711,
            "CommandLine": "x",
            "CreationTimeUtc": "2026-03-10T11:59:00Z",
            "ImageFile": {
                "$id": "2",
                "Name": "x.exe",
                "Directory": "C:\\Temp",
                "FileHashes": [
                    {"$id": "3", "Algorithm": "SHA1", "Value": "AB"},
                    {"Algorithm": "SHA256", "Value": "cd"},
                ],
            },
            "ParentProcess": {"ImageFile": {"Name": "parent.exe"}, "CommandLine": "p"},
            "Account": {"Name": "jane", "NTDomain": "CONTOSO", "Sid": "S-1-5-21-1"},
            "Type": "process",
            "LastVerdict": "Malicious",
            "LastRemediationState": "Active",
            "MergeByKeyHex": "FF",
        }
    )
    assert (fields.process_id, fields.created, fields.file_name) == (4711, "2026-03-10T11:59:00Z", "x.exe")
    assert (fields.folder, fields.sha1, fields.sha256) == ("C:\\Temp", "ab", "cd")
    assert (fields.parent_file_name, fields.parent_command_line) == ("parent.exe", "p")
    assert (fields.account_name, fields.account_domain, fields.account_sid) == ("jane", "CONTOSO", "S-1-5-21-1")
    assert (fields.last_verdict, fields.remediation_state, fields.entity_key) == ("Malicious", "Active", "ff")


def test_references_are_followed_backward_and_forward() -> None:
    host = {"$id": "7", "MachineId": PC, "HostName": "pc"}
    assert read({"Host": {"$ref": "7"}, "ImageFile": {"Host": host}}).machine_id == PC
    assert read({"ImageFile": {"Host": host}, "Host": {"$ref": "7"}}).host_name == "pc"


def test_cyclic_references_end() -> None:
    assert read({"$id": "1", "Host": {"$ref": "1"}, "Name": "x"}).machine_id is None
    assert read({"$id": "1", "Host": {"$id": "2", "Host": {"$ref": "1"}}, "X": {"MachineId": PC}}).machine_id == PC


def test_a_reference_to_nothing_is_nothing() -> None:
    assert read({"Host": {"$ref": "99"}}) == NOTHING


def test_json_text_inside_json_text_is_read() -> None:
    assert read({"Host": json.dumps({"MachineId": PC})}).machine_id == PC
    assert read_text(json.dumps(json.dumps({"LastVerdict": "Clean"}))).last_verdict == "Clean"


def test_a_nested_text_has_its_own_references() -> None:
    inner = json.dumps({"Host": {"$ref": "1"}, "X": {"$id": "1", "MachineId": PC}})
    assert read({"$id": "1", "ImageFile": inner}).machine_id == PC


def test_a_upn_may_come_in_two_parts() -> None:
    assert read({"Type": "account", "Name": "jane", "UPNSuffix": "contoso.com"}).account_upn == "jane@contoso.com"


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "7", '"x"', "[]", "{", "not json", '{"Host":7}', '{"ImageFile":[1]}', '{"FileHashes":{"a":1}}',
        '{"ProcessId":"x"}', '{"ProcessId":1e999}', '{"Urls":"x"}', '{"$ref":"1"}', "\x00",
        "[" * 100_000, '{"Host":' * 5_000, '{"a":' * 900 + "1" + "}" * 900,
    ],
)  # fmt: skip
def test_garbage_is_ignored(text: str) -> None:
    assert read_text(text) == NOTHING


def test_numbers_too_large_for_a_column_are_left_out() -> None:
    assert read({"ProcessId": 2**70}).process_id is None


def test_a_lone_surrogate_does_not_hide_the_rest() -> None:
    fields = read_text('{"Type":"file","Name":"a\\ud800b","LastVerdict":"Malicious"}')
    assert (fields.file_name, fields.last_verdict) == ("a?b", "Malicious")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["$id", "$ref", "Host", "ImageFile", "MachineId", "FileHashes", "Algorithm", "Value", "Urls"]
            ),
            inner,
            max_size=5,
        )
    ),
)


@given(JSON)
def test_any_text_gives_values_that_fit_the_columns(value: Any) -> None:
    frame = pl.DataFrame({"EntityType": ["Process", None], "AdditionalFields": [json.dumps(value), None]})
    read = with_fields(frame)
    assert read.schema["fields"] == FIELDS
    assert read.height == 2


def test_only_wanted_rows_are_parsed_and_the_order_is_kept() -> None:
    frame = pl.DataFrame(
        {
            "n": [1, 2, 3],
            "EntityType": ["File"] * 3,
            "AdditionalFields": ['{"LastVerdict":"x"}', None, '{"LastVerdict":"x"}'],
        }
    )
    read = with_fields(frame, where=pl.col("n") < 3)
    assert read["n"].to_list() == [1, 2, 3]
    assert read.select(pl.col("fields").struct.field("last_verdict")).to_series().to_list() == ["x", None, None]
