"""`python -m defender_assets.core.plain`: compiles the reader where it is kept, so that no run has to. For images."""

from defender_assets.core.plain.reader import read_plain
from defender_assets.core.tables import ALERT_INFO

read_plain(ALERT_INFO, "", b"\n")
