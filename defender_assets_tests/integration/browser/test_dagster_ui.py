"""The pages of Dagster's UI for small tenants, from one web server."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from playwright.sync_api import Browser, Page, expect

from defender_assets.assets import raw, runs
from defender_assets.catalog import BRIEFS, LEADS
from defender_assets.checks import BYTE_BALANCE, DRIFT, FRESHNESS, LINE_BALANCE, QUIET_OR_BROKEN
from defender_assets.cli.demo.run import materialize_days
from defender_assets.core.lake.lake import Lake
from defender_assets.core.leads.schema import LEAD_COLUMNS
from defender_assets.core.quality.byte_balance import byte_balance
from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO, Table
from defender_assets.jobs import INGEST_DAY
from defender_assets.metadata.specs import DOCS
from defender_assets.settings import Settings
from defender_assets_tests.assets.test_specs import EXPECTED
from defender_assets_tests.integration.browser.chromium import Watched
from defender_assets_tests.integration.browser.conftest import Keep
from defender_assets_tests.integration.browser.ui import LOCATION, watching
from defender_assets_tests.integration.live.processes import Installation, web_server
from defender_assets_tests.support.hostile_text import HOSTILE_HTML
from defender_assets_tests.support.small_lake import SmallLake

pytestmark = [pytest.mark.browser, pytest.mark.live]

GROUPS = ("export", "tables", "leads")
MARGIN = 16
WARNING, FAILURE, FAILURE_IN_GRAPH = (f"[aria-label='{icon}']" for icon in ("warning_outline", "cancel", "close"))
# curves between assets; icons are drawn without commas
EDGES = "svg path[d*=','][d*='C']"


@dataclass(frozen=True)
class Site:
    """A web server for the days of the small lake; the first day was materialized through Dagster.

    `materialize` does the same with another day, and returns what failed.
    """

    address: str
    lake_dir: Path
    day: date
    next_day: date
    materialize: Callable[[date], tuple[str, ...]]


@pytest.fixture(scope="module")
def site(small_lake: SmallLake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The running web server. The lake is up to date, so that the runs change nothing in it."""
    day, next_day = small_lake.days
    settings = Settings(export_dir=small_lake.export_dir, lake_uri=str(small_lake.lake_dir), start_date=day)
    variables = {
        "DEFENDER_EXPORT_DIR": str(small_lake.export_dir),
        "DEFENDER_LAKE_URI": str(small_lake.lake_dir),
        "DEFENDER_START_DATE": day.isoformat(),
    }
    installation = Installation(tmp_path_factory.mktemp("ui"), variables)
    installation.prepare()

    def problems_of(which: date) -> tuple[str, ...]:
        with dg.DagsterInstance.from_config(str(installation.home)) as instance:
            (run,) = materialize_days(settings, [which], instance)
        return run.problems

    def materialize(which: date) -> tuple[str, ...]:
        # Playwright's event loop runs in this thread, and Dagster starts another one
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(problems_of, which).result()

    assert materialize(day) == ()
    with web_server(installation) as server:
        yield Site(server.address, small_lake.lake_dir, day, next_day, materialize)


@pytest.fixture
def watched(browser: Browser, site: Site) -> Iterator[Watched]:
    """An empty page of the UI."""
    with watching(browser, site.address) as page:
        yield page


def boxes(page: Page) -> dict[str, tuple[float, float, float, float]]:
    """The boxes of the lineage graph by their text: left, top, right, bottom."""
    found = page.evaluate(
        """() => [...document.querySelectorAll("foreignObject")].filter((box) => box.textContent).map((box) => {
          const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => Number(box.getAttribute(name)));
          return [box.textContent, [x, y, x + width, y + height]];
        })"""
    )
    return {text: tuple(box) for text, box in found}


def text_for(name: str, texts: Iterator[str]) -> str:
    """The text that shows a name: long names are shortened in the middle."""
    return next(text for text in texts if name.startswith(text.split("…")[0]) and name.endswith(text.split("…")[-1]))


def test_the_lineage_shows_every_asset_in_its_group_and_every_edge(watched: Watched, site: Site, keep: Keep) -> None:
    page = watched.page
    page.goto(f"{site.address}/asset-groups?expanded={','.join(f'global@global:{group}' for group in GROUPS)}")
    edges = sum(len(upstreams) for *_, upstreams in EXPECTED.values())
    expect(page.locator(EDGES)).to_have_count(edges)

    shown = boxes(page)
    assert len(shown) == len(GROUPS) + len(EXPECTED)
    for name, (group, *_) in EXPECTED.items():
        left, top, right, bottom = shown[text_for(name, iter(sorted(set(shown) - set(GROUPS))))]
        around = shown[group]
        assert around[0] <= left < right <= around[2], name
        assert around[1] <= top < bottom <= around[3], name
    drawn = [box for box in page.locator("foreignObject").all() if box.text_content()]
    edges_of = [box.bounding_box() or {"x": 0, "y": 0, "width": 0, "height": 0} for box in drawn]
    left, top = (min(box[side] for box in edges_of) - MARGIN for side in ("x", "y"))
    right = max(box["x"] + box["width"] for box in edges_of) + MARGIN
    bottom = max(box["y"] + box["height"] for box in edges_of) + MARGIN
    # the names are readable only without the page around the graph
    keep(page, "lineage", clip={"x": left, "y": top, "width": right - left, "height": bottom - top})


