from hypothesis import given
from hypothesis import strategies as st

from defender_assets.core.identifiers import connected_components, portal_url, stable_id
from defender_assets_tests.support.alert_rows import ALERT, OTHER_TENANT, TENANT


def test_an_id_has_128_bits_and_is_the_same_every_time() -> None:
    assert stable_id(TENANT, ALERT) == stable_id(TENANT, ALERT)
    assert len(bytes.fromhex(stable_id(TENANT, ALERT))) == 16


def test_an_id_depends_on_tenant_and_text_but_not_on_the_tenants_case() -> None:
    assert stable_id(TENANT, ALERT) != stable_id(OTHER_TENANT, ALERT)
    assert stable_id(TENANT, ALERT) != stable_id(TENANT, ALERT.upper())
    assert stable_id(TENANT, ALERT) == stable_id(TENANT.upper(), ALERT)


def test_the_boundary_between_tenant_and_text_counts() -> None:
    assert stable_id("ab", "c") != stable_id("a", "bc")


def test_the_portal_link_keeps_safe_ids_unchanged() -> None:
    assert portal_url("t-1", ALERT) == f"https://security.microsoft.com/alerts/{ALERT}?tid=t-1"


def test_an_alert_id_cannot_change_the_rest_of_the_link() -> None:
    assert portal_url("t", "a/../b?x=1&y#z é") == (
        "https://security.microsoft.com/alerts/a%2F..%2Fb%3Fx%3D1%26y%23z%20%C3%A9?tid=t"
    )


def test_indirectly_linked_items_are_one_group_in_any_order() -> None:
    assert connected_components([("a", "b"), ("c", "d"), ("e", "e"), ("d", "b")]) == [{"a", "b", "c", "d"}, {"e"}]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30))))
def test_each_item_is_in_one_group_with_all_that_it_reaches(links: list[tuple[int, int]]) -> None:
    def reached(start: int) -> set[int]:
        found, new = set[int](), {start}
        while new:
            found |= new
            new = {end for link in links for one, end in (link, link[::-1]) if one in new} - found
        return found

    items = {item for link in links for item in link}
    groups = connected_components(links)
    assert sum(map(len, groups)) == len(items)
    assert all(group == reached(item) for group in groups for item in group)
