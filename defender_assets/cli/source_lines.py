"""Lines of the export as the commands show them. Where they come from stands in `core.originals`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from defender_assets.cli.details import show_heading, show_lines
from defender_assets.cli.output import say
from defender_assets.core.text import pluralize, visible_bytes

if TYPE_CHECKING:
    from defender_assets.core.raw.source_lines import SourceLine


def show_originals(lines: "Sequence[SourceLine]", sources: Sequence[Mapping[str, Any]] | None) -> None:
    """Print each line below where it stands; control characters and what is no text show as escapes."""
    show_heading("lines as Microsoft wrote them")
    for line in lines:
        say(f"{line.table} {line.blob} at byte {line.byte_offset}", "dim")
        show_lines([visible_bytes(line.content)])
    held = {(line.table, line.blob, line.byte_offset) for line in lines}
    missing = {(source["table"], source["blob"], source["byte_offset"]) for source in sources or []} - held
    if missing:
        say(f"No longer in raw, older than DEFENDER_RETENTION_DAYS: {pluralize(len(missing), 'line')}.")


def lines_as_json(lines: "Sequence[SourceLine]") -> list[dict[str, Any]]:
    """Return the lines for JSON: as text where they are UTF-8, else in base64 as `line_base64`."""
    return [_as_json(line) for line in lines]


def _as_json(line: "SourceLine") -> dict[str, Any]:
    where = {
        "table": line.table,
        "blob": line.blob,
        "blob_created_at": line.blob_created_at,
        "byte_offset": line.byte_offset,
    }
    try:
        return {**where, "line": line.content.decode()}
    except UnicodeDecodeError:
        return {**where, "line_base64": line.content}
