"""Makes the fixture `team` available."""

from defender_assets_tests.support.notified_team import team

__all__ = ["team"]
