"""A number with its noun, or its unit, as people say it. Other words belong to the rooms that say them."""

MEBIBYTE = 1024 * 1024


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun.

    >>> counted(1, "story", "stories"), counted(1200, "lead")
    ('1 story', '1,200 leads')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def sized(count: float) -> str:
    """Return a number of bytes in the unit that leaves few digits; units are powers of 1000.

    >>> sized(1), sized(24_613), sized(1_607_326), sized(2.5e9)
    ('1 byte', '24.6 kB', '1.6 MB', '2.5 GB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return counted(round(count), "byte")
