"""The content of the brief, from a few rows. Its look is in `integration/browser/test_brief.py`."""

import base64
import hashlib
import re
from collections.abc import Iterable
from datetime import timedelta
from html import unescape
from typing import Any

import polars as pl

from defender_assets.core.leads.risk.muting import exclude_muted
from defender_assets.core.queue.build import build_queue
from defender_assets.core.queue.schema import QUEUE_SCHEMA
from defender_assets.core.schemas import DEVICE_INFO, QUARANTINE_SCHEMA
from defender_assets.core.stories import STORY_SCHEMA, build_stories
from defender_assets.outputs.brief.build import build_briefs
from defender_assets.outputs.brief.entries import LEADS_SHOWN
from defender_assets.outputs.brief.page import _whole_names
from defender_assets.outputs.brief.schema import BRIEF_SCHEMA
from defender_assets.outputs.brief.timelines import STEPS_SHOWN
from defender_assets_tests.support.alert_rows import DAY, OTHER_TENANT, TENANT, at, beat, frame, lead_frame, lead_row

Row = dict[str, Any]


def nothing() -> list[pl.LazyFrame]:
    """No stories, no queue, no heartbeats and no quarantined lines."""
    return [
        pl.LazyFrame(schema=schema) for schema in (STORY_SCHEMA, QUEUE_SCHEMA, DEVICE_INFO.schema, QUARANTINE_SCHEMA)
    ]


def brief(
    leads: Iterable[Row] = (),
    stories: pl.LazyFrame | None = None,
    beats: Iterable[Row] = (),
    quarantined: Iterable[Row] = (),
) -> Row:
    """The brief of DAY, with the queue that these leads and stories make."""
    leads = list(leads)
    stories = pl.LazyFrame(schema=STORY_SCHEMA) if stories is None else stories
    queue = build_queue(DAY, lead_frame(leads), stories).lazy()
    lines = pl.DataFrame(list(quarantined), schema=QUARANTINE_SCHEMA).lazy()
    rows = build_briefs(DAY, lead_frame(leads), stories, queue, frame(DEVICE_INFO, beats), lines)
    assert rows.schema == BRIEF_SCHEMA
    return rows.row(0, named=True)


def text_of(html: str) -> str:
    """The visible text of the page, with single spaces."""
    body = html[html.index("<body>") :]
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", body).split()))


def test_a_day_without_leads_is_a_quiet_one() -> None:
    row = brief(beats=[beat()])

    assert "Defender brief · all times UTC Tuesday 10 March 2026" in text_of(row["html"])
    assert row["headline"] == "A quiet day: no lead was new or changed."
    assert (row["lead_count"], row["story_count"], row["tenants"], row["tenant_id"]) == (0, 0, [TENANT], TENANT)
    assert "No lead of the day names a device." in text_of(row["html"])


def test_a_day_without_data_has_no_brief() -> None:
    day_before = lead_frame([lead_row("a", day=DAY - timedelta(days=1))])

    assert build_briefs(DAY, day_before, *nothing()).equals(BRIEF_SCHEMA.to_frame())


def test_only_leads_of_the_day_are_counted_by_severity_product_and_hour() -> None:
    row = brief(
        [
            lead_row("a", when=at(-4), severity="High", product="identity"),
            lead_row("b", when=at(-4), severity="high"),
            lead_row("c", when=at(days=-3), severity="Critical"),
            lead_row("d", severity="High", day=DAY - timedelta(days=1)),
        ]
    )

    text = text_of(row["html"])
    assert row["lead_count"] == 3
    assert row["headline"] == "3 leads, 2 of high severity; no story links any of them."
    assert "High 2 Medium 0 Low 0 Informational 0 Other 1" in text
    assert "Endpoint 2 Identity 1" in text
    assert "Busiest: 08-09 h, 2 leads. 1 lead of another day’s alerts." in text.replace("–", "-")
    assert row["picture"].count("<rect class=") == 1


