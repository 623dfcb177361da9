"""Statements are appended once each, in one order for everybody, and nothing but `triage` writes them."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from defender_assets.catalog import LAKE_TABLES, LEADS
from defender_assets.core.azure.account import from_connection_string
from defender_assets.core.errors import LakeError, TriageError
from defender_assets.core.lake.compaction import compact
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.lake.maintenance import apply_retention, maintain
from defender_assets.core.triage.schema import VERDICT_SCHEMA, VERDICTS_TABLE
from defender_assets.core.triage.statements import Statement, may_state, state_statements
from defender_assets.core.triage.states import current_states
from defender_assets_tests.faults.lakes import FaultyLake, OvertakenLake, conflicted
from defender_assets_tests.support.days import day_before
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.exports import TENANT, compacted_above, local_lake
from defender_assets_tests.support.triaged_leads import NOW, close, lead, put_leads, state, stated_leads
from defender_assets_tests.support.unprivileged import unprivileged_folder

A, B = lead("a"), lead("b")


def rows(lake: Lake) -> list[dict[str, Any]]:
    return lake.read(VERDICTS_TABLE).collect().sort("sequence", "lead_id").to_dicts()


def test_the_table_has_no_partitions_and_the_documented_columns(lake: Lake) -> None:
    close(lake, A, comment="seen before")
    table = DeltaTable(lake.table_uri(VERDICTS_TABLE))
    assert table.metadata().partition_columns == []
    (row,) = rows(lake)
    assert {name: row[name] for name in ("lead_id", "alert_id", "state", "verdict", "comment", "author")} == {
        "lead_id": "a",
        "alert_id": "da-a",
        "state": "closed",
        "verdict": "false_positive",
        "comment": "seen before",
        "author": "ana",
    }
    assert (row["sequence"], row["lead_version"], row["title"], row["priority"]) == (1, "v1", "Title of a", 40)
    assert list(row) == list(VERDICT_SCHEMA)


def test_what_is_not_said_stays_as_it_is(lake: Lake) -> None:
    state(lake, A, assignee="bo")
    state(lake, A, state="in_progress")
    close(lake, A)
    state(lake, A, comment="late news")
    state(lake, A, state="new", assignee="")
    assert [(row["state"], row["verdict"], row["assignee"], row["comment"]) for row in rows(lake)] == [
        ("new", None, "bo", None),
        ("in_progress", None, "bo", None),
        ("closed", "false_positive", "bo", None),
        ("closed", "false_positive", "bo", "late news"),
        ("new", None, None, None),
    ]


def test_a_comment_on_a_lead_that_is_open_again_does_not_close_it(lake: Lake) -> None:
    close(lake, A)
    state(lake, lead("a", "v2"), comment="what is this?")
    assert [(row["state"], row["verdict"]) for row in rows(lake)][1] == ("new", None)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"state": "closed"}, "closing a lead needs a verdict: one of true_positive"),
        ({"verdict": "true_positive"}, "a verdict belongs to a closed lead"),
        ({"state": "new", "verdict": "true_positive"}, "a verdict belongs to a closed lead"),
        ({"state": "done"}, "the state is 'done': expected one of new, in_progress, closed"),
        ({"state": "closed", "verdict": "tp"}, "the verdict is 'tp': expected one of true_positive"),
        ({}, "nothing is stated"),
        ({"comment": "x" * 10_001}, "the comment has 10,001 characters"),
        ({"comment": "\udcff"}, "the comment is not UTF-8"),
        ({"assignee": "\udcff"}, "the assignee is not UTF-8"),
    ],
)
def test_a_statement_that_says_nothing_clear_is_refused_in_one_line(said: dict[str, str], message: str) -> None:
    with pytest.raises(TriageError, match=message) as caught:
        Statement(TENANT, "a", **said)
    assert "\n" not in str(caught.value)


def test_one_commit_has_one_statement_of_a_lead_and_an_author(lake: Lake) -> None:
    said = Statement(TENANT, "a", comment="x")
    with pytest.raises(TriageError, match="two statements of the lead a"):
        state_statements(lake, [said, said], stated_leads(A), "ana")
    with pytest.raises(TriageError, match="the author is empty"):
        state_statements(lake, [said], stated_leads(A), " ")
    assert not lake.exists(VERDICTS_TABLE)


def test_the_statements_of_a_command_share_a_commit_and_a_sequence(lake: Lake) -> None:
    state(lake, A, comment="first")
    said = [Statement(TENANT, name, "in_progress") for name in "ab"]
    state_statements(lake, said, stated_leads(A, B), "ana", NOW)
    assert [(row["lead_id"], row["sequence"]) for row in rows(lake)] == [("a", 1), ("a", 2), ("b", 2)]
    assert lake.open(VERDICTS_TABLE).version() == 2


def test_of_two_people_at_once_the_newest_counts_and_both_are_kept(lake: Lake) -> None:
    state(lake, A, assignee="bo")
    overtaken = OvertakenLake.of(lake, lambda: state(lake, A, "cy", assignee="cy", comment="mine"))
    state(overtaken, A, "ana", state="in_progress")
    # the second one starts again from what the first one said
    assert [(row["author"], row["assignee"], row["state"], row["sequence"]) for row in rows(lake)] == [
        ("ana", "bo", "new", 1),
        ("cy", "cy", "new", 2),
        ("ana", "cy", "in_progress", 3),
    ]


def test_many_writers_at_once_lose_nothing_and_repeat_nothing(lake: Lake) -> None:
    lake.open(VERDICTS_TABLE)
    with ThreadPoolExecutor(4) as pool:
        sequences = list(pool.map(lambda number: state(lake, A, comment=str(number)), range(8)))
    assert sorted(sequences) == list(range(1, 9))
    assert sorted(row["comment"] for row in rows(lake)) == [str(number) for number in range(8)]


def test_a_commit_whose_success_was_not_reported_is_not_repeated(lake: Lake) -> None:
    state(lake, A, comment="before")
    assert state(FaultyLake.over(lake, 1, "after", conflicted), A, comment="once") == 2
    assert [row["comment"] for row in rows(lake)] == ["before", "once"]


def test_the_same_words_at_the_same_time_are_two_statements(lake: Lake) -> None:
    for _ in range(2):
        state_statements(lake, [Statement(TENANT, "a", comment="x")], stated_leads(A), "ana", NOW)
    assert [row["sequence"] for row in rows(lake)] == [1, 2]


def test_rows_that_were_put_back_without_the_fence_are_not_overtaken_by_older_numbers(lake: Lake) -> None:
    close(lake, A)
    frame = lake.read(VERDICTS_TABLE).with_columns(sequence=pl.lit(40, pl.Int64())).collect()
    target = lake.fenced(VERDICTS_TABLE, None)
    lake.commit(target, Commit([frame], target.version, replaces=""))
    assert state(lake, A, state="new") == 41


def test_compaction_keeps_every_statement_and_the_order(lake: Lake) -> None:
    lake = compacted_above(lake, 3)
    for number in range(5):
        state(lake, A, comment=str(number))
    before = rows(lake)
    (done,) = compact(lake, VERDICTS_TABLE)
    assert (done.day, done.files_before, done.files_after, done.rows) == (None, 5, 1, 5)
    assert rows(lake) == before
    # a statement in between: the compaction conflicts and starts again
    for number in range(4):
        state(lake, A, comment=f"more {number}")
    overtaken = OvertakenLake.of(lake, lambda: close(lake, A))
    assert compact(overtaken, VERDICTS_TABLE)[0].rows == 10
    assert [row["sequence"] for row in rows(lake)] == list(range(1, 11))
    assert maintain(lake, VERDICTS_TABLE).describe().startswith(f"{VERDICTS_TABLE}: compacted nothing")


def test_retention_never_opens_it(lake: Lake) -> None:
    put_leads(lake, A, day=day_before(40))
    close(lake, A)
    log = sorted(Path(lake.table_uri(VERDICTS_TABLE), "_delta_log").iterdir())
    for file in log:
        file.rename(file.with_suffix(".hidden"))
    assert apply_retention(replace(lake, keep_days=31))[LEADS.name] == 1
    for file in log:
        file.with_suffix(".hidden").rename(file)
    states = current_states(lake.read(VERDICTS_TABLE), lake.read(LEADS.name)).collect()
    assert states.select("lead_id", "state", "reopened").rows() == [("a", "closed", False)]


def test_who_may_not_write_gets_one_line_and_writes_nothing() -> None:
    with unprivileged_folder() as folder:
        lake = local_lake(folder / "lake")
        close(lake, A)
        tables: Iterable[Path] = [path for path in folder.rglob("*") if path.is_dir()]
        for path in tables:
            path.chmod(0o500)
        with pytest.raises(LakeError, match="write permission") as caught:
            state(lake, A, state="new")
        assert "\n" not in str(caught.value)
        assert len(rows(lake)) == 1


@pytest.mark.azure
def test_two_people_and_a_rebuild_at_once_in_an_account(account: Emulator) -> None:
    lake = Lake("az://lake/tables", LAKE_TABLES, from_connection_string("TEST", account.connection_string))
    put_leads(lake, A)

    def say(author: str) -> list[int]:
        return [state(lake, A, author, state="in_progress", comment=str(number)) for number in range(3)]

    def rebuild(_: object) -> list[int]:
        for _ in range(3):
            put_leads(lake, A)
        return []

    with ThreadPoolExecutor(3) as pool:
        said = list(pool.map(lambda job: job[0](job[1]), [(say, "ana"), (rebuild, ""), (say, "bo")]))
    assert sorted([*said[0], *said[2]]) == list(range(1, 7))
    for author, sequences in (("ana", said[0]), ("bo", said[2])):
        own = [row for row in rows(lake) if row["author"] == author]
        assert [(row["comment"], row["sequence"]) for row in own] == list(zip("012", sequences, strict=True))
    (current,) = current_states(lake.read(VERDICTS_TABLE), lake.read(LEADS.name)).collect().to_dicts()
    assert current["sequence"] == 6
    reader = replace(lake, account=from_connection_string("TEST", account.sas_connection_string("rl")))
    with pytest.raises(LakeError, match="the SAS lacks") as caught:
        state(reader, A, state="new")
    assert "\n" not in str(caught.value)


@pytest.mark.azure
def test_an_account_says_who_may_write_statements_and_nothing_is_written(account: Emulator) -> None:
    lake = Lake("az://lake/tables", LAKE_TABLES, from_connection_string("TEST", account.connection_string))
    assert may_state(lake) is None
    put_leads(lake, A)
    state(lake, A, comment="x")
    before = lake.files(VERDICTS_TABLE).sizes()
    found = [
        may_state(replace(lake, account=from_connection_string("TEST", account.sas_connection_string(permissions))))
        for permissions in ("rl", "rwl")
    ]
    assert found == [False, True]
    assert lake.files(VERDICTS_TABLE).sizes() == before


def test_a_directory_says_who_may_write_statements() -> None:
    with unprivileged_folder() as folder:
        lake = local_lake(folder / "lake")
        put_leads(lake, A)
        state(lake, A, comment="x")
        assert may_state(lake)
        log = Path(lake.table_uri(VERDICTS_TABLE)) / "_delta_log"
        log.chmod(0o500)
        assert may_state(lake) is False
