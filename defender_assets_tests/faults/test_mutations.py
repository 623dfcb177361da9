"""Each fault ends with the truth, and without the guard against it the fault is noticed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake.exceptions import CommitFailedError

from defender_assets.core import retries
from defender_assets.core.azure import container
from defender_assets.core.errors import DefenderAssetsError
from defender_assets.core.export import DirectoryExport, blobs, listing
from defender_assets.core.export.azure import AzureExport
from defender_assets.core.lake import compaction
from defender_assets.core.lake.arrow import RowStream
from defender_assets.core.lake.fences import Versions
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.table_spec import TableSpec
from defender_assets.core.pipeline import derived_table, staleness
from defender_assets.core.raw import ingest, tails
from defender_assets.core.raw.given_up import GivenUp
from defender_assets.core.raw.hours import Hour
from defender_assets.core.raw.range_reader import RangeReader
from defender_assets.core.raw.unanswered import Unanswered
from defender_assets.core.tables import agreement, build, deduplication
from defender_assets.core.tables.prefetch import ParsePrefetcher
from defender_assets_tests.faults import committing, reading, restoring
from defender_assets_tests.faults.mutations import Mutation, mutated
from defender_assets_tests.faults.scenario_setup import ScenarioSetup
from defender_assets_tests.faults.small_runs import small_sizes
from defender_assets_tests.support.export_accounts import Directory

Scenario = Callable[[ScenarioSetup], None]


LAST_NEWLINE = Mutation("the cut at the last newline", RangeReader, "_cut", 'content.rfind(b"\\n") + 1', "len(content)")
TAIL_START = Mutation(
    "the start of a tail",
    RangeReader,
    "_cut",
    "self.export.read(self.container, part.blob, line_start, start) + content",
    "content",
)
TAIL_SIZE = Mutation(
    "the size of a tail",
    staleness,
    "find_stale_days",
    "state.version(table.raw, tail_name(table, blob, created_at, cursor), day) != blob.size",
    "not state.version(table.raw, tail_name(table, blob, created_at, cursor), day)",
)
TAIL_CURSOR = Mutation("the cursor of a tail", tails, "tail_name", "blob.created_at, cursor))", "blob.created_at))")
NEW_GENERATION = Mutation(
    "a shorter file is a new generation", blobs, "generation", "blob.size >= known[latest]", "True"
)
LENGTH = Mutation("the length of an answer", DirectoryExport, "read", "len(content) != end - start", "False")
MISSING_FILE = Mutation(
    "a missing file has changed", DirectoryExport, "read", "except FileNotFoundError", "except KeyError"
)
OTHER_BLOBS = Mutation("other blobs go on", RangeReader, "chunks", "self.failures[part.blob.path] = error", "raise")
ACCOUNT_ANSWERS = Mutation(
    "an account that answers", Unanswered, "failed", "self.export.tenants(self.container)", "raise error"
)
ACCOUNT_IS_SILENT = Mutation("an account that is silent", Unanswered, "failed", "return silent", "return None")
OTHER_TENANTS = Mutation(
    "other tenants go on", listing, "list_tenant", "except ExportError", "except ZeroDivisionError"
)
TORN_LINE = Mutation(
    "a torn line stops the commit", RangeReader, "_long_line", "raise TornLineError(", "raise BlobChangedError("
)
ONE_COMMIT = Mutation("a long line is one commit", RangeReader, "up_to", " and not chunk.line_part")
LISTING_LIMIT = Mutation(
    "a limit to listing again", GivenUp, "wants_another_pass", "self._changed[path] > CHANGED_ROUNDS", "False"
)
COMPLETE_REFRESH = Mutation("a refresh has all bytes", ingest, "_whole", "reader.changed or reached < cursor", "False")
COMPLETE_AND_NO_FAILURE = Mutation(
    "a refresh without failures",
    ingest,
    "_whole",
    "raise error\n    if reader.changed or reached < cursor",
    "pass\n    if False",
)
BROKEN_STREAM = Mutation("a broken stream is no commit", RowStream, "checked", "        raise\n", "        return\n")
ONE_GENERATION = Mutation("a refresh of one generation", Hour, "kept", ' | (pl.col("blob_created_at") != created)')
KNOWN_LINES = Mutation("known bad lines", build, "_distinct", '.join(known_lines.collect(), on=_LINE, how="anti")')
KNOWN_RECORDS = Mutation(
    "known records", deduplication, "distinct_order", '.join(known, on="number", how="anti", maintain_order="left")'
)
COPIES = Mutation(
    "copies in one portion",
    deduplication,
    "distinct_order",
    '.filter((pl.col("number") != pl.col("number").shift()).fill_null(value=True))',
)
FENCE = Mutation("the fence", Lake, "commit", "[Transaction(target.fence, commit.version), *recorded]", "recorded")
RAW_HANDLE = Mutation(
    "the fenced handle of raw", ingest, "_one_commit", "lake.commit(target,", "lake.commit(lake.fenced(table.raw, day),"
)
TYPED_HANDLE = Mutation(
    "the fenced handle of a table",
    build,
    "_one_portion",
    "lake.commit(target,",
    "lake.commit(lake.fenced(table.name, day),",
)
SAME_READING = Mutation(
    "the same reading parameters", ParsePrefetcher, "take", "begun[0] != _reading(batches)", "False"
)
LEADS_HANDLE = Mutation(
    "the fenced handle of leads",
    derived_table,
    "build_partition",
    "lake.commit(target,",
    "lake.commit(lake.fenced(derived.name, day),",
)
COMPACTION_HANDLE = Mutation(
    "the fenced handle of a compaction",
    compaction,
    "_rewrite",
    "lake.commit(target,",
    "lake.commit(lake.fenced(part.table, part.day, fence_of(part.fence, part.day)),",
)
RETRIES = Mutation("retries", retries, "retry_on_conflict", "except CommitFailedError", "except ZeroDivisionError")
BOTH_VERSIONS = Mutation(
    "both versions",
    build,
    "_look",
    "min(quarantine.version, target.version)",
    "max(quarantine.version, target.version)",
)
LOOK_BACK = Mutation("the look-back", TableSpec, "upstream_days", "range(upstream.days + 1)", "range(1)")
STALE_LEADS = Mutation("stale leads", staleness, "_stale", "staleness_of(derived, day, ", "(lambda *_: None)(")
STALE_TABLES = Mutation("stale tables", staleness, "_stale", "version < raw", "False")
ABOVE_UPSTREAM = Mutation("a version above its upstream", agreement, "disagreement", "version > raw_version", "False")
LOST_ROWS = Mutation("rows that are gone", Versions, "lost_rows", "rows in {None, held}", "True")
PARSED_BYTES = Mutation("which bytes were parsed", agreement, "parsed_inputs", "version, digest", "version")
KEPT_ROWS = Mutation("rows without bytes", build, "_rebuild", "yield from kept_rows.frames(table.schema)", "pass")
COMMITS = Mutation(
    "which commit wrote an upstream",
    derived_table,
    "upstream_state",
    "of_table.commit(name, upstream_day)",
    "0",
)
BUILT_VERSIONS = Mutation(
    "the version of the rows", derived_table, "staleness_of", "held.built_version not in {None, version}", "False"
)

MUTATIONS: list[tuple[Scenario, Mutation]] = [
    (reading.lines_are_torn_at_every_byte, LAST_NEWLINE),
    (reading.raw_is_taken_back_to_before_a_tail, TAIL_CURSOR),
    (reading.a_blob_is_replaced_by_a_shorter_one, NEW_GENERATION),
    (reading.a_blob_gets_shorter_between_listing_and_reading, LENGTH),
    (reading.a_blob_ends_before_its_listed_size, LENGTH),
    (reading.a_blob_vanishes_between_listing_and_reading, MISSING_FILE),
    (reading.three_blobs_cannot_be_read, OTHER_BLOBS),
    (reading.three_blobs_do_not_answer, ACCOUNT_ANSWERS),
    (reading.a_tenant_cannot_be_listed, OTHER_TENANTS),
    (reading.the_account_stops_answering, ACCOUNT_IS_SILENT),
    (reading.the_middle_of_a_long_line_cannot_be_read, TORN_LINE),
    (reading.a_long_line_is_wider_than_a_commit, ONE_COMMIT),
    (reading.a_blob_changes_each_time_it_is_read, LISTING_LIMIT),
    (reading.a_blob_vanishes_during_a_full_refresh, COMPLETE_REFRESH),
    (reading.the_account_fails_during_a_full_refresh, COMPLETE_AND_NO_FAILURE),
    (reading.a_blob_vanishes_during_a_full_refresh, BROKEN_STREAM),
    (reading.an_older_generation_outlives_a_full_refresh, ONE_GENERATION),
    (reading.lines_come_again_in_a_full_refresh, KNOWN_LINES),
    (reading.lines_come_again_in_a_full_refresh, KNOWN_RECORDS),
    (committing.a_record_is_delivered_again_in_a_later_batch, KNOWN_RECORDS),
    (committing.a_record_is_delivered_again_in_one_batch, COPIES),
    (committing.another_run_takes_the_same_bytes_first, RAW_HANDLE),
    (committing.another_run_takes_the_same_bytes_first, FENCE),
    (committing.another_run_commits_the_same_rows_first, TYPED_HANDLE),
    (committing.another_run_commits_the_same_rows_first, FENCE),
    (committing.a_newer_run_overtakes_leads, LEADS_HANDLE),
    (committing.a_commit_conflicts_without_a_reason, RETRIES),
    (committing.a_commit_succeeds_and_is_reported_as_a_conflict, RETRIES),
    (committing.a_portion_begins_again_while_the_next_one_is_parsed, SAME_READING),
    (committing.a_run_dies_between_quarantine_and_rows, BOTH_VERSIONS),
    (committing.a_run_dies_while_rows_are_written, BROKEN_STREAM),
    (committing.a_run_commits_during_a_compaction, COMPACTION_HANDLE),
    (committing.a_run_commits_during_a_compaction, FENCE),
    (committing.a_day_of_the_look_back_grows, LOOK_BACK),
    (committing.a_run_dies_after_each_commit, STALE_LEADS),
    (committing.a_run_dies_after_each_commit, STALE_TABLES),
    (restoring.a_table_is_set_back, LOST_ROWS),
    (restoring.raw_is_removed_after_its_blob_has_gone, ABOVE_UPSTREAM),
    (restoring.raw_is_removed_after_its_blob_has_gone, KEPT_ROWS),
    (restoring.a_table_is_restored_from_a_history_that_was_left, PARSED_BYTES),
    (restoring.all_tables_but_leads_are_restored_and_grow, COMMITS),
    (restoring.leads_are_set_back_to_as_many_rows, BUILT_VERSIONS),
]
CREATION_LISTED = Mutation(
    "the creation time in the listing",
    blobs,
    "generation",
    "[created for created in known if created.replace(microsecond=0) == second]",
    "list(known)",
)
CREATION_ANSWERED = Mutation(
    "the creation time in the response",
    AzureExport,
    "read",
    "_creation(answer.properties.creation_time) != blob.created_at or ",
)
RANGE_REFUSED = Mutation("a refused range has changed", AzureExport, "read", "error.status_code in {412, 416}", "False")
BLOB_GONE = Mutation(
    "a missing blob has changed", AzureExport, "read", "except ResourceNotFoundError", "except KeyError"
)
LENGTH_IN_AZURE = Mutation("the length of an answer", AzureExport, "read", " or len(content) != end - start")
CONTAINER_MADE = Mutation(
    "a container created meanwhile", container, "create_container", "suppress(ResourceExistsError)", "suppress()"
)
CONTAINER_NOT_FOUND = Mutation(
    "a container that was not found", Lake, "_lacks_container", '"ContainerNotFound" in str(error)', "False"
)
AZURE_MUTATIONS: list[tuple[Scenario, Mutation]] = [
    (reading.a_tail_is_looked_through_and_grows, TAIL_START),
    (reading.a_tail_is_looked_through_and_grows, TAIL_SIZE),
    (reading.a_blob_is_replaced_by_a_longer_one, CREATION_LISTED),
    (reading.a_blob_is_replaced_by_a_longer_one_between_listing_and_reading, CREATION_ANSWERED),
    (reading.a_blob_gets_shorter_between_listing_and_reading, RANGE_REFUSED),
    (reading.a_blob_ends_before_its_listed_size, LENGTH_IN_AZURE),
    (reading.a_blob_vanishes_between_listing_and_reading, BLOB_GONE),
    (reading.another_first_run_creates_the_container, CONTAINER_MADE),
    (reading.another_first_run_creates_the_container_that_was_not_found, CONTAINER_NOT_FOUND),
]
# without a guard, the check of the truth fails, or a second guard of the product reports the fault
NOTICED = (AssertionError, DefenderAssetsError, CommitFailedError, ValueError)


def without(cases: list[tuple[Scenario, Mutation]]) -> list[object]:
    return [pytest.param(*each, id=f"{each[0].__name__} without {each[1].name}") for each in cases]


# no single guard handles these: the product assumes neither a size nor anything about an empty blob
WITHOUT_MUTATION: list[Scenario] = [reading.a_blob_grows_while_it_is_read, reading.an_empty_blob_is_next_to_a_full_one]
SCENARIOS = list(dict.fromkeys([scenario for scenario, _ in MUTATIONS] + WITHOUT_MUTATION))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_a_fault_ends_with_the_truth(scenario: Scenario, setup: ScenarioSetup) -> None:
    scenario(setup)


@pytest.mark.parametrize(
    "mutation",
    dict.fromkeys(mutation for _, mutation in MUTATIONS + AZURE_MUTATIONS),
    ids=lambda mutation: f"{mutation.name} in {mutation.owner.__name__}",
)
def test_a_guard_is_where_its_mutation_looks_for_it(mutation: Mutation) -> None:
    with mutated(mutation):
        pass


@pytest.mark.exhaustive
@pytest.mark.parametrize(("scenario", "mutation"), without(MUTATIONS))
def test_a_fault_without_its_guard_is_noticed(scenario: Scenario, mutation: Mutation, tmp_path: Path) -> None:
    with mutated(mutation), small_sizes(), pytest.raises(NOTICED):
        scenario(ScenarioSetup(tmp_path, Directory(tmp_path / "export")))


@pytest.mark.azure
@pytest.mark.parametrize(
    "scenario", dict.fromkeys(scenario for scenario, _ in AZURE_MUTATIONS), ids=lambda scenario: scenario.__name__
)
def test_a_fault_in_azure_ends_with_the_truth(scenario: Scenario, azure_setup: ScenarioSetup) -> None:
    scenario(azure_setup)


@pytest.mark.azure
@pytest.mark.exhaustive
@pytest.mark.parametrize(("scenario", "mutation"), without(AZURE_MUTATIONS))
def test_a_fault_in_azure_without_its_guard_is_noticed(
    scenario: Scenario, mutation: Mutation, azure_setup: ScenarioSetup
) -> None:
    with mutated(mutation), small_sizes(), pytest.raises(NOTICED):
        scenario(azure_setup)
