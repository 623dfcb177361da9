"""Any interleaving of growth, faults, deaths, retries, runs at once and refreshes ends with exactly the truth."""

from hypothesis import HealthCheck, settings

from defender_assets_tests.faults.machine import Interruptions

BUDGET = settings(
    max_examples=4,
    stateful_step_count=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


class TestAnyInterleavingEndsWithTheTruth(Interruptions.TestCase):  # type: ignore[misc,valid-type]
    settings = BUDGET
