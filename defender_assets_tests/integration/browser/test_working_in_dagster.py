"""A user works in Dagster's UI: launches days, reads failures, retries, and turns the sensor on for the rest.

The tests share one installation with web server and daemon, and depend on their order.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Browser, Page

from defender_assets.catalog import LEADS, STORIES
from defender_assets.checks import QUIET_OR_BROKEN
from defender_assets.core.lake.lake import Lake
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO, TABLES
from defender_assets.metadata.reports import NO_BLOBS
from defender_assets.simulator import Scenario, export_directory
from defender_assets_tests.integration.browser.conftest import Keep
from defender_assets_tests.integration.browser.ui import LOCATION, launch, see_counts, switch, watching
from defender_assets_tests.integration.live.processes import (
    QUICKER_DEFINITIONS,
    Installation,
    WebServer,
    code_server,
    daemon,
    wait_for,
    web_server,
)
from defender_assets_tests.support.days import day_before, keep_clear_of_midnight
from defender_assets_tests.support.exports import local_lake
from defender_assets_tests.support.webhook_receiver import Receiver, receiving

pytestmark = [pytest.mark.browser, pytest.mark.live]

SENSOR = "new_blobs_sensor"


@dataclass(frozen=True)
class Days:
    """Four days: heartbeats end at noon; no blobs; no heartbeats and a blocked path; no fault, yesterday."""

    silenced: date
    empty: date
    failing: date
    for_the_sensor: date


def folders(export: Path, day: date, table: str) -> list[Path]:
    """The directories of the hours of a day."""
    return sorted((export / table).glob(f"tenantId=*/y={day:%Y}/m={day:%m}/d={day:%d}/h=*/m=00"))


@dataclass(frozen=True)
class Site:
    """The web server, the lake, the receiver of notifications, and the days of the export."""

    installation: Installation
    server: WebServer
    lake: Lake
    receiver: Receiver
    days: Days

    @property
    def address(self) -> str:
        """The URL of the UI."""
        return self.server.address

    @property
    def blocking_file(self) -> Path:
        """A file at the path of the raw table's folder for the failing day."""
        return Path(self.lake.uri, ALERT_INFO.raw, f"export_date={self.days.failing}")


def write_export(export: Path, days: Days) -> None:
    """Write the export as `Days` describes."""
    simulated = Scenario(
        days.silenced,
        days=4,
        devices=6,
        tenants=1,
        alerts_per_day=4,
        campaigns_per_tenant=2,
        heartbeat_minutes=60,
        seed=3,
    )
    export_directory(simulated, export)
    for table in TABLES:
        for folder in folders(export, days.empty, table.container):
            (folder / "PT1H.json").unlink()
    for day, hour in ((days.silenced, "h=12"), (days.failing, "h=00")):
        for folder in folders(export, day, DEVICE_INFO.container):
            if folder.parent.name >= hour:
                (folder / "PT1H.json").unlink()


