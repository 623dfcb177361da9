"""The brief: a day's leads and stories as one HTML page that an analyst reads in the morning.

It is one page for all tenants. The page is self-contained: it runs no script and loads no address.
"""

from defender_assets.outputs.brief.build import build_briefs
from defender_assets.outputs.brief.schema import BRIEF_COLUMNS, BRIEF_SCHEMA

__all__ = ["BRIEF_COLUMNS", "BRIEF_SCHEMA", "build_briefs"]
