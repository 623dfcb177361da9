"""The queue: a day's leads in the order in which to look at them, with the reasons. No I/O."""

from defender_assets.core.queue.build import build_queue, queue_order
from defender_assets.core.queue.schema import QUEUE_COLUMNS, QUEUE_LOOKBACK_DAYS, QUEUE_SCHEMA

__all__ = ["QUEUE_COLUMNS", "QUEUE_LOOKBACK_DAYS", "QUEUE_SCHEMA", "build_queue", "queue_order"]
