"""Each notification is sent once, none is lost: restarts, failing receivers, competing notifiers, claims."""

import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
from deltalake.exceptions import CommitFailedError

from defender_assets.core.errors import LakeError
from defender_assets.core.lake.compaction import compact
from defender_assets.core.lake.lake import Commit
from defender_assets.core.lake.maintenance import maintain
from defender_assets.core.lake.snapshots import scan
from defender_assets.outputs.notifications import delivery, outbox, selection
from defender_assets.outputs.notifications.delivery import LEASE, Notifier
from defender_assets.outputs.notifications.incidents import RUN_FAILED, SILENCE, Incident, Incidents
from defender_assets.outputs.notifications.schema import SENT_NOTICES
from defender_assets.outputs.queries.views import collected
from defender_assets_tests.support.notified_team import NOON, TODAY, Team
from defender_assets_tests.support.webhook_receiver import DROP, receiving


def test_one_message_per_new_lead_and_story_across_three_restarts(team: Team) -> None:
    team.lead("a")
    team.story("s", "a", "b")
    for number in range(4):
        team.notify()
        team.later(minutes=7)
        if number == 1:
            team.story("t", "c", "d", day=team.now.date())
    assert sorted(team.titles()) == ["New lead: Lead a", "New story: Story s", "New story: Story t"]
    assert len(team.slack.asked) == 3


def test_nothing_is_lost_while_the_receiver_is_down(team: Team) -> None:
    team.slack.answers = [500, DROP, 503]
    for number in range(12):
        if number < 6:
            team.lead(f"{number}", day=team.now.date())
            team.story(f"s{number}", f"{number}", f"x{number}", day=team.now.date())
        if number == 8:
            team.slack.answers = [200]
        team.notify()
        team.later(minutes=25)
    sent = Counter(lead for lead in team.entries().filter(state="sent")["subject_id"])
    assert sent == Counter({f"{prefix}{number}": 1 for prefix in ("", "s") for number in range(6)})
    # more than ten: one digest
    (title,) = team.titles()
    assert title == "Many at once: 6 leads, 6 stories"


def test_pauses_grow_while_the_receiver_is_down_and_restart_after_a_success(team: Team) -> None:
    team.slack.answers = [500]
    team.lead("a")
    team.notify()
    for number, minutes in enumerate([1, 2, 4, 8, 16, 32, 60, 60], start=2):
        team.later(minutes=minutes, seconds=-1).notify()
        assert len(team.slack.asked) == number - 1
        team.later(seconds=1).notify()
        assert len(team.slack.asked) == number
    team.slack.answers = [200]
    team.later(hours=1).notify()
    assert team.titles() == ["New lead: Lead a"]
    team.slack.answers = [500]
    team.lead("b")
    team.notify()
    (last,) = team.entries().filter(kind="pause").tail(1).to_dicts()
    assert (last["state"], last["attempts"]) == ("waiting", 1)


@pytest.mark.parametrize(("asked", "seconds"), [("900", 900), ("Tue, 03 Nov 2026 12:20:00 GMT", 1200), ("5", 60)])
def test_retry_after_is_honoured(team: Team, asked: str, seconds: int) -> None:
    team.slack.answers = [(429, {"Retry-After": asked}), 200]
    team.lead("a")
    (report,) = team.notify()
    assert "answered 429 (too many messages)" in str(report.problem)
    team.later(seconds=seconds - 1).notify()
    assert len(team.slack.asked) == 1
    team.later(seconds=2).notify()
    assert team.titles() == ["New lead: Lead a"]


def test_a_refused_message_does_not_block_the_others(team: Team) -> None:
    team.slack.answers = [400, 200]
    team.lead("worst", 99)
    team.lead("other", 85)
    (report,) = team.notify()
    assert report.problem == "answered 400 (the receiver refuses the message)"
    assert team.titles() == ["New lead: Lead other"]
    team.later(seconds=59).notify()
    assert len(team.slack.asked) == 2
    team.later(seconds=2).notify()
    assert team.titles() == ["New lead: Lead other", "New lead: Lead worst"]


def test_a_refused_notification_does_not_block_a_digest(team: Team) -> None:
    team.slack.refuses = "Lead poison"
    team.leads("poison", *map(str, range(11)))
    team.notify()
    assert team.titles() == []
    team.leads(*map(str, range(20, 32)))
    team.later(minutes=2).notify()
    # one digest of those that were never refused; one message for each of the others
    assert team.titles() == ["Many at once: 12 leads", *(f"New lead: Lead {number}" for number in range(11))]
    team.slack.refuses = None
    team.later(minutes=3).notify()
    team.later(hours=1).notify()
    assert team.titles()[-1] == "New lead: Lead poison"
    assert team.entries().filter(state="sent")["subject_id"].value_counts()["count"].to_list() == [1] * 24


