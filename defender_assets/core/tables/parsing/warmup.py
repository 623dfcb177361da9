"""When loading what reads many lines at once is worth it. Knows neither lines nor readers."""


class Warmup:
    """For how many bytes a process reads line by line before it loads the compiled reader, at the cost of that many.

    So it never pays more than twice what the better choice would have cost, whatever comes: one large day, or many
    small ones in a worker that stays.
    """

    def __init__(self, of_bytes: int) -> None:
        self._left = of_bytes

    def reached(self, size: int) -> bool:
        """Return whether it has ended, with so many bytes more to read now."""
        self._left -= size
        return self._left <= 0