def test_the_riskiest_leads_come_first_with_all_reasons_and_the_rest_are_counted() -> None:
    reasons = [{"reason": "Microsoft rates the alert High", "points": 40}, {"reason": "Blocked", "points": -20}]
    leads = [lead_row(f"{number:02}", risk_score=number) for number in range(LEADS_SHOWN + 5)]
    leads[-1] |= {"risk_reasons": reasons, "portal_url": "https://security.microsoft.com/alerts/x?tid=y"}

    html = brief(leads)["html"]

    titles = re.findall(r"Title of (\d\d)", html)
    assert titles == [f"{number:02}" for number in reversed(range(5, LEADS_SHOWN + 5))]
    assert "+40 Microsoft rates the alert High −20 Blocked" in text_of(html)  # noqa: RUF001 (a true minus sign)
    assert 'href="https://security.microsoft.com/alerts/x?tid=y"' in html
    assert f"{LEADS_SHOWN} of {LEADS_SHOWN + 5}" in html


def test_leads_of_one_detection_are_one_entry_with_their_number() -> None:
    hostile = {"title": "<img src=x onerror=alert(1)>\u202e rule"}
    leads = [lead_row(f"{number:04}", risk_score=50) | hostile for number in range(120)]
    leads += [lead_row("5000", risk_score=40), lead_row("6000", risk_score=30) | {"title": None}]
    leads += [lead_row("7000", risk_score=30) | {"title": None}]

    html = brief(leads)["html"]

    listed = html[html.index('<ol class="leads">') :]
    assert listed.count('id="lead-') == 4
    text = text_of(html)
    assert "Leads to look at first 123 of 123" in text
    assert text.count("… and 119 more leads of this detection") == 1
    assert text.count("of this detection") == 1
    assert "<img" not in html
    assert "All of them, each on its own: defender-assets leads --until" in text


def test_a_detection_in_a_story_is_apart_from_the_same_one_in_none() -> None:
    shared = (("device", "pc"), ("file", "tool.exe"))
    same = {"title": "Same rule"}
    leads = [
        lead_row("a", *shared, when=at(-2), risk_score=60) | same,
        lead_row("b", *shared, when=at(-1), risk_score=60, category="Discovery"),
        lead_row("c", *shared, when=at(-1), risk_score=60) | same,
        lead_row("d", when=at(-9), risk_score=60) | same,
        lead_row("e", when=at(-9), risk_score=60, product="identity") | same,
    ]

    stories = build_stories(DAY, lead_frame(leads))
    row = brief(leads, stories.lazy())

    listed = row["html"][row["html"].index('<ol class="leads">') :]
    assert listed.count('id="lead-') == 4
    (line,) = re.findall(
        r"… and 1 more lead of this detection in the story: defender-assets story (\w{8})", text_of(row["html"])
    )
    assert stories["story_id"][0].startswith(line)


def test_a_lead_of_an_earlier_day_comes_first_when_its_story_forms() -> None:
    shared = (("device", "pc"), ("file", "tool.exe"))
    day_before = DAY - timedelta(days=1)
    changed = {"change": "updated", "changes": ["Severity: Low → High"], "device_match": "as_of"}
    url = "https://security.microsoft.com/alerts/x?tid=y"
    leads = [
        lead_row("a", *shared, when=at(-20), day=day_before)
        | changed
        | {"risk_score": 15, "device_age_seconds": 2199, "portal_url": url},
        lead_row("b", *shared, when=at(-1), risk_score=60, product="identity", category="Discovery"),
        *(lead_row(f"c{number}", risk_score=20) for number in range(LEADS_SHOWN)),
        lead_row("untouched", day=day_before, risk_score=99),
    ]
    stories = build_stories(DAY, lead_frame(leads))

    row = brief(leads, stories.lazy())

    listed = row["html"][row["html"].index('<ol class="leads">') :]
    assert re.findall(r"<h3>(?:<a [^>]+>)?Title of (\w+)</", listed)[:2] == ["b", "a"]
    assert "untouched" not in listed
    text = text_of(row["html"])
    assert f"Leads to look at first {LEADS_SHOWN} of {LEADS_SHOWN + 2}" in text
    assert row["lead_count"] == LEADS_SHOWN + 1
    title, score = stories.row(0, named=True)["title"], stories.row(0, named=True)["score"]
    assert f"Story: {title} (score {score} of 100)" in text
    assert text.count("The lead is of an earlier day, its story changed today") == 1
    assert "Changed:" not in text
    assert "device state 36 minutes before the alert" in text
    assert "The alert itself has a risk of 15" in text
    assert f'href="{url}" rel="noopener noreferrer">Open in Defender' in row["html"]


