"""The fixture `team`: see there."""

from defender_assets_tests.core.notices.team import team

__all__ = ["team"]
