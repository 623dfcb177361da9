"""The queue: a day's leads in the order in which to look at them, with the reasons. No I/O."""

from defender_assets.core.queue.build import build_queue, queue_order
from defender_assets.core.queue.order import PRIORITY_COLUMNS, story_order, with_priority
from defender_assets.core.queue.schema import QUEUE_COLUMNS, QUEUE_LOOKBACK_DAYS, QUEUE_SCHEMA, QUEUE_TABLE

__all__ = [
    "PRIORITY_COLUMNS",
    "QUEUE_COLUMNS",
    "QUEUE_LOOKBACK_DAYS",
    "QUEUE_SCHEMA",
    "QUEUE_TABLE",
    "build_queue",
    "queue_order",
    "story_order",
    "with_priority",
]
