"""The brief as a file that an analyst opens in a browser."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from defender_assets.catalog import BRIEFS, QUEUE
from defender_assets_tests.integration.browser.chromium import NARROW, WIDE, Watched, opened
from defender_assets_tests.integration.browser.conftest import Keep
from defender_assets_tests.integration.browser.looking import contrasts, sticking_out, tabbed
from defender_assets_tests.support.small_lake import SmallLake

pytestmark = pytest.mark.browser

LEAST_CONTRAST = 4.5
RED = "rgb(255, 0, 0)"
LINKS = "[...document.links].map((link) => link.getAttribute('href'))"


@pytest.fixture(scope="module")
def file(small_lake: SmallLake, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the brief of the day with the hostile alert."""
    briefs = small_lake.lake.read(BRIEFS.name).sort("export_date").collect()
    written: Path = tmp_path_factory.mktemp("brief") / "brief.html"
    written.write_text(briefs["html"][0], encoding="utf-8")
    return written.as_uri()


@pytest.fixture
def brief(browser: Browser, file: str) -> Iterator[Watched]:
    """The brief on a wide screen."""
    with opened(browser) as watched:
        watched.page.goto(file)
        yield watched


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_it_fits_its_window_loads_nothing_and_is_readable(
    browser: Browser, file: str, width: int, dark: bool, keep: Keep
) -> None:
    with opened(browser, width=width, dark=dark) as watched:
        watched.page.goto(file)

        assert watched.overflow <= 0
        assert sticking_out(watched.page) == []
        assert [text for text in contrasts(watched.page) if text[0] < LEAST_CONTRAST] == []
        assert watched.requests == [file]
        assert watched.console_errors == []
        if dark == (width == NARROW):
            keep(watched.page, "brief-dark" if dark else "brief")


def test_attackers_text_is_shown_as_text_and_has_no_effect(
    brief: Watched, small_lake: SmallLake, tmp_path: Path
) -> None:
    # The hostile lead is in no story. Where the queue of a day is not built yet, the risk puts it among the first.
    tables = {upstream.name: small_lake.lake.read(upstream.name) for upstream in BRIEFS.upstreams}
    tables[QUEUE.name] = tables[QUEUE.name].clear()
    written = tmp_path / "brief.html"
    written.write_text(BRIEFS.build(small_lake.days[0], *tables.values())["html"][0], encoding="utf-8")
    brief.page.goto(written.as_uri())
    shown = brief.page.inner_text("body")

    for part in ("<script>document.title='run'</script>", "<svg/onload=", "{{ 7 * 7 }}", r"\x1b[31m", r"\u202egnp"):
        assert part in shown
    assert brief.page.title() == "Defender brief, Sunday 1 November 2026"
    assert brief.page.locator("script, img, iframe, object, base, form, [onload], [onerror]").count() == 0
    addresses = brief.page.evaluate(LINKS)
    outside = [address for address in addresses if not address.startswith("#")]
    assert outside
    assert [address for address in outside if not address.startswith("https://security.microsoft.com/alerts/")] == []


def test_injected_scripts_do_not_run_and_nothing_is_loaded(brief: Watched) -> None:
    page = brief.page
    title = page.title()

    refused = page.evaluate(
        """() => new Promise((answer) => {
          const refused = [];
          document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
          const put = (tag, properties) => document.body.append(Object.assign(document.createElement(tag), properties));
          put("script", {text: "document.title = 'run'"});
          put("div", {innerHTML: "<p style='color: red'>styled</p><p onclick='document.title = 1'>clicked</p>"});
          put("img", {src: "http://127.0.0.1:9/x.png", onerror: () => setTimeout(() => answer(refused))});
        })"""
    )
    page.get_by_text("clicked", exact=True).click()

    assert {"script-src-elem", "img-src"} <= set(refused)
    assert page.title() == title
    assert page.get_by_text("styled", exact=True).evaluate("(element) => getComputedStyle(element).color") != RED


def test_the_keyboard_reaches_every_link_in_order_with_a_visible_focus(brief: Watched) -> None:
    links = brief.page.evaluate(LINKS)

    reached = tabbed(brief.page, len(links))

    assert [address for address, _ in reached] == links
    assert links[:6] == ["#main", "#glance", "#stories", "#leads", "#devices", "#data"]
    assert min(outline for _, outline in reached) >= 2


def test_the_first_link_skips_to_what_happened(brief: Watched) -> None:
    brief.page.keyboard.press("Tab")
    assert brief.page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    brief.page.keyboard.press("Enter")

    assert brief.page.evaluate("document.activeElement.id") == "main"


def test_the_page_has_headings_landmarks_and_labels_for_screen_readers(brief: Watched) -> None:
    page = brief.page

    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map((heading) => +heading.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.evaluate("document.documentElement.lang") == "en"
    for landmark in ("main", "banner", "contentinfo", "navigation"):
        assert page.get_by_role(landmark).count() == 1, landmark
    for name in ("At a glance", "Stories", "Leads to look at first", "Devices most hit", "The data behind it"):
        assert page.get_by_role("region", name=name).count() == 1, name
    assert page.get_by_role("list", name="Tactics in order of time").count() == page.get_by_role("article").count() > 0
    assert page.get_by_role("img", name="Leads by hour").count() == 1


def test_it_prints_dark_text_on_white_even_in_dark_mode(browser: Browser, file: str) -> None:
    with opened(browser, dark=True) as watched:
        page = watched.page
        page.goto(file)
        page.emulate_media(media="print")

        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert [text for text in contrasts(page) if text[0] < LEAST_CONTRAST] == []
        assert not page.get_by_role("navigation").is_visible()
        assert page.pdf(format="A4").startswith(b"%PDF-")
