"""The brief: a day's leads and stories as one HTML page that an analyst reads in the morning.

It is one page for all tenants, and holds nothing but what its text says: no script, no address that is loaded.
"""

from defender_assets.outputs.brief.build import build_briefs
from defender_assets.outputs.brief.schema import BRIEF_COLUMNS, BRIEF_SCHEMA

__all__ = ["BRIEF_COLUMNS", "BRIEF_SCHEMA", "build_briefs"]
