"""What is due: by priority, mutes, triage, the first round of a destination, and what was sent before."""

from datetime import timedelta

from defender_assets.catalog import LEADS, STORIES
from defender_assets.outputs.notifications import outbox
from defender_assets.outputs.notifications.outbox import WATCH, WATCHING, Entry, NotificationKey
from defender_assets_tests.support.notified_team import NOON, TODAY, Team
from defender_assets_tests.support.triaged_leads import close, lead


def test_a_grown_story_is_sent_again_at_most_once_an_hour(team: Team) -> None:
    team.story("s", "a", "b")
    team.notify()
    team.story("s", "a", "b", "c")
    team.later(minutes=59).notify()
    assert team.titles() == ["New story: Story s"]
    team.story("s", "a", "b", "c", "d")
    team.later(minutes=2).notify()
    assert team.titles() == ["New story: Story s", "Story grown by 2 leads: Story s"]
    # fewer leads and a row in another partition are not growth
    team.story("s", "a", "b", "d", day=TODAY + timedelta(days=1))
    team.later(days=1).notify()
    assert len(team.slack.asked) == 2


def test_a_muted_or_low_risk_lead_is_not_sent_until_it_qualifies(team: Team) -> None:
    team.lead("muted", muted_by="scanner")
    team.lead("quiet", 79)
    team.lead("calmed")
    team.lead("calmed", 90, TODAY + timedelta(days=1), muted_by="scanner")
    team.later(days=1).notify()
    assert team.slack.asked == []
    team.lead("quiet", 80, TODAY + timedelta(days=1))
    team.notify()
    assert team.titles() == ["New lead: Lead quiet"]


def test_a_lead_that_its_story_raises_later_is_sent_then_and_once(team: Team) -> None:
    team.lead("a", 10)
    team.queue("a", 10, story_id=None)
    team.notify()
    assert team.slack.asked == []
    team.later(days=3)
    team.queue("a", 79, team.now.date())
    team.notify()
    assert team.slack.asked == []
    team.queue("a", 160, day=team.later(days=1).now.date())
    team.notify()
    assert team.titles() == ["New lead: Lead a"]
    shown = str(team.slack.accepted)
    assert "100 of 100, risk 10" in shown
    assert "Story s (score 70 of 100)" in shown
    # the story grows, the lead changes: it was sent
    team.queue("a", 190, team.later(days=1).now.date())
    team.lead("a", 95, team.now.date())
    team.notify()
    assert len(team.slack.asked) == 1


def test_a_muted_lead_is_not_sent_for_its_story(team: Team) -> None:
    team.lead("a", 10)
    team.queue("a", 95)
    team.lead("a", 10, TODAY + timedelta(days=1), muted_by="scanner")
    team.later(days=1).notify()
    assert team.slack.asked == []


def test_the_most_urgent_comes_first_by_priority(team: Team) -> None:
    for name, risk, priority in (("a", 90, 90), ("b", 10, 150), ("c", 85, 120)):
        team.lead(name, risk)
        team.queue(name, priority)
    team.notify()
    assert team.titles() == ["New lead: Lead b", "New lead: Lead c", "New lead: Lead a"]


def test_the_first_round_after_an_upgrade_sends_what_is_due_by_risk_and_no_old_story(team: Team) -> None:
    ago = TODAY - timedelta(days=9)
    # what an older version wrote: it watched for ten days at this risk
    watched = Entry(NotificationKey("slack", WATCH, None, "80"), WATCHING, since=TODAY - timedelta(days=10))
    outbox.record(team.lake, [watched], team.now)
    team.lead("missed", 95, ago)
    team.lead("raised", 10, ago)
    # the sweep builds the queue of the older day
    team.queue("raised", 95, ago)
    team.lead("new", 10)
    team.queue("new", 95)
    team.notify()
    assert sorted(team.titles()) == ["New lead: Lead missed", "New lead: Lead new"]
    team.queue("raised", 99)
    team.notify()
    assert len(team.slack.asked) == 2


