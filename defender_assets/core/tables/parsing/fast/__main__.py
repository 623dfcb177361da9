"""Compiles the fast path ahead of time, once per image: `python -m defender_assets.core.tables.parsing.fast`."""

from defender_assets.core.schemas import ALERT_INFO
from defender_assets.core.tables.parsing.fast.reader import parse_fast

parse_fast(ALERT_INFO, "", b"\n")