def test_stories_are_ordered_by_points_beyond_100() -> None:
    names = ("one", "two", "three")
    leads = [lead_row(f"{name}{n}", ("file", name), ("host", name)) for name in names for n in range(2)]
    stories = build_stories(DAY, lead_frame(leads)).sort("title")
    points = {"one": 120, "two": 180, "three": None}
    values = [next(points[name] for name in names if name in title) for title in stories["title"]]
    stories = stories.with_columns(points=pl.Series(values, dtype=pl.Int64), score=pl.lit(100, pl.Int64))

    html = brief(leads, stories.lazy())["html"]

    assert re.findall(r'<h3 id="story-[^>]+>[^<]*Title of (\w+?)\d', html) == ["two", "one", "three"]


def test_without_a_queue_the_risk_counts() -> None:
    leads = lead_frame([lead_row("a", risk_score=10), lead_row("b", risk_score=70)])

    html = build_briefs(DAY, leads, *nothing()).row(0, named=True)["html"]

    assert re.findall(r"Title of (\w)</", html) == ["b", "a"]


def test_a_lead_shows_its_changes_and_a_story_its_merged_stories() -> None:
    host = ("device", "pc")
    leads = [
        lead_row("a", host, change="updated", changes=["Severity: Low → High"]),
        lead_row("b", host, change="updated"),
        lead_row("c", change="new"),
    ]
    stories = build_stories(DAY, lead_frame(leads)).with_columns(merged_story_ids=pl.lit(["s"], pl.List(pl.String)))

    text = text_of(brief(leads, stories.lazy())["html"])

    assert "Changed: Severity: Low → High" in text
    assert text.count("Changed:") == 2
    assert "took in 1 earlier story" in text


def test_a_muted_lead_is_counted_and_not_shown() -> None:
    leads = lead_frame([lead_row("a"), lead_row("b")])
    muted = leads.with_columns(muted_by=pl.Series([None, "known scanner"], dtype=pl.String))

    assert exclude_muted(muted).collect()["lead_id"].to_list() == ["a"]
    assert exclude_muted(leads).collect().height == 2
    row = build_briefs(DAY, muted, *nothing()).row(0, named=True)
    assert row["lead_count"] == 1
    assert "1 muted lead left out." in row["html"]
    assert "Title of b" not in row["html"]


def test_a_story_shows_its_alerts_in_order_of_time_and_marks_new_ones() -> None:
    shared = (("device", "pc"), ("file", "tool.exe"))
    early = lead_row("a", *shared, when=at(-20), day=DAY - timedelta(days=1), category="InitialAccess")
    late = lead_row("b", *shared, when=at(-1), category="Execution", device_name="pc.example", title="Ran it")
    stories = build_stories(DAY, lead_frame([late, early])).lazy()

    html = brief([late, early], stories)["html"]

    timeline = html[html.index('<ol class="timeline"') : html.index('<div class="why">')]
    assert re.findall(r'<li class="(\w+ ?\w*)"', timeline) == ["medium", "medium fresh"]
    assert re.findall(r'<time datetime="([^"]+)">([^<]+)<', timeline) == [
        ("2026-03-09T16:00:00Z", "9 Mar 16:00"),
        ("2026-03-10T11:00:00Z", "11:00"),
    ]
    assert re.findall(r"<span>(Initial Access|Execution)</span>", timeline) == ["Initial Access", "Execution"]
    assert re.findall(r"same [a-z, ]+ as before", timeline) == ["same device, file as before"]
    tactics = html[html.index('<ol class="tactics"') : html.index('<ol class="timeline"')]
    assert re.findall(r"<li>([^<]+)</li>", tactics) == ["Initial Access", "Execution"]
    assert 'href="#story-' in html


