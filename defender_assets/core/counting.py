"""A number with its noun, as people say it. Other words belong to the rooms that say them."""


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun.

    >>> counted(1, "story", "stories"), counted(1200, "lead")
    ('1 story', '1,200 leads')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
