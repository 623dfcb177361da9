"""Small pictures for the UI: counts as bars, inline as SVG. A card of its own colours is legible in both themes.

The words of the counts come out of alerts: they are made visible and escaped, and an
image runs nothing.
"""

import base64
from collections.abc import Mapping, Sequence
from html import escape

import dagster as dg

from defender_assets.core.enums import SEVERITIES
from defender_assets.core.text import escape_control_chars

WIDTH = 480
ROW = 18
SHOWN = 12
HOURS = 24
LABEL = 24
"""Characters of a word."""

_COLOURS = dict(zip(SEVERITIES, ("#b3261e", "#c26a00", "#2f6fb7", "#7a808a"), strict=True))
_PLAIN = "#2f6fb7"
_OTHER = "#7a808a"


def picture(title: str, svg: str) -> dg.MetadataValue:
    """Return an image in Markdown; the title is the project's own words, never an alert's."""
    return dg.MetadataValue.md(f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})")


def bars(title: str, counts: Mapping[str, int], order: Sequence[str] = ()) -> dg.MetadataValue:
    """Return a bar for each word with its number: in the given order, else the longest first; of many the first."""
    words = [word for word in order if word in counts] or sorted(counts, key=lambda word: (-counts[word], word))
    longest = max(counts.values(), default=1)
    drawn = []
    for number, word in enumerate(words[:SHOWN]):
        top = 34 + number * ROW
        width = max(1, round(250 * counts[word] / longest))
        colour = _COLOURS.get(word, _PLAIN)
        label = escape(escape_control_chars(word[:LABEL])[:LABEL])
        drawn.append(
            f'<text x="148" y="{top + 11}" text-anchor="end">{label}</text>'
            f'<rect x="156" y="{top}" width="{width}" height="{ROW - 5}" rx="2" fill="{colour}"/>'
            f'<text x="{162 + width}" y="{top + 11}">{counts[word]:,}</text>'
        )
    left_out = f" (the first {SHOWN} of {len(words)})" if len(words) > SHOWN else ""
    return _card(title + left_out, 42 + ROW * len(words[:SHOWN]), drawn)


def by_hour(title: str, counts: Mapping[tuple[int, str], int]) -> dg.MetadataValue:
    """Return a column for each hour of the day, stacked by word: severities in their order, then the others."""
    words = [*SEVERITIES, *sorted({word for _, word in counts} - set(SEVERITIES))]
    most = max((sum(n for (of, _), n in counts.items() if of == hour) for hour in range(HOURS)), default=0) or 1
    drawn = [f'<text x="468" y="20" text-anchor="end">at most {most:,} an hour</text>']
    for hour in range(HOURS):
        bottom = 112.0
        for word in words:
            height = 76 * counts.get((hour, word), 0) / most
            bottom -= height
            if height:
                drawn.append(
                    f'<rect x="{12 + 19 * hour}" y="{bottom:.2f}" width="15" height="{height:.2f}" '
                    f'fill="{_COLOURS.get(word, _OTHER)}"/>'
                )
    drawn.append('<path d="M12 112.5H468" stroke="#dcdcd6"/>')
    drawn += [f'<text x="{12 + 19 * hour}" y="126">{hour:02d}</text>' for hour in range(0, HOURS, 6)]
    for place, (word, colour) in enumerate(_COLOURS.items()):
        left = 12 + 90 * place
        drawn.append(f'<rect x="{left}" y="138" width="9" height="9" fill="{colour}"/>')
        drawn.append(f'<text x="{left + 14}" y="147">{word}</text>')
    return _card(title, 156, drawn)


def _card(title: str, height: int, drawn: Sequence[str]) -> dg.MetadataValue:
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">'
        "<style>text{font:11px system-ui,sans-serif;fill:#565b63}</style>"
        f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>'
        f'<text x="12" y="20" font-weight="bold">{escape(title)}</text>{"".join(drawn)}</svg>'
    )
    return picture(title, svg)