def test_an_asset_shows_what_it_is_and_what_each_column_means(watched: Watched, site: Site, keep: Keep) -> None:
    page = watched.page
    page.goto(f"{site.address}/assets/{LEADS.name}")
    for text in (
        "the state of the device at the time of the alert",
        LEAD_COLUMNS[-1].meaning,
        site.day.isoformat(),
        *("security-data", "Delta Lake", "Polars", "ingest_day", "new_blobs_sensor"),
        *(f"{site.lake_dir}/{LEADS.name}", "build_leads", "in Microsoft's portal"),
    ):
        page.get_by_text(text).first.wait_for()
    # small enough to be shown without a click
    page.get_by_role("img", name="Leads by severity").first.wait_for()

    assert page.locator(f"a[href='{DOCS}/leads.md']").count()
    shown = page.inner_text("body")
    assert [column.name for column in LEAD_COLUMNS if column.name not in shown] == []
    assert [column.name for column in LEAD_COLUMNS if column.meaning.replace("`", "") not in shown] == []
    keep(page, "leads")


def test_a_run_of_the_demo_is_listed_under_its_job(watched: Watched, site: Site) -> None:
    page = watched.page
    page.goto(f"{site.address}/{LOCATION}/jobs/{INGEST_DAY.name}/runs")

    page.get_by_text(f"partition: {site.day}").first.wait_for()


def test_the_first_page_shows_a_run_of_the_demo_under_its_job(watched: Watched, site: Site) -> None:
    page = watched.page
    page.goto(site.address)

    # without a run, the timeline has no row of this job: no schedule starts it
    page.locator(f"a[href*='/jobs/{INGEST_DAY.name}']").first.wait_for()


def test_hostile_text_in_a_preview_is_shown_and_has_no_effect(watched: Watched, site: Site) -> None:
    page = watched.page
    page.goto(f"{site.address}/assets/{LEADS.name}?view=events&partition={site.day}")
    page.get_by_text("egnp.exe").first.wait_for()

    shown = page.inner_text("body")
    assert r"\x1b[31m" in shown
    assert r"\u202egnp.exe" in shown
    assert "<script>" in HOSTILE_HTML
    assert page.title() != "run"
    assert page.locator("img[src=x], [onload], [onerror], a[href^='javascript']").count() == 0


def test_the_picture_of_the_day_is_one_click_away(watched: Watched, site: Site) -> None:
    page = watched.page
    page.goto(f"{site.address}/assets/{BRIEFS.name}?view=events&partition={site.day}")
    page.get_by_text("[Show Markdown]").click()
    picture = page.get_by_role("img", name="Leads by hour and severity")
    picture.wait_for()

    assert picture.evaluate("(image) => image.decode().then(() => [image.naturalWidth, image.naturalHeight])") == [
        480,
        132,
    ]
    assert f"defender-assets brief --day {site.day}" in page.inner_text("body")


def test_a_check_shows_its_result_and_what_to_do_if_it_fails(watched: Watched, site: Site) -> None:
    page = watched.page
    page.goto(f"{site.address}/assets/{DEVICE_INFO.name}?view=checks")
    page.get_by_text(QUIET_OR_BROKEN.name, exact=True).first.click()
    for text in (
        "Heartbeats are current for",
        QUIET_OR_BROKEN.description,
        *(check.name for check in (LINE_BALANCE, FRESHNESS, DRIFT)),
    ):
        page.get_by_text(text).first.wait_for()


def test_a_check_that_warned_of_one_day_still_warns_after_the_next_day_passed(watched: Watched, site: Site) -> None:
    """The hostile alert of the first day drifts; the second day has none. It comes last, because it adds a run."""
    page = watched.page
    assert site.materialize(site.next_day) == ()

    # the Checks tab
    page.goto(f"{site.address}/assets/{ALERT_INFO.name}?view=checks")
    page.get_by_text(DRIFT.name, exact=True).first.click()
    page.get_by_text(f"{site.day}: ").first.wait_for()
    page.get_by_text("Failed", exact=True).first.wait_for()
    # the page of the asset in the catalog
    page.goto(f"{site.address}/assets/{ALERT_INFO.name}")
    page.locator(WARNING).first.wait_for()
    # the graph
    page.goto(f"{site.address}/assets/{ALERT_INFO.name}?view=lineage")
    page.get_by_text("2 / 3 Passed").first.wait_for()
    page.locator(WARNING).first.wait_for()


def test_a_check_that_failed_for_one_day_is_red_after_the_next_day_passed(
    watched: Watched, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = watched.page

    def broken(lake: Lake, table: Table, day: date, *rest: Any) -> CheckOutcome:
        outcome = byte_balance(lake, table, day, *rest)
        return replace(outcome, passed=False) if (table, day) == (DEVICE_INFO, site.day) else outcome

    with monkeypatch.context() as patched:
        patched.setattr(runs, "RETRIES", None)
        patched.setattr(raw, "byte_balance", broken)
        assert BYTE_BALANCE.name in str(site.materialize(site.day))
    assert site.materialize(site.next_day) == ()

    # the Checks tab
    page.goto(f"{site.address}/assets/{DEVICE_INFO.raw}?view=checks")
    page.get_by_text(BYTE_BALANCE.name, exact=True).first.click()
    page.get_by_text(f"{site.day}: ").first.wait_for()
    page.get_by_text("Failed", exact=True).first.wait_for()
    page.locator(FAILURE).first.wait_for()
    # the page of the asset in the catalog
    page.goto(f"{site.address}/assets/{DEVICE_INFO.raw}")
    page.locator(FAILURE).first.wait_for()
    # the graph
    page.goto(f"{site.address}/assets/{DEVICE_INFO.raw}?view=lineage")
    page.get_by_text("0 / 1 Passed").first.wait_for()
    page.locator(FAILURE_IN_GRAPH).first.wait_for()
