import pytest
from polars.testing import assert_frame_equal

from defender_assets_tests.support.alert_rows import (
    EVE,
    OTHER_TENANT,
    Records,
    at,
    beat,
    evidence,
    info,
    leads_of,
    leads_of_each,
    machine,
)


def test_each_case_has_the_leads_that_it_has_alone(subtests: pytest.Subtests) -> None:
    """Alone, tables are empty that are not empty among other cases."""
    cases = {
        "a device and two alerts": Records([info("da1_1"), info("da2_1")], [machine(alert="da1_1")], [beat()]),
        "the same alert without device": Records([info("da1_1")]),
        "two tenants": Records([info(tenant=OTHER_TENANT, Title="b"), info(Title="a")]),
        "no lead": Records([info(day=EVE)], [], [beat()]),
        "no rows": Records(),
        "a device that becomes known late": Records([], [machine(day=EVE)], [beat(when=at(-20))]),
        "a device by its name": Records([], [machine(None, DeviceName="pc")], [beat(when=at(-1), DeviceName="pc")]),
        "a person": Records(evidences=[evidence("User", AccountUpn="jane@contoso.com")]),
    }
    for (name, case), leads in zip(cases.items(), leads_of_each(cases.values()), strict=True):
        with subtests.test(name):
            assert_frame_equal(leads.drop("lead_version"), leads_of(*case).drop("lead_version"))
