"""Lines of the export as `lead --raw` and `story --raw` show them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from defender_assets.cli.output import say
from defender_assets.core.text import pluralize, visible_bytes

if TYPE_CHECKING:
    from defender_assets.core.raw.source_lines import SourceLine


def show_source_lines(lines: "Sequence[SourceLine]", sources: Sequence[Mapping[str, Any]] | None) -> None:
    """Print each line with its position; control characters and bytes that are not text are escaped."""
    say("Lines as Microsoft wrote them", "italic")
    for line in lines:
        say(f"{line.table} {line.blob} at byte {line.byte_offset}", "dim")
        say(visible_bytes(line.content), verbatim=True)
    found = {(line.table, line.blob, line.byte_offset) for line in lines}
    missing = {(source["table"], source["blob"], source["byte_offset"]) for source in sources or []} - found
    if missing:
        say(f"No longer in raw, older than DEFENDER_RETENTION_DAYS: {pluralize(len(missing), 'line')}.")


def lines_as_json(lines: "Sequence[SourceLine]") -> list[dict[str, Any]]:
    """Return the lines for JSON: as text if they are UTF-8, else in base64 as `line_base64`."""
    return [_as_json(**vars(line)) for line in lines]


def _as_json(content: bytes, **position: Any) -> dict[str, Any]:
    try:
        return {**position, "line": content.decode()}
    except UnicodeDecodeError:
        return {**position, "line_base64": content}
