"""Stories are the same whether all leads of the look-back are counted, or those that matter for the day's stories."""

from datetime import timedelta

from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.stories import reach
from defender_assets.core.stories.occurrences import with_detection
from defender_assets_tests.support.alert_rows import DAY, EVE, Row, apart, at, lead_frame, lead_row
from defender_assets_tests.support.random_leads import compare_reach, random_leads

FILE, HOST = ("file", "f"), ("host", "h")


# `make soak` tries more worlds and seeds.
def test_stories_of_the_leads_that_matter_are_those_of_all() -> None:
    assert compare_reach(random_leads(40, 0)).height > 40


def matter(*leads: Row) -> list[str]:
    """Return the leads that matter for the stories of those of DAY."""
    rows = with_detection(lead_frame(leads).collect()).sort(LEAD_KEY)
    return reach.leads_that_matter(rows, rows.filter(export_date=DAY))["lead_id"].to_list()


def earlier(name: str, *entities: tuple[str, ...], days: int = -5, **columns: str) -> Row:
    return lead_row(name, *entities, when=at(days=days), day=DAY + timedelta(days=days), **columns)


def test_leads_matter_that_links_reach_or_that_name_what_those_name() -> None:
    rows = [
        lead_row("1", FILE),
        earlier("2 linked", FILE, HOST, days=-2),
        earlier("3 linked through another", HOST, days=-3),
        earlier("4 too long ago", FILE),
        earlier("5 named like it", ("file", "other"), HOST, days=-7),
        earlier("6 unrelated", ("file", "other"), days=-1),
        earlier("7 of another kind", ("mail", "f"), days=-1),
        earlier("8 muted", FILE, ("mail", "m"), days=-1, muted_by="rule"),
        earlier("9 linked by a muted one", ("mail", "m"), days=-1),
    ]
    assert [name[0] for name in matter(*rows, *fillers())] == ["1", "2", "3", "4", "5", "8"]


def fillers() -> list[Row]:
    """Unrelated leads, so that those that matter are few."""
    return [earlier(f"x{n}", ("file", f"x{n}")) for n in range(20)]


def test_all_leads_matter_if_links_reach_most_of_them() -> None:
    rows = [lead_row("1", FILE), earlier("2", FILE, days=-1), earlier("3", HOST)]
    assert matter(*rows) == ["1", "2", "3"]
    assert matter(*rows, *fillers()) == ["1", "2"]


def test_a_lead_that_names_nothing_reaches_those_of_its_detection() -> None:
    group = [lead_row(name, FILE, day=EVE, title=title) for name, title in ("1t", "2u")]
    stories = [compare_reach([*group, lead_row("3", title="t", when=at(minutes=n)), *fillers()]) for n in (50, 70)]
    assert [each["lead_ids"].to_list() for each in stories] == [[["1", "2", "3"]], []]


def test_how_long_the_tenant_is_known_is_told_by_all_leads() -> None:
    """The same two leads are less unlikely in a tenant that is known for a shorter time."""
    gaps = [(lead_row("1", HOST, when=at(-n)), lead_row("2", HOST), *fillers()) for n in range(24)]
    known = [(*rows, earlier("0", ("file", "0"), days=-7)) for rows in gaps]
    assert 0 < compare_reach(apart(gaps)).height < compare_reach(apart(known)).height


def test_a_routine_is_known_by_all_names_of_its_user() -> None:
    user, other_name = ("user", "a", "a"), ("user", "b", "a")
    hours = range(24)
    pairs = [[lead_row(n, user, ("device", "d"), when=at(-h * int(n)), title="t") for n in "01"] for h in hours]
    days = [earlier(f"r{n}", other_name, ("device", f"e{n}"), days=-n, title="t") for n in (4, 5, 6, 7)]
    others = [earlier(f"o{n}", ("device", f"e{n}"), days=-n, title="t") for n in (4, 5, 6, 7)]
    routine, none = ([[*pair, *more, *fillers()] for pair in pairs] for more in (days, others))
    assert compare_reach(apart(routine)).height < compare_reach(apart(none)).height
