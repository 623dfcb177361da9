"""The stories: leads that share entities within 72 hours, where chance is very unlikely. No I/O."""

from defender_assets.core.stories.build import build_stories, update_stories
from defender_assets.core.stories.schema import STORY_COLUMNS, STORY_LOOKBACK_DAYS, STORY_SCHEMA

__all__ = ["STORY_COLUMNS", "STORY_LOOKBACK_DAYS", "STORY_SCHEMA", "build_stories", "update_stories"]
