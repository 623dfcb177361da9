"""Runs and checks that fail, and silences of the export, as the sensor reads them from a Dagster instance."""

from dataclasses import dataclass

RUN_FAILED, CHECK_FAILED = "run_failed", "check_failed"
INCIDENT_KINDS = (RUN_FAILED, CHECK_FAILED)
SILENCE = "silence"
"""An incident with two notices: when it begins and when it ends."""


@dataclass(frozen=True)
class Incident:
    """A failure. `subject_id` is the day (or the job, if it has no day) and what failed, or what is silent."""

    kind: str
    subject_id: str
    title: str
    summary: str
    run_id: str

    @property
    def key(self) -> tuple[str, str]:
        """Return what identifies the incident until it recovers."""
        return self.kind, self.subject_id


@dataclass(frozen=True)
class Incidents:
    """What fails now, and every key that was examined: an examined key that does not fail has recovered.

    `ended` are incidents whose end is sent too, if their beginning was. They are not among the examined keys.
    """

    failing: tuple[Incident, ...] = ()
    examined: frozenset[tuple[str, str]] = frozenset()
    ended: tuple[Incident, ...] = ()
