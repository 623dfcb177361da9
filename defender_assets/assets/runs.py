"""What all assets share about a run: its days, whether it was asked to read or build everything anew, its retries."""

from datetime import date

import dagster as dg
from pydantic import Field

from defender_assets.jobs import FULL_REFRESH_TAG

OWNERS = ["team:security-data"]

# for what a retry can mend: a throttled account, a lake that others write to; the sensor asks again after that
RETRIES = dg.RetryPolicy(max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


class RunConfig(dg.Config):
    """What a run may be asked for."""

    full_refresh: bool = Field(
        default=False,
        description="Read the day again from the account, or build it again from what stands upstream. "
        "The run tag `full_refresh: true` asks the same of all assets of a run.",
    )


def days_of(context: dg.AssetExecutionContext) -> list[date]:
    """Return the days of the run, oldest first: one, or all of a range."""
    return sorted(date.fromisoformat(key) for key in context.partition_keys)


def wants_refresh(context: dg.AssetExecutionContext, config: RunConfig) -> bool:
    """Return whether the run's configuration or its tag asks for a full refresh."""
    return config.full_refresh or context.run.tags.get(FULL_REFRESH_TAG, "").lower() == "true"