@pytest.fixture(scope="module")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The running installation. The sensor is switched off in the UI before the daemon starts: it would retry a failed
    day, and the UI shows no failure for a day in flight.
    """
    folder = tmp_path_factory.mktemp("working")
    keep_clear_of_midnight(seconds=600)
    days = Days(*map(day_before, (4, 3, 2, 1)))
    write_export(folder / "export", days)
    with receiving() as receiver:
        settings = {
            "DEFENDER_EXPORT_DIR": str(folder / "export"),
            "DEFENDER_LAKE_URI": str(folder / "lake"),
            "DEFENDER_START_DATE": days.silenced.isoformat(),
            "DEFENDER_SLACK_WEBHOOK": receiver.url,
            "DEFENDER_NOTIFY_RISK": "1",
        }
        installation = Installation(folder / "home", settings, definitions=QUICKER_DEFINITIONS)
        installation.prepare()
        with code_server(installation), web_server(installation) as server:
            with watching(browser, server.address) as watched:
                switch(watched.page, server.address, SENSOR, on=False)
            with daemon(installation):
                yield Site(installation, server, local_lake(folder / "lake"), receiver, days)


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """An empty page of the UI."""
    with watching(browser, site.address) as watched:
        yield watched.page


def test_a_day_is_materialized_by_clicking_turns_green_and_its_leads_exist(page: Page, site: Site) -> None:
    launch(page, site.address, site.days.silenced)
    site.lake.open(ALERT_INFO.raw)
    site.blocking_file.touch()
    # it fails after four attempts; meanwhile the tests go on
    launch(page, site.address, site.days.failing)
    see_counts(page, site.address, LEADS.name, materialized=1)

    leads = site.lake.read(LEADS.name).filter(pl.col("export_date") == site.days.silenced).collect()
    assert leads.height > 3
    page.goto(f"{site.address}/assets/{LEADS.name}?view=partitions&partition={site.days.silenced}")
    page.get_by_text("dagster/partition_row_count").wait_for()
    page.get_by_text(str(leads.height), exact=True).first.wait_for()


def test_a_red_check_shows_the_problem_and_what_to_do(page: Page, site: Site, keep: Keep) -> None:
    page.goto(f"{site.address}/assets/{DEVICE_INFO.name}?view=checks")
    page.get_by_text(QUIET_OR_BROKEN.name, exact=True).first.click()
    for text in ("1 tenant sent nothing at the end of the day", "check the Streaming API", "silent_minutes"):
        page.get_by_text(text).first.wait_for()
    keep(page, "red-check")


def test_a_failed_day_shows_the_reason_and_is_retried_by_clicking(page: Page, site: Site, keep: Keep) -> None:
    wait_for(site.server.is_idle, "the end of the failing run", site.installation)
    see_counts(page, site.address, ALERT_INFO.raw, failed=1, materialized=1)
    keep(page, "partitions")
    page.goto(f"{site.address}/runs")
    page.get_by_text("Failed", exact=True).click()
    page.locator("a[href*='/runs/']").first.click()
    page.get_by_text("Not a directory").first.wait_for()

    site.blocking_file.unlink()
    launch(page, site.address, "Failed")
    see_counts(page, site.address, LEADS.name, failed=0, materialized=2)


def test_the_sensor_is_switched_on_and_completes_the_other_days(page: Page, site: Site) -> None:
    switch(page, site.address, SENSOR, on=True)
    see_counts(page, site.address, STORIES.name, materialized=4)


def test_a_day_without_blobs_is_green_and_says_that_it_has_none(page: Page, site: Site, keep: Keep) -> None:
    page.goto(f"{site.address}/assets/{LEADS.name}?view=partitions&partition={site.days.empty}")
    page.get_by_text(NO_BLOBS).wait_for()
    keep(page, "no-blobs")


def test_the_team_is_notified_once_of_each_event(site: Site) -> None:
    day = site.days.for_the_sensor
    leads = site.lake.read(LEADS.name).filter(pl.col("export_date") == day, pl.col("risk_score") >= 1)
    expected = leads.collect()["title"].to_list()

    def mentions(title: str) -> int:
        """Return the number of messages that contain a title; a message contains it more than once."""
        return sum(json.dumps(title)[1:-1] in json.dumps(message) for message in site.receiver.accepted)

    assert len(expected) > 1
    wait_for(lambda: all(map(mentions, expected)), f"a message of each of {expected}", site.installation)
    messages = [json.dumps(message) for message in site.receiver.accepted]
    assert len(messages) == len(set(messages))
    # a failed run is notified unless it has recovered before the sensor's tick
    assert mentions(f"The run of {site.days.failing} failed") <= 1
    # a silence of the past is red in the UI; the tenant is not silent now, so there is no notice
    assert not mentions(QUIET_OR_BROKEN.name)
    assert not mentions("Silence")


def test_the_tick_history_shows_requested_runs_and_reasons_for_none(page: Page, site: Site, keep: Keep) -> None:
    page.goto(f"{site.address}/{LOCATION}/sensors/{SENSOR}")
    # the run of the day and the first sweep, unless the schedule has requested the sweep before
    page.get_by_text(re.compile(r"\b[12] runs? requested")).first.wait_for()
    page.get_by_role("button", name="0 runs requested").first.wait_for()
    keep(page, "sensor")
    page.get_by_text("0 runs requested").last.click()
    page.get_by_text("days checked, none to run").first.wait_for()
