"""Decides when loading the compiled reader pays off."""


class Warmup:
    """Bytes that a process reads line by line before it loads the compiled reader.

    If reading that many bytes costs as much as loading, a process spends at most twice the time of the better choice,
    for one large day as well as for many small ones.
    """

    def __init__(self, size: int) -> None:
        self._left = size

    def is_over(self, size: int) -> bool:
        """Return whether the warm-up is over, counting `size` bytes that are read now."""
        self._left -= size
        return self._left <= 0
