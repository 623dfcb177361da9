"""The definitions that Dagster loads. Importing this module reads no environment and no network."""

import logging
from collections.abc import Mapping
from functools import cache

from defender_assets.core.memory import collector_paused

# every run and every code server begins with these imports
with collector_paused():
    import dagster as dg

    from defender_assets.assets import all_assets
    from defender_assets.assets.containers import container_specs
    from defender_assets.assets.triage import triage_assets
    from defender_assets.hourly_checks import hourly_checks
    from defender_assets.jobs import CHECK_DAYS, DAY_JOBS
    from defender_assets.schedules import all_schedules, audit_job, maintenance_job, quality_job
    from defender_assets.sensors.new_blobs import new_blobs_sensor
    from defender_assets.sensors.notifications import notify_sensor
    from defender_assets.sensors.sweep import sweep_job
    from defender_assets.settings import READING_DEMO, Settings, load_settings


def build_defs(settings: Settings, *, resources: Mapping[str, object] | None = None) -> dg.Definitions:
    """Return assets, checks, jobs, sensors and schedules for the settings.

    Args:
        settings: usually from `load_settings`.
        resources: replacements for `export` or `lake`, for instance an export that fails on purpose.
    """
    lake = settings.lake()
    resources = {"export": settings.export(), "lake": lake, **(resources or {})}
    sweep, maintenance = sweep_job(settings.start_date, resources), maintenance_job(resources)
    quality, audit = quality_job(resources), audit_job(resources)
    sensors = [new_blobs_sensor(sweep, settings.start_date, settings.lookback_days, settings.sensor_seconds)]
    if settings.notifications.webhooks:
        sensors.append(notify_sensor(settings.notifications, settings.lookback_days))
    return dg.Definitions(
        assets=[
            *container_specs(settings),
            *all_assets(settings.start_date, lake, settings.scoring, settings.portal_url),
            *triage_assets(lake),
        ],
        jobs=[*DAY_JOBS, CHECK_DAYS, sweep, maintenance, quality, audit],
        asset_checks=[hourly_checks(settings.start_date, settings.lookback_days)],
        sensors=sensors,
        schedules=all_schedules(sweep, maintenance, quality, audit),
        resources=resources,
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions for the settings of the environment and of `.env` in the working directory."""
    settings = load_settings()
    if settings.reads_demo:
        _log_once(logging.INFO, READING_DEMO)
    for line in settings.unknown:
        _log_once(logging.WARNING, line)
    return build_defs(settings)


@cache
def _log_once(level: int, line: str) -> None:
    """Log a line once in a process: Dagster may load the definitions several times."""
    dg.get_dagster_logger().log(level, line)
