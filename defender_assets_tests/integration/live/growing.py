"""An export that grows while it is read: the simulator's bytes, cut anywhere, appended to many blobs by a thread."""

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


def up_to_now() -> Scenario:
    """Three whole days and the running one as far as it has come."""
    return Scenario(
        day_before(3),
        days=4,
        devices=6,
        tenants=2,
        alerts_per_day=4,
        campaigns_per_tenant=2,
        heartbeat_minutes=360,
        seed=11,
        until=datetime.now(UTC),
    )


@dataclass
class Growing:
    """Every blob's bytes, how far each has been written, and what the simulator says they hold."""

    service: BlobServiceClient
    scenario: Scenario = field(default_factory=up_to_now)
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
        """The days that are simulated, the running one last."""
        return [self.scenario.start + timedelta(days=number) for number in range(self.scenario.days)]

    @property
    def start_date(self) -> date:
        """A first day of partitions: two before the first that has blobs."""
        return self.scenario.start - timedelta(days=2)

    @property
    def days_with_bytes(self) -> set[date]:
        """The days that have blobs in the end: in its first minutes the running one has none yet."""
        return {date.fromisoformat(total["day"]) for total in self.truth["totals"] if total["bytes"]}

    def distinct(self) -> dict[tuple[str, str, date], int]:
        """How many distinct records each table (of Microsoft), tenant and day holds in the end."""
        return {
            (total["table"], total["tenant_id"], date.fromisoformat(total["day"])): total["distinct"]
            for total in self.truth["totals"]
            if total["distinct"]
        }

    def pending(self) -> int:
        """How many bytes after last line ends there are in the end."""
        return sum(total["pending"] for total in self.truth["totals"])

    def grow(self, seeded_rng: random.Random, share: float) -> None:
        """Append to about a third of the blobs up to this share of what each will hold, cut anywhere."""
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
