"""Where an export is written: a directory in the account's layout, or append blobs of a real account.

Both can be interrupted and run again, and both carry an export further when the scenario's days or `until` have grown:
bytes that stand are left as they are. What the bytes are does not belong here.
"""

from collections.abc import Iterable, Iterator
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
    """Simulate into `root`, with the ground truth beside the containers as `ground_truth.json`; return that truth.

    Raises:
        ValueError: `root` holds another export.
    """
    observed = GroundTruth(scenario)
    write_directory(observed.watch(simulate(scenario)), root)
    observed.write(root / FILE_NAME)
    return observed.as_dict()


def export_account(scenario: Scenario, service: "BlobServiceClient") -> dict[str, Any]:
    """Simulate into an account and return the ground truth, which is not written there.

    Raises:
        ValueError: the account holds another export.
    """
    observed = GroundTruth(scenario)
    write_account(observed.watch(simulate(scenario)), service)
    return observed.as_dict()


def write_directory(appends: Iterable[Append], root: Path) -> int:
    """Write the appends under `root/<container>/<blob>` and return how many bytes were new.

    Raises:
        ValueError: a file holds other bytes than the export has there.
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
    size = path.stat().st_size
    standing = min(size - start, len(data))
    if standing < 0:
        raise _another(str(path))
    if standing:
        with path.open("rb") as file:
            file.seek(start)
            if file.read(standing) != data[:standing]:
                raise _another(str(path))
    if standing < len(data):
        with path.open("ab") as file:
            file.write(data[standing:])
    return len(data) - standing


@dataclass(slots=True)
class _Target:
    """A blob of the account and how far the export has come in it."""

    client: "BlobClient"
    size: int
    position: int = 0
    last_start: int = 0
    last_digest: bytes = b""


def write_account(appends: Iterable[Append], service: "BlobServiceClient") -> int:
    """Write the appends to append blobs, creating what is missing, and return how many bytes were new.

    Of bytes that stand already only the last append before the first new one is compared.

    Raises:
        ValueError: a blob is no append blob, or holds other bytes than the export has there.
    """
    containers: set[str] = set()
    targets: dict[tuple[str, str], _Target] = {}
    new = 0
    for append in appends:
        if append.container not in containers:
            _create_container(service, append.container)
            containers.add(append.container)
        key = append.container, append.blob
        if key not in targets:
            targets[key] = _open(service.get_blob_client(*key))
        new += _extend_blob(targets[key], append.data)
    return new


def _create_container(service: "BlobServiceClient", name: str) -> None:
    try:
        service.create_container(name)
    except ResourceExistsError:
        return


def _open(client: "BlobClient") -> _Target:
    try:
        properties = client.get_blob_properties()
    except ResourceNotFoundError:
        client.create_append_blob()
        return _Target(client, 0)
    if str(properties.blob_type) != "BlobType.APPENDBLOB" and properties.blob_type != "AppendBlob":
        raise _another(client.blob_name)
    return _Target(client, properties.size)


def _extend_blob(target: _Target, data: bytes) -> int:
    start, end = target.position, target.position + len(data)
    target.position = end
    if end <= target.size:
        target.last_start, target.last_digest = start, blake2b(data).digest()
        return 0
    if target.last_digest:
        held = target.client.download_blob(offset=target.last_start, length=start - target.last_start).readall()
        if blake2b(held).digest() != target.last_digest:
            raise _another(target.client.blob_name)
        target.last_digest = b""
    missing = data[target.size - start :]
    for block in _blocks(missing):
        target.client.append_block(block, appendpos_condition=target.size)
        target.size += len(block)
    return len(missing)


def _blocks(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), _LARGEST_BLOCK):
        yield data[start : start + _LARGEST_BLOCK]


def _another(name: str) -> ValueError:
    return ValueError(f"{name} holds another export than this scenario writes: choose an empty place, or its scenario")
