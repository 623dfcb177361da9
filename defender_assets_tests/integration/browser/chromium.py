"""Debian's Chromium, controlled by Playwright, and pages that record their requests and console errors."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, expect, sync_playwright

from defender_assets_tests.support.waiting import HANG_SECONDS

NAMES = ("chromium", "chromium-browser")
# containers often have no sandbox, no graphics card and little space in /dev/shm
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]

WIDE, NARROW = 1280, 320
"""Window widths in CSS pixels: a desktop, and the narrowest phone (WCAG 2.2, 1.4.10 Reflow)."""

DEADLINE = 1000 * HANG_SECONDS
"""Timeout of everything that Playwright waits for, in milliseconds."""

expect.set_options(timeout=DEADLINE)


def executable() -> Path:
    """The path of Chromium, which `make test` installs."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    assert found is not None, "Chromium is missing: `make browser` installs it, as root, from Debian's packages"
    return Path(found)


@contextmanager
def run_chromium() -> Iterator[Browser]:
    """Run a browser; it ends with the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS, timeout=DEADLINE)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watched:
    """A page, with its requests, console errors and warnings since it was opened."""

    page: Page
    requests: list[str] = field(default_factory=list)
    console_errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        def on_request(request: Request) -> None:
            self.requests.append(request.url)

        def on_console(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                self.console_errors.append(message.text)

        def on_error(error: Error) -> None:
            self.console_errors.append(error.message)

        self.page.on("request", on_request)
        self.page.on("console", on_console)
        self.page.on("pageerror", on_error)

    @property
    def overflow(self) -> int:
        """The number of CSS pixels by which the page is wider than its window."""
        return int(self.page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth"))


@contextmanager
def opened(
    browser: Browser, *, width: int = WIDE, height: int = 900, dark: bool = False, scale: float = 1
) -> Iterator[Watched]:
    """Open an empty page in a separate browser context, which is closed with the block."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        device_scale_factor=scale,
        service_workers="block",
    )
    context.set_default_timeout(DEADLINE)
    try:
        yield Watched(context.new_page())
    finally:
        context.close()
