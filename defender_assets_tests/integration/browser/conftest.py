"""A browser for each file of tests.

It ends with the file: Playwright keeps an event loop running in the thread, and `asyncio.run`, which Dagster calls in
other tests, would refuse to start beside it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from defender_assets_tests.integration.browser.chromium import run_chromium

Keep = Callable[[Page, str], None]
"""Called with a page and a picture's name."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A running Chromium."""
    with run_chromium() as running:
        yield running


@pytest.fixture
def keep(pytestconfig: pytest.Config) -> Keep:
    """Keep what a page shows as a picture of the documents, when `--pictures` asks for it."""
    folder = Path(__file__).parents[3] / "docs" / "pictures"

    def kept(page: Page, name: str) -> None:
        if pytestconfig.getoption("pictures"):
            folder.mkdir(exist_ok=True)
            page.screenshot(path=folder / f"{name}.png")

    return kept
