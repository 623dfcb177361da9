"""What is wrong with the data, as the shell sees it: runs and checks that fail, and which ones it looked at.

Where it looks is the shell's business; which of it is told, and how often, that of `news`.
"""

from dataclasses import dataclass

RUN_FAILED, CHECK_FAILED = "run_failed", "check_failed"
CONDITIONS = (RUN_FAILED, CHECK_FAILED)


@dataclass(frozen=True)
class Incident:
    """Something that fails. `subject_id` holds the day (or the job without one) and what failed."""

    kind: str
    subject_id: str
    title: str
    summary: str
    run_id: str

    @property
    def key(self) -> tuple[str, str]:
        """Return what makes it the same condition tomorrow."""
        return self.kind, self.subject_id


@dataclass(frozen=True)
class Incidents:
    """What fails now, and all (kind, subject) that were looked at: what was and does not fail has recovered."""

    failing: tuple[Incident, ...] = ()
    looked_at: frozenset[tuple[str, str]] = frozenset()
