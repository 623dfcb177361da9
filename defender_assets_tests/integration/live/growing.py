"""An export that grows while it is read: a thread appends the simulator's bytes, cut anywhere, to many blobs."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from threading import Event, Thread
from typing import Any

from azure.storage.blob import BlobServiceClient

from defender_assets.simulator import GroundTruth, Scenario, simulate
from defender_assets_tests.support.days import day_before
from defender_assets_tests.support.simulated_exports import distinct_records


def scenario_until_now() -> Scenario:
    """Two whole days and the current day up to now."""
    return Scenario(
        day_before(2),
        days=3,
        devices=6,
        tenants=2,
        alerts_per_day=4,
        campaigns_per_tenant=2,
        heartbeat_minutes=360,
        seed=11,
        until=datetime.now(UTC),
    )


@dataclass
class GrowingExport:
    """The final bytes of each blob, the number of bytes written so far, and the simulator's ground truth."""

    service: BlobServiceClient
    scenario: Scenario = field(default_factory=scenario_until_now)
    contents: dict[tuple[str, str], bytes] = field(default_factory=dict)
    written: dict[tuple[str, str], int] = field(default_factory=dict)
    truth: dict[str, Any] = field(default_factory=dict)
    problem: Exception | None = None

    def __post_init__(self) -> None:
        """Simulate, and create the containers."""
        observed = GroundTruth(self.scenario)
        for append in observed.watch(simulate(self.scenario)):
            blob = (append.container, append.blob)
            self.contents[blob] = self.contents.get(blob, b"") + append.data
        self.truth = observed.as_dict()
        for container in {container for container, _ in self.contents}:
            self.service.create_container(container)

    @property
    def days(self) -> list[date]:
        """The simulated days; the current day is the last."""
        return [self.scenario.start + timedelta(days=number) for number in range(self.scenario.days)]

    @property
    def start_date(self) -> date:
        """The first partition: two days before the first day that has blobs."""
        return self.scenario.start - timedelta(days=2)

    @property
    def days_with_bytes(self) -> set[date]:
        """The days that have blobs at the end: in its first minutes, the current day has none."""
        return {date.fromisoformat(total["day"]) for total in self.truth["totals"] if total["bytes"]}

    def distinct(self) -> dict[tuple[str, str, date], int]:
        """The number of distinct records by table (Microsoft's name), tenant and day, at the end."""
        return distinct_records(self.truth)

    def pending(self) -> int:
        """The number of bytes after the last newlines of all blobs, at the end."""
        return sum(total["pending"] for total in self.truth["totals"])

    def grow(self, seeded_rng: random.Random, share: float) -> None:
        """Append to about a third of the blobs, cut anywhere, up to this share of their final bytes."""
        for blob, content in self.contents.items():
            start = self.written.get(blob, 0)
            end = max(start, len(content) if share >= 1 else int(len(content) * share * seeded_rng.random()))
            if share < 1 and (seeded_rng.random() > 0.35 or end == start):
                continue
            client = self.service.get_blob_client(*blob)
            if blob not in self.written:
                client.create_append_blob()
            if end > start:
                client.append_block(content[start:end])
            self.written[blob] = end

    @contextmanager
    def growing(self, rounds: int, pause: float) -> Iterator[Event]:
        """Grow in the background; the event is set when everything is written."""
        done, stop = Event(), Event()
        seeded_rng = random.Random(5)

        def work() -> None:
            try:
                for number in range(1, rounds + 1):
                    self.grow(seeded_rng, number / rounds)
                    if stop.wait(pause if number < rounds else 0):
                        return
                done.set()
            except Exception as error:  # noqa: BLE001 (shown by the test that waits)
                self.problem = error

        thread = Thread(target=work, name="growing")
        thread.start()
        try:
            yield done
        finally:
            stop.set()
            thread.join()