def test_the_first_round_sends_only_yesterday_and_today(team: Team) -> None:
    for back in range(5):
        day = TODAY - timedelta(days=back)
        team.lead(f"{back}", day=day)
        team.story(f"s{back}", f"{back}", f"x{back}", day=day)
    # an older lead that changed today is not sent, a story that grew today is
    team.lead("3", 95, TODAY)
    team.story("s4", "4", "x4", "new", day=TODAY)
    team.notify()
    assert sorted(team.titles()) == [
        "New lead: Lead 0",
        "New lead: Lead 1",
        "New story: Story s0",
        "New story: Story s1",
        "Story grown by 1 lead: Story s4",
    ]


def test_the_start_of_watching_survives_pauses_and_a_raised_risk(team: Team) -> None:
    team.notify()
    for _ in range(5):
        team.later(days=6).notify()
    team.lead("late", 95, team.now.date() - timedelta(days=9))
    team.lead("medium", 70, team.now.date() - timedelta(days=9))
    team.risk = 90
    team.notify()
    assert team.titles() == ["New lead: Lead late"]
    # a lower risk than ever starts again
    team.risk = 60
    team.notify()
    assert len(team.slack.asked) == 1


def test_a_story_under_another_id_is_sent_only_for_leads_that_were_not_sent(team: Team) -> None:
    team.story("s", "b", "c")
    team.notify()
    # an earlier lead arrived on the same day: the story now begins with it
    team.put(STORIES.name, [], TODAY, replaces="story_id = 's'")
    team.story("t", "a", "b", "c")
    team.later(minutes=2).notify()
    assert team.titles() == ["New story: Story s"]
    team.later(hours=1).notify()
    assert team.titles()[1:] == ["Story grown by 1 lead: Story t"]
    # its first lead leaves the look-back
    team.story("u", "b", "c", day=TODAY + timedelta(days=1))
    team.later(days=1).notify()
    assert len(team.slack.asked) == 2


def test_what_existed_before_the_first_round_is_never_sent(team: Team) -> None:
    old = TODAY - timedelta(days=5)
    team.lead("old", day=old)
    team.story("olds", "old", "b", day=old)
    for days in range(0, 41, 8):
        team.now = NOON + timedelta(days=days)
        team.lead("old", day=team.now.date())
        team.story("olds", "old", "b", day=team.now.date())
        team.notify()
    assert team.slack.asked == []


def test_a_story_of_muted_leads_is_not_sent_and_muted_leads_are_not_named(team: Team) -> None:
    team.slack.answers = [500, 200]
    team.lead("a", 50)
    team.lead("b", 50)
    team.lead("c", 50)
    team.story("s", "a", "b")
    team.story("t", "a", "c", "d")
    team.notify()
    team.lead("a", 50, TODAY + timedelta(days=1), muted_by="scanner")
    team.later(days=1).notify()
    assert team.titles() == ["New story: Story t"]
    assert "Lead a" not in str(team.slack.accepted)
    assert "Lead c" in str(team.slack.accepted)


def test_a_lower_risk_does_not_forget_stories(team: Team) -> None:
    team.notify()
    team.later(days=3)
    team.risk = 60
    team.story("late", "a", "b", day=TODAY)
    team.notify()
    assert team.titles() == ["New story: Story late"]


def test_closed_leads_and_stories_are_not_sent_until_they_are_open_again(team: Team) -> None:
    for lead_id in ("a", "b", "c"):
        team.lead(lead_id, lead_version="v1")
    team.story("s", "a", "b")
    for lead_id in ("a", "b"):
        close(team.lake, lead(lead_id))
    team.notify()
    assert team.titles() == ["New lead: Lead c"]
    # one lead of the story says something else: it is open again, and so is the story
    team.put(LEADS.name, [{**lead("a", "v2"), "risk_score": 90}], TODAY, replaces="lead_id = 'a'")
    team.later(minutes=5).notify()
    assert team.titles()[1:] == ["New lead: Title of a", "New story: Story s"]
    # a lead that is closed after it was sent is not sent again
    close(team.lake, lead("c"))
    team.later(minutes=5).notify()
    assert len(team.titles()) == 3
