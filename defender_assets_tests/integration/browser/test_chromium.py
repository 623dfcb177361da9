import pytest
from playwright.sync_api import Browser

from defender_assets_tests.integration.browser.chromium import NARROW, opened
from defender_assets_tests.integration.browser.pages import served

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><html lang="en"><title>before</title><link rel="icon" href="data:,"><body>
<p style="width: 400px">Wide</p><img src="/missing.png" alt="">
<script>document.title = "after"; console.error("as asked"); throw new Error("thrown")</script>"""


def test_a_page_runs_and_its_requests_and_console_errors_are_recorded(browser: Browser) -> None:
    with served({"/": PAGE}) as address, opened(browser, width=NARROW) as watched:
        watched.page.goto(f"{address}/", wait_until="load")

        assert watched.page.title() == "after"
        assert watched.requests == [f"{address}/", f"{address}/missing.png"]
        errors = sorted(text.split(":")[0] for text in watched.console_errors)
        assert errors == ["Failed to load resource", "as asked", "thrown"]
        assert watched.overflow > 0
