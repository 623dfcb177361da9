"""Text that an attacker may get into a title and other fields, and into a line that is not a record."""

HOSTILE_TITLE = (
    "=cmd|' /C calc'!A0 \x1b[31m\x1b]8;;http://evil.example\x07click\x1b]8;;\x07 "
    "[bold red]markup[/] \u202egnp.exe \x9b2J\nforged line "
)
# active as HTML, attribute value, script or template
HOSTILE_HTML = (
    "\"'></title></style><script>document.title='run'</script><img src=x onerror=document.title='run'>"
    "<svg/onload=document.title='run'> [text](javascript:alert(1)) ![](http://evil.example/x.png) {{ 7 * 7 }}"
)
HOSTILE_LINE = b"\x1b[2J\xff[bold]not json[/bold]\x07\r\n"

# control characters that a terminal acts on, and characters that reverse the text direction
DANGEROUS = frozenset(map(chr, [*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0), 0x202E, 0x2066]))


def dangerous_in(text: str) -> set[str]:
    """Return the characters that a command's output must never contain.

    Line feeds are allowed, but not those of HOSTILE_TITLE: its second line would look like one of the command's own.
    """
    return (set(text) & DANGEROUS) | ({"\n"} if "\nforged line" in text else set())
