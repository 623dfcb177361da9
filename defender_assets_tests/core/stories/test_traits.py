"""An attack that shares no single thing but its traits is one story; a rule that fires everywhere is none."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from defender_assets.core.queue.build import build_queue
from defender_assets.core.stories import build_stories
from defender_assets_tests.support.alert_rows import (
    DAY,
    Records,
    Row,
    apart,
    at,
    evidence,
    info,
    leads_of,
    machine,
    of_each,
)

MANY = 20

Evidence = Callable[[str, int], list[Row]]


def sign_in(address: str, client: str = "Mozilla/5.0 (Windows NT 10.0) Chrome/140.0.0.0 Safari/537.36") -> Evidence:
    def rows(alert: str, n: int) -> list[Row]:
        fields = {"SessionId": f"session-{n}", "UserAgent": client}
        return [
            evidence("User", alert, AccountUpn=f"user{n}@contoso.example"),
            evidence("Ip", alert, RemoteIP=address.format(n=n, few=n % 4, hex=f"{n:x}")),
            evidence("CloudLogonSession", alert, fields=fields),
        ]

    return rows


def mail(subject: str, host: str = "h{n}.example", sender: str = "s{n}@m{n}.example") -> Evidence:
    def rows(alert: str, n: int) -> list[Row]:
        fields = {"Sender": sender.format(n=n), "Recipient": f"user{n}@contoso.example"}
        return [
            evidence("MailMessage", alert, NetworkMessageId=f"m{n}", EmailSubject=subject.format(n=n), fields=fields),
            evidence("Url", alert, RemoteUrl=f"https://{host.format(n=n)}/x"),
        ]

    return rows


def malware(family: str) -> Evidence:
    def rows(alert: str, n: int) -> list[Row]:
        return [
            machine(f"{n:040x}", alert),
            evidence("User", alert, AccountUpn=f"user{n}@contoso.example"),
            evidence("File", alert, SHA256=f"{n:064x}", FileName=f"x{n}.exe", ThreatFamily=family.format(n=n)),
        ]

    return rows


def records(rows: Evidence, count: int = MANY, hours: float = 1) -> Records:
    infos, evidences = [], []
    for n in range(count):
        alert, when = f"da{n:03}", at(n * hours / count)
        infos.append(info(alert, Timestamp=when, Title="One detection"))
        evidences += [row | {"Timestamp": when} for row in rows(alert, n)]
    week: dict[str, Any] = {"day": DAY - timedelta(days=7), "Timestamp": at(days=-7)}
    return Records([*infos, info("week", **week)], evidences)


def stories_of_each(cases: Iterable[Records]) -> tuple[list[pl.DataFrame], list[pl.DataFrame]]:
    """Return stories and queue of each case, from one build of all."""
    cases = list(cases)
    infos, evidences = apart(case.infos for case in cases), apart(case.evidences for case in cases)
    leads = leads_of(infos, evidences).lazy()
    stories = build_stories(DAY, leads)
    queue = build_queue(DAY, leads, stories.lazy())
    return of_each(stories, len(cases)), of_each(queue, len(cases))


def sizes(attacks: Mapping[str, Evidence], count: int = MANY, hours: float = 1) -> dict[str, list[int]]:
    """Return the sizes of the stories of each case."""
    stories, _ = stories_of_each(records(rows, count, hours) for rows in attacks.values())
    return {name: sorted(found["lead_count"]) for name, found in zip(attacks, stories, strict=True)}


ATTACKS = {
    "a spray from one network": sign_in("203.0.113.{n}"),
    "a spray from one network of IPv6": sign_in("2001:db8:7:7::{hex}"),
    "a spray of one tool": sign_in("{n}.7.7.7", "python-requests/2.32"),
    "a spray of one tool from few addresses": sign_in("4{few}.7.7.7", "axios/1.7.9"),
    "mails of one subject": mail("Your parcel {n} could not be delivered"),
    "answers of one subject": mail("RE: FW: Payroll update of March"),
    "links to one domain": mail("{n}" * 9, host="u{n}.login.evil.example"),
    "senders of one domain": mail("", sender="s{n}@evil.example"),
    "links to one domain of a country": mail("{n}" * 9, host="u{n}.evil.com.br"),
    "links to one customer of a host": mail("{n}" * 9, host="u{n}.evil.web.app"),
    "senders of one stranger's tenant": mail("", sender="s{n}@evil.onmicrosoft.com"),
    "malware of one family": malware("Emotet"),
    "malware of one family by its whole name": malware("Trojan:Win32/Emotet.V{n}!MTB"),
}


def test_an_attack_with_one_trait_is_one_story() -> None:
    assert sizes(ATTACKS) == {name: [MANY] for name in ATTACKS}


def test_a_trait_of_alerts_that_are_hours_apart_links_nothing() -> None:
    assert sizes(ATTACKS, count=4, hours=20) == {name: [] for name in ATTACKS}


NOTHING = {
    "addresses of their own": sign_in("{n}.7.7.7"),
    "mails with a short subject": mail("Hello"),
    "hosts under a public suffix": mail("", host="h{n}.co.uk"),
    "hosts under a suffix of a region": mail("", host="h{n}.s{n}.kobe.jp"),
    "hosts at one provider": mail("", host="h{n}.azurewebsites.net"),
    "tenants of strangers": mail("", sender="a@t{n}.onmicrosoft.com"),
    "storage accounts of strangers": mail("", host="s{n}.blob.core.windows.net"),
    "senders at a provider of mailboxes": mail("", sender="s{n}@gmail.com"),
    "senders of the organisation": mail("", sender="s{n}@contoso.example"),
    "files without a family": malware(""),
    "files of the families that heuristics give": malware("Wacatac"),
    "files of different families": malware("Family{n}"),
}


def test_what_everybody_has_is_no_trait() -> None:
    assert sizes(NOTHING) == {name: [] for name in NOTHING}


KINDS_OF_ATTACK = {
    "accounts": sign_in("203.0.113.7"),
    "mailboxes": mail("Payroll update for everybody"),
    "devices": malware("Emotet"),
    "users of one server": lambda alert, n: [machine(alert=alert), *sign_in("203.0.113.7")(alert, n)],
}


@pytest.mark.parametrize("name", KINDS_OF_ATTACK)
def test_an_attack_on_more_is_never_less_urgent(name: str) -> None:
    """The more alerts it makes, the more frequent its detection seems; that is no reason to look at it later."""
    counts = (2, 20, 21, 102)
    points = []
    for count, stories, queue in zip(
        counts, *stories_of_each(records(KINDS_OF_ATTACK[name], n) for n in counts), strict=True
    ):
        assert stories["lead_count"].to_list() == [count]
        points.append(min(queue.drop_nulls("story_id")["priority_points"]))
        assert all(sum(reason["points"] for reason in reasons) <= 100 for reasons in queue["priority_reasons"])
    assert points == sorted(points)
    assert points[0] < points[-1]
