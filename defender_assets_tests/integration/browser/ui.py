"""Dagster's UI as a user works in it: a page that may ask its web server alone, and what is clicked to launch days.

What is looked at belongs to the tests beside this file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from playwright.sync_api import Browser, Page, expect

from defender_assets_tests.integration.browser.chromium import Watched, opened

LOCATION = "locations/defender_assets"
ITS_OWN = (
    "WebSocket connection to",
    "An error occurred! For more details, see the full error text at https://go.apollo.dev",
)
"""Complaints of Dagster's UI about itself: live updates of a page that was left, queries that no longer are."""


@contextmanager
def watching(browser: Browser, address: str) -> Iterator[Watched]:
    """An empty page. Whatever it shows until the end of the block must ask the web server alone, and complain of
    nothing.
    """
    with opened(browser, width=1440, height=1000) as watched:
        yield watched
        elsewhere = [asked for asked in watched.requests if not asked.startswith((address, "data:", "blob:"))]
        assert elsewhere == [], elsewhere
        complaints = [told for told in watched.complaints if not told.startswith(ITS_OWN)]
        assert complaints == [], complaints


def launch(page: Page, address: str, chosen: date | str) -> None:
    """Launch the job `ingest_day` for a day, or for all days of a kind, such as Failed."""
    page.goto(f"{address}/{LOCATION}/jobs/ingest_day")
    page.get_by_role("button", name="Materialize all").click()
    if isinstance(chosen, str):
        page.get_by_role("button", name=chosen, exact=True).click()
    else:
        days = page.get_by_placeholder("No matching partitions")
        days.fill(chosen.isoformat())
        days.press("Enter")
    page.get_by_role("button", name="Launch 1 run").click()
    expect(page.get_by_text("Partition selection")).to_have_count(0)


def switch(page: Page, address: str, sensor: str, *, on: bool) -> None:
    """Switch a sensor on or off."""
    page.goto(f"{address}/{LOCATION}/sensors/{sensor}")
    state = page.get_by_role("checkbox")
    expect(state).to_be_checked(checked=not on)
    page.locator("label", has=state).click()
    expect(state).to_be_checked(checked=on)


def see_counts(page: Page, address: str, asset: str, **counts: int) -> None:
    """Wait until the page of an asset counts so many partitions of each kind."""
    page.goto(f"{address}/assets/{asset}?view=partitions")
    for kind, count in counts.items():
        page.get_by_text(f"{kind.capitalize()} ({count})", exact=True).wait_for()
