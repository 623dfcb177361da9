"""Write an export into a directory with the account's layout, or as append blobs into a real account.

Both can be interrupted and repeated. When the scenario's `days` or `until` has grown, they only append new bytes.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from defender_assets.simulator.export import simulate
from defender_assets.simulator.ground_truth import FILE_NAME, GroundTruth
from defender_assets.simulator.scenario import Append, Scenario

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobServiceClient

_LARGEST_BLOCK = 4 * 1024 * 1024


def export_directory(scenario: Scenario, root: Path) -> dict[str, Any]:
    """Simulate into `root`; write the ground truth to `root/ground_truth.json` and return it.

    Raises:
        ValueError: `root` contains another export.
    """
    observed = GroundTruth(scenario)
    write_directory(observed.watch(simulate(scenario)), root)
    observed.write(root / FILE_NAME)
    return observed.as_dict()


def export_account(scenario: Scenario, service: "BlobServiceClient") -> dict[str, Any]:
    """Simulate into an account and return the ground truth, which is not written there.

    Raises:
        ValueError: the account contains another export.
    """
    observed = GroundTruth(scenario)
    write_account(observed.watch(simulate(scenario)), service)
    return observed.as_dict()


def write_directory(appends: Iterable[Append], root: Path) -> int:
    """Write the appends under `root/<container>/<blob>` and return the number of new bytes.

    Raises:
        ValueError: a file differs from the export.
    """
    positions: dict[Path, int] = {}
    new = 0
    for append in appends:
        path = root / append.container / append.blob
        start = positions.get(path, 0)
        new += _extend(path, start, append.data)
        positions[path] = start + len(append.data)
    return new


def _extend(path: Path, start: int, data: bytes) -> int:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    existing = min(path.stat().st_size - start, len(data))
    if existing < 0:
        raise _another_export(str(path))
    if existing:
        with path.open("rb") as file:
            file.seek(start)
            if file.read(existing) != data[:existing]:
                raise _another_export(str(path))
    if existing < len(data):
        with path.open("ab") as file:
            file.write(data[existing:])
    return len(data) - existing


@dataclass(slots=True)
class _Target:
    """A blob of the account, and the position of the export in it."""

    client: "BlobClient"
    size: int
    position: int = 0
    last_start: int = 0
    last_digest: bytes = b""


def write_account(appends: Iterable[Append], service: "BlobServiceClient") -> int:
    """Write the appends to append blobs, create what is missing, and return the number of new bytes.

    Of the existing bytes, only the last append before the first new one is compared.

    Raises:
        ValueError: a blob is not an append blob, or differs from the export.
    """
    containers: set[str] = set()
    targets: dict[tuple[str, str], _Target] = {}
    new = 0
    for append in appends:
        if append.container not in containers:
            with suppress(ResourceExistsError):
                service.create_container(append.container)
            containers.add(append.container)
        key = append.container, append.blob
        if key not in targets:
            targets[key] = _open(service.get_blob_client(*key))
        new += _extend_blob(targets[key], append.data)
    return new


def _open(client: "BlobClient") -> _Target:
    try:
        properties = client.get_blob_properties()
    except ResourceNotFoundError:
        client.create_append_blob()
        return _Target(client, 0)
    if str(properties.blob_type) != "BlobType.APPENDBLOB" and properties.blob_type != "AppendBlob":
        raise _another_export(client.blob_name)
    return _Target(client, properties.size)


def _extend_blob(target: _Target, data: bytes) -> int:
    start, end = target.position, target.position + len(data)
    target.position = end
    if end <= target.size:
        target.last_start, target.last_digest = start, blake2b(data).digest()
        return 0
    if target.last_digest:
        existing = target.client.download_blob(offset=target.last_start, length=start - target.last_start).readall()
        if blake2b(existing).digest() != target.last_digest:
            raise _another_export(target.client.blob_name)
        target.last_digest = b""
    missing = data[target.size - start :]
    for begin in range(0, len(missing), _LARGEST_BLOCK):
        block = missing[begin : begin + _LARGEST_BLOCK]
        target.client.append_block(block, appendpos_condition=target.size)
        target.size += len(block)
    return len(missing)


def _another_export(name: str) -> ValueError:
    return ValueError(f"{name} contains another export than this scenario: choose an empty target or its scenario")
