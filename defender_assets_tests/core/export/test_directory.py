"""What a directory export reads: regular files below its root, and nothing that a link leads to."""

import os
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from defender_assets.core.export import BlobChangedError, DirectoryExport, IgnoredFile
from defender_assets.core.export.blobs import Kind
from defender_assets.core.export.directory import NO_MOMENT, moment_of
from defender_assets.core.export.listing import list_day
from defender_assets.core.lake.lake import Lake
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_INFO
from defender_assets_tests.support.exports import DAY, OTHER_TENANT, TENANT, Folder, blob_path, local_lake, records
from defender_assets_tests.support.unprivileged import unprivileged_folder

CONTAINER = ALERT_INFO.container
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (a mount, no temporary file)
SECRET = b"AccountKey=c2VjcmV0\n"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An export with one blob, beside a file that is none of its business."""
    (tmp_path / ".env").write_bytes(SECRET)
    made = Folder(tmp_path / "export")
    made.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 1))
    return made


def link(at: Path, to: Path) -> None:
    at.parent.mkdir(parents=True, exist_ok=True)
    at.symlink_to(to)


def ignored(export: DirectoryExport) -> list[tuple[str, Kind]]:
    entries = [*export.all_entries(CONTAINER), *export.outside(CONTAINER)]
    return [(entry.path, entry.kind) for entry in entries if isinstance(entry, IgnoredFile)]


def links_of_a_day(folder: Folder, outside: Path) -> list[str]:
    """Links in the place of a file, an hour and a tenant, and one that leads to itself."""
    container = folder.root / CONTAINER
    elsewhere = Folder(outside / "elsewhere")
    elsewhere.append(ALERT_INFO, blob_path(hour=3), SECRET)
    elsewhere.append(ALERT_INFO, blob_path(tenant=OTHER_TENANT), SECRET)
    file, hour, loop = blob_path(hour=2), blob_path(hour=3).removesuffix("/m=00/PT1H.json"), blob_path(hour=4)
    link(container / file, outside / ".env")
    link(container / hour, outside / "elsewhere" / CONTAINER / hour)
    link(container / loop, container / loop)
    link(container / f"tenantId={OTHER_TENANT}", outside / "elsewhere" / CONTAINER / f"tenantId={OTHER_TENANT}")
    return sorted([file, hour, loop, f"tenantId={OTHER_TENANT}"])


def test_links_below_the_root_are_not_followed(folder: Folder, lake: Lake, tmp_path: Path) -> None:
    links = links_of_a_day(folder, tmp_path)
    export = DirectoryExport(folder.root)
    assert export.tenants(CONTAINER) == [TENANT]
    listing = list_day(export, CONTAINER, DAY)
    assert ([blob.path for blob in listing.blobs], listing.unreadable) == ([blob_path()], [])
    assert sorted(ignored(export)) == [(path, Kind.LINK) for path in links]
    ingest(lake, export, ALERT_INFO, DAY)
    assert lake.read(ALERT_INFO.raw).collect()["content"].to_list() == [records(ALERT_INFO, 0, 1)]


def test_a_container_that_is_a_link_is_not_followed(folder: Folder, tmp_path: Path) -> None:
    root = tmp_path / "other"
    link(root / CONTAINER, folder.root / CONTAINER)
    export = DirectoryExport(root)
    assert (export.containers(), export.tenants(CONTAINER), list_day(export, CONTAINER, DAY).blobs) == ([], [], [])
    assert ignored(export) == [("", Kind.LINK)]


def test_the_root_may_be_a_link(folder: Folder, tmp_path: Path) -> None:
    link(tmp_path / "root", folder.root)
    export = DirectoryExport(tmp_path / "root")
    (blob,) = list_day(export, CONTAINER, DAY).blobs
    assert export.read(CONTAINER, blob, 0, blob.size) == records(ALERT_INFO, 0, 1)


@pytest.mark.parametrize("part", ["file", "hour", "tenant", "container"])
def test_a_link_that_appears_after_the_listing_is_not_followed(folder: Folder, tmp_path: Path, part: str) -> None:
    export = DirectoryExport(folder.root)
    (blob,) = list_day(export, CONTAINER, DAY).blobs
    file = folder.root / CONTAINER / blob.path
    replaced = {"file": file, "hour": file.parents[1], "tenant": file.parents[5], "container": file.parents[6]}[part]
    # the same names elsewhere, so that a link would be read if it were followed
    aside = tmp_path / "aside"
    replaced.rename(aside)
    replaced.symlink_to(aside)
    with pytest.raises(BlobChangedError):
        export.read(CONTAINER, blob, 0, blob.size)


def test_only_regular_files_are_blobs_and_a_pipe_does_not_stop_the_reader(folder: Folder) -> None:
    export = DirectoryExport(folder.root)
    (blob,) = list_day(export, CONTAINER, DAY).blobs
    file = folder.root / CONTAINER / blob.path
    file.unlink()
    os.mkfifo(file)
    assert list_day(export, CONTAINER, DAY).blobs == []
    assert ignored(export) == [(blob.path, Kind.OTHER)]
    with pytest.raises(BlobChangedError):
        export.read(CONTAINER, blob, 0, blob.size)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (blob_path().replace("PT1H.json", ".azDownload-3f2a-PT1H.json"), Kind.HIDDEN),
        (blob_path().replace("PT1H.json", "._PT1H.json"), Kind.HIDDEN),
        (blob_path().replace("PT1H.json", ".DS_Store"), Kind.HIDDEN),
        (f"{blob_path()}.gz", Kind.COMPRESSED),
        (blob_path().replace("PT1H.json", "day.tar.zst"), Kind.COMPRESSED),
        ("resourceId=/SUBSCRIPTIONS/A/y=2026/m=11/d=03/h=08/m=00/PT1H.json", Kind.RESOURCE),
        (f"tenantId={TENANT}/PT1H.json", Kind.OTHER),
        ("tenantId=not a tenant/y=2026/m=11/d=03/h=08/m=00/PT1H.json", Kind.OTHER),
        ("notes.txt", Kind.OTHER),
    ],
)
def test_files_of_other_names_are_not_read_and_are_counted(folder: Folder, name: str, kind: Kind) -> None:
    folder.append(ALERT_INFO, name, b"{}\r\n")
    export = DirectoryExport(folder.root)
    assert ignored(export) == [(name, kind)]
    assert [blob.path for blob in list_day(export, CONTAINER, DAY).blobs] == [blob_path()]
    assert export.tenants(CONTAINER) == [TENANT]


@pytest.mark.parametrize(
    ("nanoseconds", "expected"),
    [
        (0, NO_MOMENT),
        (1_700_000_000_123_456_789, datetime(2023, 11, 14, 22, 13, 20, 123_000, UTC)),
        (-1, None),
        (-(2**63), None),
        (2**63 - 1, datetime(2262, 4, 11, 23, 47, 16, 854_000, UTC)),
        (10**9 * 2**40, None),
        (10**9 * 2**62, None),
    ],
)
def test_an_impossible_time_of_a_file_is_no_time(nanoseconds: int, expected: datetime | None) -> None:
    assert moment_of(nanoseconds) == expected


@pytest.mark.skipif(not SHARED_MEMORY.is_dir(), reason="needs a file system that stores any time")
def test_a_file_with_an_impossible_time_is_read(lake: Lake) -> None:
    with TemporaryDirectory(dir=SHARED_MEMORY) as root:
        folder = Folder(Path(root))
        for hour in (7, 8, 9):
            file = folder.append(ALERT_INFO, blob_path(hour=hour), records(ALERT_INFO, hour, 1))
            if hour == 8:
                os.utime(file, (0, 2**50))
        report = ingest(lake, DirectoryExport(folder.root), ALERT_INFO, DAY)
    assert (len(report.listed), report.unreadable) == (3, [])
    assert lake.read(ALERT_INFO.raw).collect().height == 3


def test_what_may_not_be_read_is_named_and_everything_else_is_read() -> None:
    with unprivileged_folder() as made:
        folder = Folder(made / "export")
        for tenant in (TENANT, OTHER_TENANT):
            for hour in range(4):
                folder.append(
                    ALERT_INFO, blob_path(hour=hour, tenant=tenant), records(ALERT_INFO, hour, 1, tenant=tenant)
                )
        file = folder.root / CONTAINER / blob_path(hour=1)
        hidden_hour = (folder.root / CONTAINER / blob_path(hour=2)).parents[1]
        hidden_tenant = folder.root / CONTAINER / f"tenantId={OTHER_TENANT}"
        for path in (file, hidden_hour, hidden_tenant):
            path.chmod(0)
        lake, export = local_lake(made / "lake"), DirectoryExport(folder.root)
        report = ingest(lake, export, ALERT_INFO, DAY)
        assert sorted(lake.read(ALERT_INFO.raw).collect()["hour"].to_list()) == [0, 3]
        assert [part.path for part in report.unreadable] == [
            blob_path(hour=1),
            f"{blob_path(hour=2).removesuffix('m=00/PT1H.json')}",
            f"tenantId={OTHER_TENANT}/y=2026/m=11/d=03/",
        ]
        for part in report.unreadable:
            assert "cannot be read (Permission denied): give this user read permission" in part.reason
        hidden_tenant.chmod(0o700)
        hidden_hour.chmod(0o700)
        file.chmod(0o600)
        assert ingest(lake, export, ALERT_INFO, DAY).unreadable == []
        assert lake.read(ALERT_INFO.raw).collect().height == 8


def test_names_that_are_no_text_are_no_error(folder: Folder) -> None:
    (folder.root / CONTAINER / f"tenantId={TENANT}" / os.fsdecode(b"\xff\x1b[2J")).write_bytes(b"x")
    export = DirectoryExport(folder.root)
    ((path, kind),) = ignored(export)
    assert kind is Kind.OTHER
    assert path.startswith(f"tenantId={TENANT}/")
