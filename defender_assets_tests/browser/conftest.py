"""The one browser of the test session. Its tests run last: see `pytest_collection_modifyitems` one folder up."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from defender_assets_tests.browser.chromium import run_chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A running Chromium."""
    with run_chromium() as running:
        yield running
