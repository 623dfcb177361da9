"""Actions in Dagster's UI, such as launching days, on a page that may request only from its web server."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from playwright.sync_api import Browser, Page, expect

from defender_assets_tests.integration.browser.chromium import Watched, opened

LOCATION = "locations/defender_assets"
DAGSTER_ERRORS = (
    "WebSocket connection to",
    "An error occurred! For more details, see the full error text at https://go.apollo.dev",
)
"""Console errors of Dagster's UI itself: live updates of a page that was left, and canceled queries."""


@contextmanager
def watching(browser: Browser, address: str) -> Iterator[Watched]:
    """Open an empty page. Until the end of the block, it may request only from the web server and log no console
    errors.
    """
    with opened(browser, width=1440, height=1000) as watched:
        yield watched
        elsewhere = [url for url in watched.requests if not url.startswith((address, "data:", "blob:"))]
        assert elsewhere == [], elsewhere
        console_errors = [text for text in watched.console_errors if not text.startswith(DAGSTER_ERRORS)]
        assert console_errors == [], console_errors


def launch(page: Page, address: str, selected: date | str) -> None:
    """Launch the job `ingest_day` for a day, or for all days with a status, such as Failed."""
    page.goto(f"{address}/{LOCATION}/jobs/ingest_day")
    page.get_by_role("button", name="Materialize all").click()
    if isinstance(selected, str):
        page.get_by_role("button", name=selected, exact=True).click()
    else:
        days = page.get_by_placeholder("No matching partitions")
        days.fill(selected.isoformat())
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
    """Wait until the page of an asset shows these numbers of partitions by status."""
    page.goto(f"{address}/assets/{asset}?view=partitions")
    for kind, count in counts.items():
        page.get_by_text(f"{kind.capitalize()} ({count})", exact=True).wait_for()