def test_an_html_page_with_status_200_is_not_a_delivery(team: Team) -> None:
    team.slack.body = b"\r\n<!DOCTYPE html><html><body>Sign in to the proxy"
    team.lead("a")
    (report,) = team.notify()
    assert "answered 200 with an HTML page" in str(report.problem)
    team.slack.body = b"ok"
    team.later(minutes=1).notify()
    assert team.entries().filter(state="sent")["subject_id"].to_list() == ["a"]
    assert len(team.slack.asked) == 2


def test_ten_are_ten_messages_and_more_are_one_digest(team: Team) -> None:
    team.leads(*map(str, range(10)))
    team.notify()
    assert len(team.slack.accepted) == 10
    assert len(team.paced) == 9
    team.leads(*map(str, range(10, 40)))
    team.notify()
    team.notify()
    assert len(team.slack.accepted) == 11
    assert team.titles()[-1] == "Many at once: 30 leads"
    assert team.entries().filter(state="sent")["subject_id"].n_unique() == 40


def test_two_concurrent_notifiers_send_once(team: Team) -> None:
    team.notify(SILENT)
    team.slack.accepted.clear()
    team.lead("a")
    team.story("s", "a", "b")
    team.lake.open(SENT_NOTICES)
    barrier, reports = threading.Barrier(2), []

    def deliver() -> None:
        notifier = team.notifier
        barrier.wait()
        reports.extend(notifier.deliver(OVER))

    threads = [threading.Thread(target=deliver) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(team.titles()) == [ENDED, "New lead: Lead a", "New story: Story s"]
    assert sum(len(report.sent) for report in reports) == 3


def test_a_notifier_that_loses_the_claim_to_another_sends_nothing(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    team.lead("a")
    append, pending = outbox.append, [True]

    def interrupted(*arguments: object) -> None:
        if pending:
            pending.clear()
            # around midnight the other notifier writes to another day
            Notifier(team.lake, team.config, lambda: team.now + timedelta(hours=12)).deliver(Incidents())
        append(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(delivery, "append", interrupted)
    team.notify()
    assert team.titles() == ["New lead: Lead a"]


def test_the_claim_of_a_notifier_that_died_expires(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    team.lead("a")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(delivery, "post", killed)
    with pytest.raises(KeyboardInterrupt):
        team.notify()
    monkeypatch.undo()
    team.later(minutes=9).notify()
    assert team.slack.asked == []
    team.later(seconds=LEASE.total_seconds() - 9 * 60).notify()
    team.notify()
    assert team.titles() == ["New lead: Lead a"]


def test_a_failure_between_answer_and_record_sends_exactly_once_more(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.lead("a")

    def failing(*_: object) -> None:
        raise LakeError("no permission")

    monkeypatch.setattr(delivery, "record", failing)
    with pytest.raises(LakeError):
        team.notify()
    monkeypatch.undo()
    for _ in range(3):
        team.later(minutes=10).notify()
    assert team.titles() == ["New lead: Lead a"] * 2


def test_destinations_are_independent(team: Team) -> None:
    team.lead("a")
    with receiving() as other:
        other.answers = [500, 202]
        team.teams = other
        team.notify()
        team.later(minutes=1).notify()
        assert (len(team.slack.accepted), len(other.asked), len(other.accepted)) == (1, 2, 1)


def test_an_incident_is_sent_once_until_it_recovers(team: Team) -> None:
    failed = Incident(RUN_FAILED, "2026-11-02", "The run of 2026-11-02 failed", "out of order", "0123456789")
    bad = Incidents((failed,), frozenset({failed.key}))
    recovered = Incidents((), frozenset({failed.key}))
    for incidents in (bad, bad, Incidents(), bad):
        team.notify(incidents)
    assert team.titles() == ["Data health: The run of 2026-11-02 failed"]
    for incidents in (recovered, recovered, bad, bad):
        team.notify(incidents)
    assert len(team.slack.accepted) == 2


SILENT = Incidents((Incident(SILENCE, "tenant t", "Silence: tenant t", "no heartbeat", "0123456789"),))
OVER = Incidents(ended=(Incident(SILENCE, "tenant t", "Silence is over: tenant t", "", "0123456789"),))
BEGUN, ENDED = "Data health: Silence: tenant t", "Data health: Silence is over: tenant t"


def test_a_silence_is_sent_once_and_its_end_once(team: Team) -> None:
    # an end without a beginning is no news; a lost Dagster database knows neither
    for incidents in (OVER, SILENT, SILENT, Incidents(), SILENT, OVER, OVER, Incidents(), OVER):
        team.notify(incidents)
    assert team.titles() == [BEGUN, ENDED]
    for incidents in (SILENT, SILENT, OVER, OVER):
        team.notify(incidents)
    assert team.titles() == [BEGUN, ENDED] * 2
    ids = team.entries().filter(pl.col("sent_at").is_not_null())["notice_id"]
    assert ids.n_unique() == 4


def test_the_end_of_a_silence_survives_a_receiver_that_is_down_and_a_notifier_that_died(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.slack.answers = [200, 500, 400, 200]
    for incidents in (SILENT, OVER, OVER, SILENT, OVER):
        team.notify(incidents)
        team.later(minutes=5)
    assert team.titles() == [BEGUN, ENDED]
    monkeypatch.setattr(delivery, "post", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    for incidents in (SILENT, OVER):
        with pytest.raises(KeyboardInterrupt):
            team.notify(incidents)
        monkeypatch.undo()
        team.later(minutes=9).notify(incidents)
        team.later(minutes=2).notify(incidents)
        monkeypatch.setattr(delivery, "post", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert team.titles() == [BEGUN, ENDED] * 2


def test_a_round_that_is_out_of_time_leaves_the_rest_to_the_next_round(team: Team) -> None:
    team.leads("0", "1", "2", "3")
    slow = replace(team.notifier, pace=lambda _: (team.later(seconds=8), None)[1])
    (report,) = slow.deliver(Incidents())
    assert (len(report.sent), report.problem) == (2, "out of time; the next round sends the rest")
    team.notify()
    assert team.titles() == [f"New lead: Lead {number}" for number in range(4)]


def test_a_slow_lake_does_not_prevent_the_first_message(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    team.leads("0", "1")
    monkeypatch.setattr(selection, "collected", lambda *arguments: (team.later(seconds=16), collected(*arguments))[1])
    for number in range(2):
        team.notify()
        assert len(team.slack.accepted) == number + 1


def test_entries_from_a_clock_that_was_ahead_block_nothing(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = NOON + timedelta(days=20)
    # it began to watch in the future, sent one, had to wait, and died with a claim
    team.now = ahead
    team.notify()
    team.now = NOON
    team.lead("a")
    team.story("s", "a", "b")
    team.notify()
    assert sorted(team.titles()) == ["New lead: Lead a", "New story: Story s"]
    team.now = ahead
    team.story("s", "a", "b", "c")
    team.lead("late")
    team.slack.answers = [200, 500, 200]
    team.notify()
    monkeypatch.setattr(delivery, "post", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        team.later(minutes=5).notify()
    monkeypatch.undo()
    team.now = NOON + timedelta(hours=2)
    team.notify()
    team.story("s", "a", "b", "c", "d")
    team.later(hours=2).notify()
    assert sorted(team.titles()[2:]) == [
        "New lead: Lead late",
        "Story grown by 1 lead: Story s",
        "Story grown by 1 lead: Story s",
    ]


def test_maintenance_keeps_what_was_sent(team: Team) -> None:
    for number in range(4):
        team.lead(f"{number}")
        team.notify()
    before = team.entries()
    (done,) = compact(team.lake, SENT_NOTICES)
    assert (done.files_before, done.files_after) == (before["entry"].n_unique(), 1)
    assert team.entries().equals(before)
    maintain(team.lake, SENT_NOTICES)
    team.notify()
    assert len(team.slack.asked) == 4
    _, current = outbox.open_outbox(team.lake, team.now)
    assert sum(delivery.sent_count for delivery in current.states.values()) == 4


def test_a_compaction_that_conflicts_with_a_claim_fails(team: Team) -> None:
    team.lead("a")
    team.notify()
    compaction = team.lake.fenced(SENT_NOTICES, TODAY)
    rows = scan(compaction.table).collect()
    team.lead("b")
    team.notify()
    with pytest.raises(CommitFailedError):
        team.lake.commit(compaction, Commit([rows], compaction.version, replaces=""))


def test_nothing_new_writes_nothing(team: Team) -> None:
    team.lead("a")
    team.notify()
    before = team.lake.open(SENT_NOTICES).version()
    team.notify()
    assert team.lake.open(SENT_NOTICES).version() == before


def test_a_preview_neither_sends_nor_writes(team: Team) -> None:
    team.lead("a")
    ((destination, notifications, payload),) = team.notifier.preview(Incidents())
    assert (destination, [notification.subject_id for notification in notifications]) == ("slack", ["a"])
    assert payload["blocks"][0]["text"]["text"] == "New lead: Lead a"
    assert team.slack.asked == []
    assert not team.lake.exists(SENT_NOTICES)
