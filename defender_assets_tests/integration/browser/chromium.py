"""Debian's Chromium, driven by Playwright, and a page that keeps what the browser says of it.

What is looked at, and what it should look like, belongs to the tests beside this file.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, expect, sync_playwright

from defender_assets_tests.support.waiting import HANG_SECONDS

NAMES = ("chromium", "chromium-browser")
# in a container there is often neither a sandbox, nor a graphics card, nor room in /dev/shm
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]

WIDE, NARROW = 1280, 320
"""Widths of a window in CSS pixels: a desktop, and the narrowest telephone (WCAG 2.2, 1.4.10 Reflow)."""

DEADLINE = 1000 * HANG_SECONDS
"""Of everything that Playwright waits for, in milliseconds."""

expect.set_options(timeout=DEADLINE)


def executable() -> Path:
    """Where Chromium is; `make test` installs it."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    assert found is not None, "Chromium is missing: `make browser` installs it, as root, from Debian's packages"
    return Path(found)


@contextmanager
def run_chromium() -> Iterator[Browser]:
    """A running browser; it ends with the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS, timeout=DEADLINE)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watched:
    """A page, and what it asked for and complained of since it was opened."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        def asked(request: Request) -> None:
            self.requests.append(request.url)

        def said(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                self.complaints.append(message.text)

        def broke(error: Error) -> None:
            self.complaints.append(error.message)

        self.page.on("request", asked)
        self.page.on("console", said)
        self.page.on("pageerror", broke)

    @property
    def overflow(self) -> int:
        """By how many CSS pixels the page is wider than its window."""
        return int(self.page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth"))


@contextmanager
def opened(
    browser: Browser, *, width: int = WIDE, height: int = 900, dark: bool = False, scale: float = 1
) -> Iterator[Watched]:
    """An empty page in a context of its own: nothing of it is kept."""
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
