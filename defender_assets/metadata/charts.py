"""Bar charts for the UI, as inline SVG. Their white background keeps them legible in both themes.

Labels come from alerts, so they are escaped; an image runs no scripts.
"""

import base64
from collections.abc import Mapping, Sequence
from html import escape

import dagster as dg

from defender_assets.core.enums import SEVERITIES
from defender_assets.core.text import escape_control_chars

WIDTH = 480
INLINE = 1000
"""Dagster shows Markdown of fewer characters without a click."""
ROW = 18
SHOWN = 12
HOURS = 24
LABEL = 24
"""Characters of a label."""

_COLOURS = dict(zip(SEVERITIES, ("#b3261e", "#c26a00", "#2f6fb7", "#7a808a"), strict=True))
_BAR = "#2f6fb7"
_OTHER = "#7a808a"


def picture(title: str, svg: str) -> dg.MetadataValue:
    """Return an image in Markdown; the title must not come from an alert."""
    return dg.MetadataValue.md(f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})")


def bars(title: str, counts: Mapping[str, int], order: Sequence[str] = ()) -> dg.MetadataValue:
    """Return a bar per name, in the given order or longest first; at most the first SHOWN."""
    names = [name for name in order if name in counts] or sorted(counts, key=lambda name: (-counts[name], name))
    longest = max(counts.values(), default=1)
    drawn = []
    for number, name in enumerate(names[:SHOWN]):
        top = 34 + number * ROW
        width = max(1, round(250 * counts[name] / longest))
        label = escape(escape_control_chars(name[:LABEL])[:LABEL])
        drawn.append(
            f'<text x="148" y="{top + 11}" text-anchor="end">{label}</text>'
            f'<rect x="156" y="{top}" width="{width}" height="{ROW - 5}" rx="2" fill="{_COLOURS.get(name, _BAR)}"/>'
            f'<text x="{162 + width}" y="{top + 11}">{counts[name]:,}</text>'
        )
    left_out = f" (the first {SHOWN} of {len(names)})" if len(names) > SHOWN else ""
    return _card(title + left_out, 42 + ROW * len(names[:SHOWN]), drawn)


def by_hour(title: str, counts: Mapping[tuple[int, str], int]) -> dg.MetadataValue:
    """Return a column per hour of the day, stacked by name: severities in their order, then the others."""
    names = [*SEVERITIES, *sorted({name for _, name in counts} - set(SEVERITIES))]
    most = max((sum(n for (of, _), n in counts.items() if of == hour) for hour in range(HOURS)), default=0) or 1
    drawn = [f'<text x="468" y="20" text-anchor="end">at most {most:,} per hour</text>']
    for hour in range(HOURS):
        bottom = 112.0
        for name in names:
            height = 76 * counts.get((hour, name), 0) / most
            bottom -= height
            if height:
                drawn.append(
                    f'<rect x="{12 + 19 * hour}" y="{bottom:.2f}" width="15" height="{height:.2f}" '
                    f'fill="{_COLOURS.get(name, _OTHER)}"/>'
                )
    drawn.append('<path d="M12 112.5H468" stroke="#dcdcd6"/>')
    drawn += [f'<text x="{12 + 19 * hour}" y="126">{hour:02d}</text>' for hour in range(0, HOURS, 6)]
    for number, (name, colour) in enumerate(_COLOURS.items()):
        left = 12 + 90 * number
        drawn.append(f'<rect x="{left}" y="138" width="9" height="9" fill="{colour}"/>')
        drawn.append(f'<text x="{left + 14}" y="147">{name}</text>')
    return _card(title, 156, drawn)


def severity_strip(title: str, counts: Mapping[str, int]) -> dg.MetadataValue:
    """Return the severities as one strip with their counts. It is short enough to be shown without a click."""
    total = sum(counts.get(name, 0) for name in SEVERITIES) or 1
    drawn, left = "", 0
    for number, (name, colour) in enumerate(_COLOURS.items()):
        width = round(WIDTH * counts.get(name, 0) / total)
        drawn += f'<path fill="{colour}" d="M{left} 0h{width}v12H{left}z"/>'
        drawn += f'<text fill="{colour}" x="{number * 120}" y="32">{name} {counts.get(name, 0):,}</text>'
        left += width
    return picture(
        title,
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="40" font-family="sans-serif" font-size="13">'
        f"{drawn}</svg>",
    )


def _card(title: str, height: int, drawn: Sequence[str]) -> dg.MetadataValue:
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">'
        "<style>text{font:11px system-ui,sans-serif;fill:#565b63}</style>"
        f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>'
        f'<text x="12" y="20" font-weight="bold">{escape(title)}</text>{"".join(drawn)}</svg>'
    )
    return picture(title, svg)
