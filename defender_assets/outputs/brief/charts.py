"""The geometry of the brief's charts: rectangles in a box of 100 by 100, for SVG that stretches with the page."""

from dataclasses import dataclass

from defender_assets.outputs.brief.figures import HOURS, Counts, Figures
from defender_assets.outputs.brief.format import KINDS

BOX = 100
GAP = 0.24
"""Space between two columns, as a share of an hour's width."""


@dataclass(frozen=True)
class Bar:
    """A rectangle; `kind` names its colour."""

    x: float
    y: float
    width: float
    height: float
    kind: str


def columns(figures: Figures) -> list[Bar]:
    """Return a column for each hour of the day, stacked by severity, the highest severity at the bottom."""
    _, most = figures.busiest
    width = BOX / HOURS
    bars = []
    for hour, counts in enumerate(figures.hours):
        top = float(BOX)
        for kind in KINDS:
            if kind in counts:
                height = BOX * counts[kind] / most
                top -= height
                bars.append(_bar(width * (hour + GAP / 2), top, width * (1 - GAP), height, kind))
    return bars


def stacked(counts: Counts, of: int) -> list[Bar]:
    """Return one bar, stacked by severity from the left; its full width is `of` leads."""
    left = 0.0
    bars = []
    for kind, count in counts.items():
        width = BOX * count / of
        bars.append(_bar(left, 0, width, BOX, kind))
        left += width
    return bars


def _bar(x: float, y: float, width: float, height: float, kind: str) -> Bar:
    return Bar(round(x, 2), round(y, 2), round(width, 2), round(height, 2), kind)
