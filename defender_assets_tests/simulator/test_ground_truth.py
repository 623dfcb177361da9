import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from defender_assets.simulator import GroundTruth, Scenario, ground_truth
from defender_assets_tests.support.simulated_exports import SCENARIO, appends, blobs, lines

BAD = replace(SCENARIO, days=2, bad_lines=5)
TABLES = {"AlertInfo": "alertinfo", "AlertEvidence": "alertevidence", "DeviceInfo": "deviceinfo"}


def recount(scenario: Scenario) -> dict[tuple[str, str, str], Counter[str]]:
    """Counts of each table, tenant and day from the finished blobs."""
    counts: dict[tuple[str, str, str], Counter[str]] = {}
    seen: dict[tuple[str, str, str], set[str]] = {}
    for line in lines(scenario):
        tenant = line.blob.split("/")[0].removeprefix("tenantId=")
        key = line.table, tenant, line.day
        count = counts.setdefault(key, Counter())
        count["lines"] += 1
        if not line.text:
            count["blank"] += 1
        elif (properties := usable(line.table, tenant, line.text)) is None:
            count["bad"] += 1
        else:
            count["records"] += 1
            seen.setdefault(key, set()).add(json.dumps(properties))
    for key, count in counts.items():
        count["distinct"] = len(seen.get(key, ()))
    return counts


def usable(table: str, tenant: str, text: bytes) -> dict[str, Any] | None:
    try:
        envelope = json.loads(text)
        datetime.fromisoformat(envelope["properties"]["Timestamp"])
    except ValueError:
        return None
    properties = envelope["properties"]
    key = properties.get("DeviceId" if table == "deviceinfo" else "AlertId")
    same_table = envelope["category"].lower() == f"advancedhunting-{table}"
    return properties if key and same_table and envelope["tenantId"] == tenant else None


@pytest.mark.parametrize(
    "scenario", [SCENARIO, BAD, replace(SCENARIO, until=datetime(2026, 1, 2, 15, 7, tzinfo=UTC))], ids=str
)
def test_the_totals_match_the_blobs(scenario: Scenario) -> None:
    truth = {(TABLES[row["table"]], row["tenant_id"], row["day"]): row for row in ground_truth(scenario)["totals"]}
    counted = recount(scenario)

    assert {key for key, row in truth.items() if row["lines"]} == set(counted)
    for key, count in counted.items():
        names = ("lines", "blank", "bad", "records", "distinct")
        assert {name: truth[key][name] for name in names} == {name: count[name] for name in names}
        assert truth[key]["duplicates"] == count["records"] - count["distinct"]
    assert sum(row["bytes"] for row in truth.values()) == sum(map(len, blobs(appends(scenario)).values()))
    assert sum(row["blobs"] for row in truth.values()) == len(blobs(appends(scenario)))


def test_each_table_tenant_and_day_has_the_requested_number_of_bad_lines() -> None:
    assert {row["bad"] for row in ground_truth(BAD)["totals"]} == {5}
    assert {row["bad"] for row in ground_truth(replace(BAD, bad_lines=0))["totals"]} == {0}


def test_five_bad_lines_have_five_kinds() -> None:
    tenant = {line.blob.split("/")[0] for line in lines(BAD)}.pop()
    found = set()
    for line in lines(BAD):
        ours = line.table == "deviceinfo" and line.blob.startswith(tenant) and line.day == "2026-01-01"
        if ours and line.text and usable(line.table, tenant.removeprefix("tenantId="), line.text) is None:
            try:
                found.add(json.loads(line.text)["properties"]["Title"])
            except json.JSONDecodeError:
                found.add("truncated")
    whole_lines = ("foreign_table", "no_key", "foreign_tenant", "no_timestamp")
    assert found == {"truncated", *(f"Malformed on purpose: {kind}" for kind in whole_lines)}


def test_bytes_after_the_last_line_end_are_pending() -> None:
    broken = next(append for append in appends(SCENARIO) if append.data and not append.data.endswith(b"\n"))
    truth = ground_truth(replace(SCENARIO, until=broken.at))

    pending = len(broken.data) - broken.data.rfind(b"\n") - 1
    assert [row["pending"] for row in truth["totals"] if row["pending"]] == [pending]


def test_watch_yields_the_same_appends() -> None:
    observed = GroundTruth(SCENARIO)
    assert tuple(observed.watch(appends(SCENARIO))) == appends(SCENARIO)
    assert observed.as_dict() == ground_truth(SCENARIO)


def test_the_truth_is_json() -> None:
    truth = ground_truth(SCENARIO)
    assert json.loads(json.dumps(truth)) == truth
