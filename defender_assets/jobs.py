"""The jobs that run a day's assets, the job that checks recent days, and the form of jobs that run one op."""

from collections.abc import Mapping

import dagster as dg

PARTITION_TAG = "dagster/partition"
FULL_REFRESH_TAG = "full_refresh"
MAINTENANCE_JOB = "maintain_lake"
AUDIT_JOB = "audit_lake"

# the assets evaluate the checks of their days; the step that evaluates recent days is not part of one day's run
_DAY = dg.AssetSelection.all().without_checks()

INGEST_DAY = dg.define_asset_job(
    "ingest_day",
    selection=_DAY,
    executor_def=dg.in_process_executor,
    description=(
        "Brings all assets of a day up to date: raw bytes, typed tables, quarantine, leads, stories, the queue, OCSF "
        "events and the brief."
    ),
)

REFRESH_DAY = dg.define_asset_job(
    "refresh_day",
    selection=_DAY,
    executor_def=dg.in_process_executor,
    tags={FULL_REFRESH_TAG: "true"},
    description=(
        "Reads a day again from the account and rebuilds everything. Raw keeps the bytes of blobs that are no longer "
        "in the account. Run it if raw and the account disagree."
    ),
)

REBUILD_DAY = dg.define_asset_job(
    "rebuild_day",
    selection=dg.AssetSelection.groups("tables", "leads").without_checks(),
    executor_def=dg.in_process_executor,
    tags={FULL_REFRESH_TAG: "true"},
    description=(
        "Rebuilds a day's tables, and everything derived from them, from raw alone. It does not read the account. Run "
        "it after a fix of the parser, or when the account has already deleted the blobs."
    ),
)

CHECK_DAYS = dg.define_asset_job(
    "check_days",
    selection=dg.AssetSelection.all_asset_checks(),
    executor_def=dg.in_process_executor,
    description=(
        "Evaluates the checks of recent days from the lake and the export, and whether the export is silent. No run of "
        "the days is needed. The schedule runs it every hour."
    ),
)

DAY_JOBS = (INGEST_DAY, REFRESH_DAY, REBUILD_DAY)


def op_job(name: str, op: dg.OpDefinition, resources: Mapping[str, object], description: str) -> dg.JobDefinition:
    """Return the job that runs one op, in the run's process, with those of the resources that it requires.

    They are bound here: if `Definitions` has to bind an op job, it recreates the job's sensors with an `owners`
    parameter, which is in beta and warns.
    """
    required = {key: resources[key] for key in sorted(op.required_resource_keys)}

    @dg.job(
        name=name,
        executor_def=dg.in_process_executor,
        resource_defs={key: dg.ResourceDefinition.hardcoded_resource(value) for key, value in required.items()},
        description=description,
    )
    def job() -> None:
        op()

    return job
