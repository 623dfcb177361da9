"""The result is the same after kills at every commit, two concurrent runs, and any interleaving of growth."""

import signal
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.simulator import Scenario, simulate, write_directory
from defender_assets_tests.support.day_runs import DayRun, assert_same, promised, run_at_once, run_day
from defender_assets_tests.support.exports import local_lake

pytestmark = pytest.mark.long

DAY = date(2026, 11, 3)
COMMITS_OF_A_DAY = 13  # raw, quarantine, typed of three tables; leads; stories; OCSF events; the brief


@dataclass(frozen=True)
class ReferenceDay:
    """A day of three small tenants: the bytes of each blob, the export, and the lake of one undisturbed run."""

    root: Path
    blobs: dict[str, bytes] = field(repr=False)

    @property
    def export(self) -> Path:
        return self.root / "export"

    @property
    def lake(self) -> Lake:
        return local_lake(self.root / "lake")


def simulate_reference_day(root: Path) -> ReferenceDay:
    """Simulate the day in a directory, and run it."""
    scenario = Scenario(
        start=DAY, days=1, devices=4, tenants=3, alerts_per_day=3, campaigns_per_tenant=1, heartbeat_minutes=360
    )
    # three hours have every kind of record and stories, and keep the many runs short
    hours = ("h=11", "h=16", "h=19")
    write_directory((a for a in simulate(scenario) if any(hour in a.blob for hour in hours)), root / "export")
    blobs = {
        file.relative_to(root / "export").as_posix(): file.read_bytes()
        for file in sorted((root / "export").rglob("*.json"))
        if "tenantId=" in file.as_posix()
    }
    day = ReferenceDay(root, blobs)
    run_day(day.lake, DirectoryExport(day.export), DAY)
    assert all(frame.height for frame in promised(day.lake).values()), "every table must have rows"
    return day


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> ReferenceDay:
    return simulate_reference_day(tmp_path_factory.mktemp("reference"))


def write(root: Path, blob: str, content: bytes) -> None:
    file = root / blob
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as opened:
        opened.write(content)


@st.composite
def growths(draw: st.DrawFn, blobs: dict[str, bytes]) -> list[tuple[str, bytes] | None]:
    """Appends to all blobs in any order, in order within a blob and cut at any byte; None is a run of the day."""
    pieces: dict[str, list[bytes]] = {}
    for blob, content in blobs.items():
        cuts = sorted(draw(st.lists(st.integers(0, len(content)), max_size=2)))
        pieces[blob] = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    order = draw(st.permutations([blob for blob, parts in pieces.items() for _ in parts]))
    steps: list[tuple[str, bytes] | None] = [(blob, pieces[blob].pop(0)) for blob in order]
    for at in draw(st.lists(st.integers(0, len(steps)), min_size=1, max_size=3)):
        steps.insert(at, None)
    return steps


def grow_and_run(reference: ReferenceDay, steps: list[tuple[str, bytes] | None]) -> None:
    """Let a day grow, with runs in between; the result must equal the undisturbed one."""
    with TemporaryDirectory() as folder:
        root, lake = Path(folder, "export"), local_lake(Path(folder, "lake"))
        export = DirectoryExport(root)
        for step in steps:
            if step is None:
                run_day(lake, export, DAY)
            else:
                write(root, *step)
        run_day(lake, export, DAY)
        assert_same(lake, reference.lake)
        assert find_stale_days(lake, export, [DAY]) == []


@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_interleaving_of_growth_ends_like_a_day_ingested_at_once(
    reference: ReferenceDay, data: st.DataObject
) -> None:
    grow_and_run(reference, data.draw(growths(reference.blobs)))


@pytest.fixture
def lake_root(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.mark.live
@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_runs_killed_at_every_commit_end_like_an_undisturbed_run(
    reference: ReferenceDay, tmp_path: Path, lake_root: Path, moment: str
) -> None:
    number = 1 if moment == "after" else 2
    deaths = 0
    for _ in range(COMMITS_OF_A_DAY + 2):
        (code,) = run_at_once(tmp_path, DayRun(reference.export, lake_root, DAY, (moment, number)))
        assert code in (0, -signal.SIGKILL)
        if code == 0:
            break
        deaths += 1
    assert deaths >= COMMITS_OF_A_DAY - 1
    run_day(local_lake(lake_root), DirectoryExport(reference.export), DAY)
    assert_same(local_lake(lake_root), reference.lake)


@pytest.mark.live
def test_two_runs_of_one_day_at_once_end_like_an_undisturbed_run(
    reference: ReferenceDay, lake_root: Path, tmp_path: Path
) -> None:
    root = tmp_path / "export"
    thirds = [{blob: (len(content) * n // 3) for blob, content in reference.blobs.items()} for n in range(4)]
    for before, after in pairwise(thirds):
        for blob, content in reference.blobs.items():
            write(root, blob, content[before[blob] : after[blob]])
        assert run_at_once(tmp_path, *[DayRun(root, lake_root, DAY)] * 2) == [0, 0]
    assert_same(local_lake(lake_root), reference.lake)
