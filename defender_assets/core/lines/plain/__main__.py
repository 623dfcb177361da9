"""`python -m defender_assets.core.lines.plain`: compiles the reader where it is kept, once for all runs. For images."""

from defender_assets.core.lines.plain.reader import read_plain
from defender_assets.core.tables import ALERT_INFO

read_plain(ALERT_INFO, "", b"\n")
