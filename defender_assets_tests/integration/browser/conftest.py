"""A browser for each file of tests.

It ends with the file, because Playwright keeps an event loop running in the thread. In other tests, Dagster calls
`asyncio.run`, which fails while another loop runs.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from defender_assets_tests.integration.browser.chromium import run_chromium

Keep = Callable[[Page, str], None]
"""A function of a page and the name of a picture."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A running Chromium."""
    with run_chromium() as running:
        yield running


@pytest.fixture
def keep(pytestconfig: pytest.Config) -> Keep:
    """Save a screenshot of a page as a picture of the documents, if `--pictures` is set."""
    folder = Path(__file__).parents[3] / "docs" / "pictures"

    def save(page: Page, name: str) -> None:
        if pytestconfig.getoption("pictures"):
            folder.mkdir(exist_ok=True)
            page.screenshot(path=folder / f"{name}.png")

    return save