def test_a_long_story_is_cut_and_names_the_command_for_the_rest() -> None:
    leads = [
        lead_row(f"{n:03}", ("file", f"{n}.exe"), ("file", f"{n + 1}.exe"), when=at(-10 + n / 60))
        for n in range(STEPS_SHOWN + 7)
    ]
    stories = build_stories(DAY, lead_frame(leads)).lazy()

    html = brief(leads, stories)["html"]

    assert html.count("<time datetime=", html.index('"timeline"'), html.index('"why"')) == STEPS_SHOWN
    assert "… and 7 alerts more: defender-assets story" in text_of(html)


def test_every_lead_names_its_tenant_if_there_are_several() -> None:
    both = brief([lead_row("a"), lead_row("a", tenant_id=OTHER_TENANT, title="Of the other")])
    one = brief([lead_row("a"), lead_row("b")])

    assert both["tenant_id"] is None
    assert both["tenants"] == [TENANT, OTHER_TENANT]
    assert f"tenant {OTHER_TENANT[:8]}" in both["html"]
    assert one["tenant_id"] == TENANT
    assert "tenant aaaaaaaa" not in one["html"]


def test_a_lead_of_another_tenant_is_never_part_of_a_story() -> None:
    shared = (("device", "pc"), ("file", "tool.exe"))
    ours = [lead_row("a", *shared, when=at(-2)), lead_row("b", *shared)]
    stories = build_stories(DAY, lead_frame(ours)).lazy()
    foreign = lead_row("a", *shared, tenant_id=OTHER_TENANT, title="Of the other")

    html = brief([*ours, foreign], stories)["html"]

    story = html[html.index("<article") : html.index("</article>")]
    assert "Title of a" in story
    assert "Of the other" not in story


def test_the_data_section_shows_quarantined_lines_late_arrival_and_silent_days() -> None:
    beats = [beat(day=DAY - timedelta(days=back), when=at(days=-back)) for back in (0, 1, 4)]
    quarantined = [
        {"tenant_id": TENANT, "export_date": DAY, "reason": reason} for reason in ("not_json", "not_json", "no_key")
    ]
    lead = lead_row("a", change="new", first_seen_at=at(1.5))

    row = brief([lead], beats=beats, quarantined=quarantined)

    text = text_of(row["html"])
    assert row["quarantined_lines"] == 3
    assert "3 lines: 2 not_json, 1 no_key." in text
    assert "no heartbeat arrived on 7 Mar, 8 Mar" in text
    assert "alerts 1 h 30 min after the event" in text
    assert "heartbeats 1 h after the event" in text


def test_days_before_the_first_heartbeat_are_not_silent() -> None:
    assert "none of the last eight" in brief(beats=[beat()])["html"]


def test_the_policy_allows_only_the_style_of_the_page() -> None:
    html = brief(beats=[beat()])["html"]

    style = html[html.index("<style>") + len("<style>") : html.index("</style>")]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert policy in unescape(html)
    assert "@import" not in style
    assert "url(" not in style
    assert " style=" not in html


def test_the_same_rows_in_another_order_make_the_same_page() -> None:
    leads = [lead_row(name, ("device", "pc"), when=at(hour)) for name, hour in (("a", 1), ("b", 2), ("c", 2))]
    stories = build_stories(DAY, lead_frame(leads)).lazy()

    assert brief(leads, stories) == brief(reversed(leads), stories)


def test_names_with_hyphens_are_kept_whole_and_escaped() -> None:
    shown = _whole_names("2 alerts on ws-04.<b>-x: a - \x1b-y")
    assert shown == ('2 alerts on <span class="whole">ws-04.&lt;b&gt;-x:</span> a - <span class="whole">\\x1b-y</span>')
