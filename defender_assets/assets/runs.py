"""What all assets share: their definition, retries, and the configuration and days of a run."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import dagster as dg
from pydantic import Field

from defender_assets.core.lake.lake import Lake
from defender_assets.core.schemas import Column
from defender_assets.jobs import FULL_REFRESH_TAG
from defender_assets.metadata.specs import OWNERS, spec_metadata, spec_tags

# for temporary errors: a throttled account, concurrent writers; after the last retry the sensor requests the day again
RETRIES = dg.RetryPolicy(max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


AssetEvent = dg.MaterializeResult[None] | dg.AssetCheckEvaluation
"""What an asset with checks yields: its materialization, then the results of its checks."""


class RunConfig(dg.Config):
    """The configuration of an asset in a run."""

    full_refresh: bool = Field(
        default=False,
        description="Read the day again from the account, or rebuild it from its upstream tables. "
        "The run tag `full_refresh: true` does this for all assets of a run.",
    )


def daily_asset(
    name: str,
    storage: Lake,
    columns: Iterable[Column],
    *,
    page: str,
    group: str,
    made_by: Callable[..., Any],
    **options: Any,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Return the decorator of a table's asset; `page` is its file in docs/, `options` go to `dg.asset`.

    `made_by` is the function of the core that makes its rows.
    """
    decorator: Callable[[Callable[..., Any]], dg.AssetsDefinition] = dg.asset(
        name=name,
        group_name=group,
        owners=OWNERS,
        retry_policy=RETRIES,
        metadata=spec_metadata(storage, name, columns, page, made_by),
        tags=spec_tags(group),
        **options,
    )
    return decorator


def days_of(context: dg.AssetExecutionContext) -> list[date]:
    """Return the days of the run, oldest first."""
    return sorted(date.fromisoformat(key) for key in context.partition_keys)


def wants_refresh(context: dg.AssetExecutionContext, config: RunConfig) -> bool:
    """Return whether the run's configuration or its tag requests a full refresh."""
    return config.full_refresh or context.run.tags.get(FULL_REFRESH_TAG, "").lower() == "true"
