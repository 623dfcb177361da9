"""A browser for each file of tests.

It ends with the file, because Playwright keeps an event loop running in the thread. In other tests, Dagster calls
`asyncio.run`, which fails while another loop runs.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FloatRect, Page

from defender_assets_tests.integration.browser.chromium import run_chromium

NARROW, WIDE = 1000, 1600
SETTLED_MS = 1000
# of each text, also of the text that is folded away
_WITHOUT_PATHS = """(paths) => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode())
    for (const [path, shown] of paths)
      if (node.data.includes(path)) node.data = node.data.replace(new RegExp(`${path}[^ ]*/(?=lake|export)`), shown);
}"""

Keep = Callable[..., None]
"""A function of a page, the name of a picture and, if the wide one is only a part of the page, its box."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A running Chromium."""
    with run_chromium() as running:
        yield running


@pytest.fixture
def keep(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Keep:
    """Save screenshots of a page, if `--pictures` is set: the wide one for the documents, a narrow one to look at.

    The narrow ones are in `.pictures`. Paths of this machine are replaced.
    """
    root = Path(__file__).parents[3]
    folders = {WIDE: root / "docs" / "pictures", NARROW: root / ".pictures"}

    def save(page: Page, name: str, clip: FloatRect | None = None) -> None:
        if not pytestconfig.getoption("pictures"):
            return
        size = page.viewport_size
        assert size is not None
        # a page for a telephone keeps its width
        for width in (NARROW, WIDE) if size["width"] > NARROW else (size["width"],):
            folder = folders[NARROW if width == NARROW else WIDE]
            folder.mkdir(exist_ok=True)
            page.set_viewport_size({"width": width, "height": size["height"]})
            page.wait_for_timeout(SETTLED_MS)
            page.evaluate(_WITHOUT_PATHS, [[str(tmp_path_factory.getbasetemp()), "/srv/"], [str(root), "/srv/"]])
            page.screenshot(path=folder / f"{name}.png", clip=clip if width == WIDE else None)
        page.set_viewport_size(size)

    return save
