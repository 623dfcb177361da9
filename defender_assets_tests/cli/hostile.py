"""What an attacker may have a product write: into a title, and into a line that is no record."""

HOSTILE_TITLE = (
    "=cmd|' /C calc'!A0 \x1b[31m\x1b]8;;http://evil.example\x07click\x1b]8;;\x07 "
    "[bold red]markup[/] \u202egnp.exe \x9b2J"
)
HOSTILE_LINE = b"\x1b[2J\xff[bold]not json[/bold]\x07\r\n"

# What a terminal would act on, and what turns the order of text around
DANGEROUS = frozenset(map(chr, [*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0), 0x202E, 0x2066]))


def dangerous_in(text: str) -> set[str]:
    """The characters of a command's output that must never be there; line feeds are its own."""
    return set(text) & DANGEROUS
