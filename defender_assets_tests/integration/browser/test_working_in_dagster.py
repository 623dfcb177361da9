"""A user works in Dagster's UI: launches days, reads what is red, tries again, lets the sensor do the rest.

One installation with web server and daemon, whose tests stand in the order of the story.
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
    """Heartbeats that end at noon, no blobs, no heartbeats and something in the way, all well; then the running day."""

    silenced: date
    empty: date
    failing: date
    for_the_sensor: date


def folders(export: Path, day: date, table: str) -> list[Path]:
    """The directories of a day's hours."""
    return sorted((export / table).glob(f"tenantId=*/y={day:%Y}/m={day:%m}/d={day:%d}/h=*/m=00"))


@dataclass(frozen=True)
class Site:
    """The web server, the lake, who is told, and the days of the export."""

    installation: Installation
    server: WebServer
    lake: Lake
    receiver: Receiver
    days: Days

    @property
    def address(self) -> str:
        """Where the browser finds the UI."""
        return self.server.address

    @property
    def in_the_way(self) -> Path:
        """A file where the raw table's folder of the failing day should be."""
        return Path(self.lake.uri, ALERT_INFO.raw, f"export_date={self.days.failing}")


def write_export(export: Path, days: Days) -> None:
    """Write what the days' names say."""
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
    """The running installation. The sensor was switched off by clicking before the daemon first looked: it would try
    a failed day again by itself, and of a day in flight nothing is failed.
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
        with web_server(installation) as server:
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
    site.in_the_way.touch()
    # it tries four times before it fails: meanwhile the tests go on
    launch(page, site.address, site.days.failing)
    see_counts(page, site.address, LEADS.name, materialized=1)

    leads = site.lake.read(LEADS.name).filter(pl.col("export_date") == site.days.silenced).collect()
    assert leads.height > 3
    page.goto(f"{site.address}/assets/{LEADS.name}?view=partitions&partition={site.days.silenced}")
    page.get_by_text("dagster/partition_row_count").wait_for()
    page.get_by_text(str(leads.height), exact=True).first.wait_for()


def test_a_red_check_says_what_is_wrong_and_what_to_do(page: Page, site: Site, keep: Keep) -> None:
    page.goto(f"{site.address}/assets/{DEVICE_INFO.name}?view=checks")
    page.get_by_text(QUIET_OR_BROKEN.name, exact=True).first.click()
    for text in ("1 tenant sent no heartbeat for over 3 hours", "Look at the Streaming API", "silent_minutes"):
        page.get_by_text(text).first.wait_for()
    keep(page, "red-check")


def test_a_day_that_failed_says_why_and_is_tried_again_by_clicking(page: Page, site: Site, keep: Keep) -> None:
    wait_for(site.server.quiet, "the end of the failing run", site.installation)
    see_counts(page, site.address, ALERT_INFO.raw, failed=1, materialized=1)
    keep(page, "partitions")
    page.goto(f"{site.address}/runs")
    page.get_by_text("Failed", exact=True).click()
    page.locator("a[href*='/runs/']").first.click()
    page.get_by_text("Not a directory").first.wait_for()

    site.in_the_way.unlink()
    launch(page, site.address, "Failed")
    see_counts(page, site.address, LEADS.name, failed=0, materialized=2)


def test_the_sensor_is_switched_on_and_does_the_rest(page: Page, site: Site) -> None:
    switch(page, site.address, SENSOR, on=True)
    see_counts(page, site.address, STORIES.name, materialized=4)


def test_a_day_without_blobs_is_green_and_says_so(page: Page, site: Site, keep: Keep) -> None:
    page.goto(f"{site.address}/assets/{LEADS.name}?view=partitions&partition={site.days.empty}")
    page.get_by_text(NO_BLOBS).wait_for()
    keep(page, "no-blobs")


def test_the_team_was_told_of_each_thing_once(site: Site) -> None:
    day = site.days.for_the_sensor
    leads = site.lake.read(LEADS.name).filter(pl.col("export_date") == day, pl.col("risk_score") >= 1)
    expected = [*leads.collect()["title"], f"{QUIET_OR_BROKEN.name} of {DEVICE_INFO.name} failed"]

    def mentions(title: str) -> int:
        """Return how many messages hold a title: a message holds it more than once."""
        return sum(json.dumps(title)[1:-1] in json.dumps(message) for message in site.receiver.accepted)

    assert len(expected) > 2
    wait_for(lambda: all(map(mentions, expected)), f"a message of each of {expected}", site.installation)
    messages = [json.dumps(message) for message in site.receiver.accepted]
    assert len(messages) == len(set(messages))
    # that a run failed is told unless it has recovered before the sensor looks
    assert mentions(f"The run of {site.days.failing} failed") <= 1


def test_the_history_of_ticks_tells_what_was_asked_for_and_why_not(page: Page, site: Site, keep: Keep) -> None:
    page.goto(f"{site.address}/{LOCATION}/sensors/{SENSOR}")
    # the day's, and the first sweep's unless the schedule's came before it
    page.get_by_text(re.compile(r"\b[12] runs? requested")).first.wait_for()
    page.get_by_role("button", name="0 runs requested").first.wait_for()
    keep(page, "sensor")
    page.get_by_text("0 runs requested").last.click()
    page.get_by_text("days checked, none to run").first.wait_for()
