"""Compile the fast reader ahead of time: `python -m defender_assets.core.tables.parsing.fast`, once per image."""

from defender_assets.core.schemas import ALERT_INFO
from defender_assets.core.tables.parsing.fast.reader import read_plain

read_plain(ALERT_INFO, "", b"\n")
