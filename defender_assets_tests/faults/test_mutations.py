"""Each fault ends with the truth; and without the guard that meets it, it would be noticed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake.exceptions import CommitFailedError

from defender_assets.core import retries
from defender_assets.core.azure import container
from defender_assets.core.errors import DefenderAssetsError
from defender_assets.core.export import AzureExport, DirectoryExport, blobs
from defender_assets.core.lake import compaction
from defender_assets.core.lake.arrow import RowStream
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.table_spec import TableSpec
from defender_assets.core.pipeline import derived_table, staleness
from defender_assets.core.raw import ingest
from defender_assets.core.raw.range_reader import RangeReader
from defender_assets.core.tables import build
from defender_assets.core.tables.prefetch import ParsePrefetcher
from defender_assets_tests.faults import committing, reading
from defender_assets_tests.faults.mutations import Guard, removed
from defender_assets_tests.faults.scenario_setup import Ground
from defender_assets_tests.faults.small_runs import small_sizes
from defender_assets_tests.support.export_accounts import Directory

Scenario = Callable[[Ground], None]


LAST_NEWLINE = Guard("the cut at the last newline", RangeReader, "_cut", 'lines.rfind(b"\\n") + 1', "len(lines)")
SHORTER = Guard("a shorter file is a new generation", blobs, "generation", "blob.size >= known[latest]", "True")
LENGTH = Guard("the length of an answer", DirectoryExport, "read", "len(content) != end - start", "False")
GONE = Guard(
    "a missing file has changed", DirectoryExport, "read", "BlobChangedError(blob.path) from None", "ExportError"
)
OTHERS = Guard("other blobs go on", RangeReader, "chunks", "self.failures.append(error)", "raise")
TORN = Guard(
    "a torn line stops the commit", RangeReader, "_long_line", "raise TornLineError(", "raise BlobChangedError("
)
ONE_COMMIT = Guard("a long line is one commit", RangeReader, "up_to", " and not chunk.line_part")
NOT_FOR_EVER = Guard("an end of listing again", ingest, "ingest", "changed_rounds > CHANGED_ROUNDS", "False")
AS_MUCH = Guard("a refresh brings as much", ingest, "_whole", "reader.changed or reached < cursor", "False")
AS_MUCH_AND_NO_FAILURE = Guard(
    "a refresh that is whole",
    ingest,
    "_whole",
    "raise reader.failures[0]\n    if reader.changed or reached < cursor",
    "pass\n    if False",
)
BROKEN_STREAM = Guard("a broken stream is no commit", RowStream, "_checked", "        raise\n", "        return\n")
ITS_GENERATION = Guard(
    "a refresh of one generation", ingest, "_replace_blob", "AND blob_created_at = '{created_at.isoformat()}'"
)
KNOWN_LINES = Guard("bad lines that are known", build, "_distinct", '.join(known_lines, on=_LINE, how="anti")')
KNOWN_RECORDS = Guard("records that are known", build, "_distinct", '.join(known, on="record_id", how="anti")')
COPIES = Guard("copies in one share", build, "_distinct", '.unique("record_id", keep="first")')
FENCE = Guard("the fence", Lake, "commit", "app_transactions=[Transaction(target.fence, commit.version)]")
RAW_HANDLE = Guard(
    "the handle of raw", ingest, "_one_commit", "lake.commit(target,", "lake.commit(lake.fenced(table.raw, day),"
)
TYPED_HANDLE = Guard(
    "the handle of a table", build, "_one_share", "lake.commit(target,", "lake.commit(lake.fenced(table.name, day),"
)
SAME_READING = Guard("exactly the same reading", ParsePrefetcher, "take", "begun[0] != _reading(batches)", "False")
LEADS_HANDLE = Guard(
    "the handle of leads",
    derived_table,
    "build_partition",
    "lake.commit(target,",
    "lake.commit(lake.fenced(derived.name, day),",
)
COMPACTION_HANDLE = Guard(
    "the handle of a compaction",
    compaction,
    "_rewrite",
    "lake.commit(target,",
    "lake.commit(lake.fenced(part.table, part.day, fence_of(part.fence, part.day)),",
)
ROUNDS = Guard("rounds", retries, "retry_on_conflict", "except CommitFailedError", "except ZeroDivisionError")
BOTH_VERSIONS = Guard(
    "both versions",
    build,
    "_one_share",
    "min(quarantine.version, target.version)",
    "max(quarantine.version, target.version)",
)
LOOK_BACK = Guard("the look-back", TableSpec, "upstream_version", "range(upstream.days + 1)", "range(1)")
STALE_LEADS = Guard("stale leads", staleness, "_stale", "version < upstream", "False")
STALE_TABLES = Guard("stale tables", staleness, "_stale", "version < raw", "False")

MET_BY: list[tuple[Scenario, Guard]] = [
    (reading.lines_are_torn_at_every_byte, LAST_NEWLINE),
    (reading.a_blob_is_written_anew_and_shorter, SHORTER),
    (reading.a_blob_gets_shorter_between_listing_and_reading, LENGTH),
    (reading.a_blob_ends_before_its_listed_size, LENGTH),
    (reading.a_blob_vanishes_between_listing_and_reading, GONE),
    (reading.one_blob_cannot_be_read, OTHERS),
    (reading.the_middle_of_a_long_line_cannot_be_read, TORN),
    (reading.a_long_line_is_wider_than_a_commit, ONE_COMMIT),
    (reading.a_blob_changes_each_time_it_is_read, NOT_FOR_EVER),
    (reading.a_blob_vanishes_during_a_full_refresh, AS_MUCH),
    (reading.the_account_fails_during_a_full_refresh, AS_MUCH_AND_NO_FAILURE),
    (reading.a_blob_vanishes_during_a_full_refresh, BROKEN_STREAM),
    (reading.an_older_generation_outlives_a_full_refresh, ITS_GENERATION),
    (reading.lines_come_again_in_a_full_refresh, KNOWN_LINES),
    (reading.lines_come_again_in_a_full_refresh, KNOWN_RECORDS),
    (committing.a_record_is_delivered_again_in_a_later_batch, KNOWN_RECORDS),
    (committing.a_record_is_delivered_again_in_one_batch, COPIES),
    (committing.another_run_takes_the_same_bytes_first, RAW_HANDLE),
    (committing.another_run_takes_the_same_bytes_first, FENCE),
    (committing.another_run_commits_the_same_rows_first, TYPED_HANDLE),
    (committing.another_run_commits_the_same_rows_first, FENCE),
    (committing.a_newer_run_overtakes_leads, LEADS_HANDLE),
    (committing.a_commit_conflicts_for_no_reason, ROUNDS),
    (committing.a_commit_lands_and_is_called_a_conflict, ROUNDS),
    (committing.a_share_begins_again_while_the_next_one_is_parsed, SAME_READING),
    (committing.a_run_dies_between_quarantine_and_rows, BOTH_VERSIONS),
    (committing.a_run_dies_while_rows_are_written, BROKEN_STREAM),
    (committing.a_compaction_meets_a_run, COMPACTION_HANDLE),
    (committing.a_compaction_meets_a_run, FENCE),
    (committing.a_day_of_the_look_back_grows, LOOK_BACK),
    (committing.a_run_dies_behind_each_commit, STALE_LEADS),
    (committing.a_run_dies_behind_each_commit, STALE_TABLES),
]
CREATION_LISTED = Guard(
    "the creation time listed",
    blobs,
    "generation",
    "[created for created in known if created.replace(microsecond=0) == second]",
    "list(known)",
)
CREATION_ANSWERED = Guard(
    "the creation time answered",
    AzureExport,
    "read",
    "_creation(answer.properties.creation_time) != blob.created_at or ",
)
RANGE_REFUSED = Guard("a refused range has changed", AzureExport, "read", "error.status_code in {412, 416}", "False")
BLOB_GONE = Guard("a missing blob has changed", AzureExport, "read", "except ResourceNotFoundError", "except KeyError")
LENGTH_IN_AZURE = Guard("the length of an answer", AzureExport, "read", " or len(content) != end - start")
CONTAINER_MADE = Guard(
    "a container made meanwhile", container, "create_container", "suppress(ResourceExistsError)", "suppress()"
)
CONTAINER_NOT_FOUND = Guard(
    "a container that was not found", Lake, "_lacks_container", '"ContainerNotFound" in str(error)', "False"
)
IN_AZURE: list[tuple[Scenario, Guard]] = [
    (reading.a_blob_is_written_anew_and_longer, CREATION_LISTED),
    (reading.a_blob_is_written_anew_and_longer_between_listing_and_reading, CREATION_ANSWERED),
    (reading.a_blob_gets_shorter_between_listing_and_reading, RANGE_REFUSED),
    (reading.a_blob_ends_before_its_listed_size, LENGTH_IN_AZURE),
    (reading.a_blob_vanishes_between_listing_and_reading, BLOB_GONE),
    (reading.another_first_run_makes_the_container, CONTAINER_MADE),
    (reading.another_first_run_makes_the_container_that_was_not_found, CONTAINER_NOT_FOUND),
]
# without a guard the truth fails; or the product says so itself, where a second guard stands behind the first
NOTICED = (AssertionError, DefenderAssetsError, CommitFailedError, ValueError)


def named(cases: list[tuple[Scenario, Guard]]) -> list[object]:
    return [pytest.param(*each, id=f"{each[0].__name__} without {each[1].name}") for each in cases]


# met by what these do not do: assume a size, or anything of a blob without bytes
ALONE: list[Scenario] = [reading.a_blob_grows_while_it_is_read, reading.an_empty_blob_lies_beside_a_full_one]
SCENARIOS = list(dict.fromkeys([scenario for scenario, _ in MET_BY] + ALONE))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_a_fault_ends_with_the_truth(scenario: Scenario, ground: Ground) -> None:
    scenario(ground)


@pytest.mark.parametrize(("scenario", "guard"), named(MET_BY))
def test_without_its_guard_a_fault_would_be_noticed(scenario: Scenario, guard: Guard, tmp_path: Path) -> None:
    with removed(guard), small_sizes(), pytest.raises(NOTICED):
        scenario(Ground(tmp_path, Directory(tmp_path / "export")))


@pytest.mark.azure
@pytest.mark.parametrize("scenario", [scenario for scenario, _ in IN_AZURE], ids=lambda scenario: scenario.__name__)
def test_a_fault_in_azure_ends_with_the_truth(scenario: Scenario, cloud: Ground) -> None:
    scenario(cloud)


@pytest.mark.azure
@pytest.mark.parametrize(("scenario", "guard"), named(IN_AZURE))
def test_without_its_guard_a_fault_in_azure_would_be_noticed(scenario: Scenario, guard: Guard, cloud: Ground) -> None:
    with removed(guard), small_sizes(), pytest.raises(NOTICED):
        scenario(cloud)
