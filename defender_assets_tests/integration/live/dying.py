"""The product's definitions in a process that kills itself with SIGKILL right after its first commit."""

from defender_assets.definitions import defs
from defender_assets_tests.support.day_runs import die_at

__all__ = ["defs"]

die_at("after", 1)
