"""The lake: Delta tables under one URI. Creates, opens and reads them, and commits to a day behind its fence.

The fence: each (table, day) has a version in the Delta transaction log (`app_id`). A writer opens the table, reads the
version, computes from upstream and commits on the same `DeltaTable` object. delta-rs rejects the commit if another one
with the same `app_id` was made since the table was opened; then the writer opens the table and starts again. Never
commit rows computed earlier on a newly opened table: delta-rs would accept them, and they could be stale.
"""

import logging
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import polars as pl
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction

from defender_assets.core.azure.account import AzureAccount
from defender_assets.core.azure.container import create_container, is_missing
from defender_assets.core.azure.errors import as_lake_error, describe_error_text
from defender_assets.core.azure.sas import WRITE
from defender_assets.core.errors import GRANT_LAKE, LakeError, redact, system_refusal
from defender_assets.core.lake.appends import can_write, write_rows
from defender_assets.core.lake.arrow import RowStream, arrow_schema
from defender_assets.core.lake.fences import Versions, fence_of, versions_of
from defender_assets.core.lake.files import LOG, FileIdentity, TableFiles
from defender_assets.core.lake.log_files import (
    commit_path,
    first_commit_of,
    has_data_files,
    is_about_content,
    log_is_lost,
    remove_damaged_checkpoints,
    sync_commits,
)
from defender_assets.core.lake.snapshots import Snapshot, scan, schema_of
from defender_assets.core.lake.table_spec import (
    TableSpec,
    add_columns,
    grown_schema,
    missing_columns,
)
from defender_assets.core.lake.unchanged import is_newest, keep, unchanged
from defender_assets.core.retries import retry_on_conflict

logger = logging.getLogger(__name__)

# delta-rs would list the whole log after each commit to clean it up: maintenance does that
_HOOKS = PostCommitHookProperties(cleanup_expired_logs=False)


@dataclass(frozen=True)
class Commit:
    """Rows of one day and the new version of its fence; `replaces` is a predicate within the day, "" for all of it.

    In a table without `export_date`, all rows are those of the day.

    `schema` is the schema of the rows if it is not the spec's, such as with columns of newer versions. A derived
    partition also records what it was built from (`built`); a commit that leaves its rows as they are does not.

    `goes_on`: the writer will commit on the same handle again, so nobody else reads from it.
    """

    frames: Iterable[pl.DataFrame]
    version: int
    replaces: str | None = None
    schema: pl.Schema | None = None
    built: "Built | None" = None
    goes_on: bool = False


@dataclass(frozen=True)
class Built:
    """What a derived partition records with its rows.

    `inputs` identifies what it was built from (`fences.hash_inputs`), `rows` is the number of rows that the day then
    has, and `kept` the number of those whose bytes raw no longer holds, None if it is as before. `files` identifies
    the upstream files that were read, None if the table is always built in full. `commit` is a random number.
    """

    inputs: int
    rows: int
    kept: int | None = None
    files: int | None = None
    commit: int = field(default_factory=lambda: secrets.randbits(63))

    def transactions(self, fence: str) -> list[Transaction]:
        numbers = {"inputs": self.inputs, "rows": self.rows, "commit": self.commit}
        numbers |= {name: each for name, each in (("kept", self.kept), ("files", self.files)) if each is not None}
        return [Transaction(f"{fence}/{name}", number) for name, number in numbers.items()]


@dataclass
class FencedTable:
    """A table opened behind the fence of one day, None in a table without days. Only `Lake.commit` writes to it.

    `left` is the file of this writer's last commit on it, None if there is none or somebody else committed meanwhile.
    """

    spec: TableSpec
    day: date | None
    fence: str
    table: Snapshot
    version: int = field(init=False)
    left: FileIdentity | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.version = self.table.transaction_version(self.fence) or 0


@dataclass(frozen=True)
class Lake:
    """The Delta tables below `uri`: a local path, or `az://` / `abfss://` in `account`.

    `keep_days` is the number of past days to retain; None retains every day.
    """

    uri: str
    tables: tuple[TableSpec, ...]
    account: AzureAccount | None = None
    keep_days: int | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what no text may show: the secrets of the lake's account, if it has one."""
        return self.account.secrets if self.account else ()

    def describe(self) -> str:
        return f"{self.uri} ({self.account.auth_method})" if self.account else self.uri

    def first_day(self, today: date | None = None) -> date:
        """Return the first retained day, by default as of now (UTC). Earlier ones are neither read nor written."""
        if self.keep_days is None:
            return date.min
        return (today or datetime.now(UTC).date()) - timedelta(days=self.keep_days)

    def is_retained(self, day: date) -> bool:
        """Return whether the day is retained; log a warning if it is not."""
        retained = day >= self.first_day()
        if not retained:
            logger.warning("%s is older than DEFENDER_RETENTION_DAYS=%s: nothing to do", day, self.keep_days)
        return retained

    def spec(self, name: str) -> TableSpec:
        return next(spec for spec in self.tables if spec.name == name)

    def table_uri(self, name: str) -> str:
        return f"{self.uri.rstrip('/')}/{name}"

    def open(self, name: str) -> Snapshot:
        """Return a new snapshot of a table; create a missing table, and add missing columns and fields.

        An identity that may not write to an older table still reads it: what the table lacks is null.

        Raises:
            LakeError: when the lake cannot be reached, a missing table not be created, or the table has another schema.
        """
        spec = self.spec(name)

        def opened() -> Snapshot:
            table = self._open_or_create(spec)
            before = table.version()
            try:
                add_columns(table, spec)
                sync_commits(self.files(name), before, table.version())
            except CommitFailedError:
                raise
            except (DeltaError, OSError) as error:
                logger.warning(
                    "%s: an older version wrote it, and what is new could not be added, so it is null: %s",
                    name,
                    redact(str(error), self.secrets)[:200],
                )
            return table

        with self.translate_errors(f"open {name}"):
            return retry_on_conflict(opened)

    def exists(self, name: str) -> bool:
        return self._unchanged(name) is not None or self._is_table(name)

    def _unchanged(self, name: str) -> Snapshot | None:
        return unchanged(self.files(name), self.spec(name), complete=False)

    def _is_table(self, name: str) -> bool:
        with self.translate_errors(f"open {name}"):
            try:
                if DeltaTable.is_deltatable(self.table_uri(name), storage_options=self._options()):
                    return True
            except (DeltaError, OSError) as error:
                if not self._lacks_container(error):
                    raise
                return False
            self._refuse_lost_log(name)
            return False

    def read(self, name: str) -> pl.LazyFrame:
        """Return the current rows of a table, empty if it was never written."""
        table = self._unchanged(name)
        if table is None:
            if not self._is_table(name):
                return pl.LazyFrame(schema=self.spec(name).schema)
            table = self.snapshot(name)
        return scan(table)

    def snapshot(self, name: str, *, create: bool = False, again: bool = False) -> Snapshot:
        """Return a snapshot of a table as it is now, only to read from: never commit on it.

        It is the same object until somebody writes to the table. With `create`, a missing table is created and missing
        columns are added (`open`). Without it, the table must exist and stays as it is, so no write access is needed.
        With `again`, the table is opened in any case, so that damage of its log is seen.

        Raises:
            LakeError: when the lake cannot be reached, or the table is missing or has another schema.
        """
        files, spec = self.files(name), self.spec(name)
        table = None if again else unchanged(files, spec, complete=create)
        if table is None:
            table = self.open(name) if create else self._existing(spec)
            keep(files, spec, table, complete=create)
        return table

    def _existing(self, spec: TableSpec) -> Snapshot:
        with self.translate_errors(f"open {spec.name}"):
            table = self._opened(spec)
        missing_columns(table, spec)
        return table

    def fenced(self, name: str, day: date | None, fence: str | None = None) -> FencedTable:
        """Return a new snapshot of a table behind the day's fence (by default the table's own).

        `day` is None in a table without days.
        """
        return FencedTable(self.spec(name), day, fence or fence_of(name, day), self.open(name))

    def is_as_left(self, target: FencedTable) -> bool:
        """Return whether nobody has written to a table since this writer's last commit on it.

        Then it is what `fenced` would open now, and the next commit may be made on it.
        """
        return target.left is not None and is_newest(self.files(target.spec.name), target.table, target.left)

    def versions(self, table: DeltaTable) -> Versions:
        """Return the versions of all days in exactly this snapshot of a table, from one read of its log."""
        options = self._options()
        if isinstance(table, Snapshot):
            return table.once("versions", lambda: versions_of(table, options))
        return versions_of(table, options)

    def commit(self, target: FencedTable, commit: Commit) -> None:
        """Write the rows and the version in one Delta commit, on the opened table; on a local disk it is durable then.

        Raises:
            CommitFailedError: when another commit was made since; `retry_on_conflict` opens the table and starts again.
            LakeError: for every other error of the lake.
            ValueError: when the version would decrease.
        """
        if commit.version < target.version:
            raise ValueError(f"{target.fence}: version {commit.version} is below {target.version}")
        mode: dict[str, Any] = {"mode": "append"}
        if commit.replaces is not None:
            day = [f"export_date = '{target.day}'"] if target.spec.has_days else []
            within = [f"({commit.replaces})"] if commit.replaces else []
            mode = {"mode": "overwrite", "predicate": " AND ".join([*day, *within]) or None}
        schema, current = commit.schema or target.spec.schema, schema_of(target.table)
        grown = grown_schema(current, schema, target.spec.name)
        stored = pl.Schema({name: grown[name] for name in schema})
        rows = RowStream(schema, commit.frames, stored)
        # columns of a newer version become null
        merge: Literal["merge"] | None = None if dict(current) == dict(stored) else "merge"
        recorded = commit.built.transactions(target.fence) if commit.built else []
        transactions = [Transaction(target.fence, commit.version), *recorded]
        before = target.table.version()
        with self.translate_errors(f"write {target.spec.name}"):
            try:
                if commit.replaces is None and merge is None and can_write(target.table, target.spec):
                    written = write_rows(self.files(target.spec.name), target.table, rows.checked())
                    self._add(target, written, transactions)
                else:
                    write_deltalake(
                        target.table,
                        rows,
                        **mode,
                        schema_mode=merge,
                        writer_properties=target.spec.writer(),
                        commit_properties=CommitProperties(app_transactions=transactions),
                        post_commithook_properties=_HOOKS,
                    )
            except (DeltaError, OSError):
                if rows.problem is not None:
                    raise rows.problem from None
                raise
        files = self.files(target.spec.name)
        # the commit that this one builds on as well: its writer may not have synced it yet
        sync_commits(files, before - 1, target.table.version())
        after = target.table.version()
        # who wrote in between may have taken rows away
        target.left = files.identity(commit_path(after)) if after == before + 1 else None
        target.version = commit.version
        if not commit.goes_on:
            keep(files, target.spec, target.table, complete=True)

    def record(self, target: FencedTable, numbers: Mapping[str, int]) -> None:
        """Record a number for each `app_id` in one commit without rows, on the opened table; nothing if there is none.

        Raises:
            CommitFailedError: when another commit was made since; `retry_on_conflict` opens the table and starts again.
            LakeError: for every other error of the lake.
        """
        if not numbers:
            return
        before = target.table.version()
        with self.translate_errors(f"write {target.spec.name}"):
            self._add(target, [], [Transaction(name, each) for name, each in numbers.items()])
        sync_commits(self.files(target.spec.name), before - 1, target.table.version())

    def _add(self, target: FencedTable, written: Sequence[AddAction], transactions: list[Transaction]) -> None:
        """Commit files that are written already on the opened table, which then is as this commit left it."""
        table, before = target.table, target.table.version()
        table.create_write_transaction(
            [*written],
            "append",
            table.schema(),
            list(target.spec.partition_by),
            commit_properties=CommitProperties(app_transactions=transactions),
            post_commithook_properties=_HOOKS,
        )
        # delta-rs leaves the opened table as it was
        table.update_incremental()
        if table.version() > before + 1:
            # with later commits of others, the next commit on this table would pass their fences
            files, app_id = self.files(target.spec.name), transactions[0].app_id
            table.load_as_version(first_commit_of(files, app_id, before, table.version()))

    def _options(self) -> dict[str, str]:
        return self.account.storage_options() if self.account else {}

    def _lacks_container(self, error: Exception) -> bool:
        """Return whether an error means a missing container. Another writer may have created it since."""
        return self.account is not None and ("ContainerNotFound" in str(error) or is_missing(self.account, self.uri))

    def _open_or_create(self, spec: TableSpec) -> Snapshot:
        try:
            return self._opened(spec)
        except (DeltaError, OSError) as error:
            # delta-rs reports a missing container as a storage error, not as a missing table
            if not isinstance(error, TableNotFoundError) and not self._lacks_container(error):
                raise
            self._refuse_lost_log(spec.name)
            self._create(spec, self._options())
            return self._opened(spec)

    def _refuse_lost_log(self, name: str) -> None:
        """Raise if a table without a log has data files: maintenance would delete the files of a new table's folder.

        Raises:
            DamagedLogError: the text says what to do.
        """
        files = self.files(name)
        # a writer that creates the table meanwhile writes its log before its first data file
        if has_data_files(files) and not DeltaTable.is_deltatable(files.uri, storage_options=self._options()):
            raise log_is_lost(files)

    def files(self, name: str) -> TableFiles:
        """Return the files of a table."""
        return TableFiles(self.table_uri(name), self.account)

    def at_version(self, name: str, version: int) -> DeltaTable:
        """Return a table as an earlier version left it."""
        with self.translate_errors(f"open {name}"):
            return DeltaTable(self.table_uri(name), version=version, storage_options=self._options())

    def _opened(self, spec: TableSpec) -> Snapshot:
        try:
            table = Snapshot(self.table_uri(spec.name), storage_options=self._options())
        except DeltaError as error:
            if not is_about_content(error):
                raise
            removed = remove_damaged_checkpoints(self.files(spec.name))
            if not removed:
                raise
            logger.warning("%s: removed damaged files that its log does not need: %s", spec.name, ", ".join(removed))
            table = Snapshot(self.table_uri(spec.name), storage_options=self._options())
        table.read_as = spec.schema
        return table

    def _create(self, spec: TableSpec, options: dict[str, str]) -> None:
        if self.account:
            create_container(self.account, self.uri)
        else:
            Path(self.uri).mkdir(parents=True, exist_ok=True)
        try:
            DeltaTable.create(
                self.table_uri(spec.name),
                schema=arrow_schema(spec.schema),
                mode="ignore",
                partition_by=list(spec.partition_by),
                configuration=spec.properties,
                storage_options=options,
            )
        except DeltaError as error:
            # another writer may have created it at the same time
            if not DeltaTable.is_deltatable(self.table_uri(spec.name), storage_options=options):
                raise
            logger.debug("%s was created by another writer (%s)", spec.name, type(error).__name__)
        if self.account is None:
            sync_commits(self.files(spec.name), -1, 0)
            TableFiles(self.uri).sync(spec.name)

    @contextmanager
    def translate_errors(self, what: str) -> Iterator[None]:
        """Raise errors of the storage and of delta-rs as LakeError without secrets, except commit conflicts."""
        try:
            with as_lake_error(self.account, f"{what} of the lake"):
                yield
        except CommitFailedError:
            raise
        except (DeltaError, OSError) as error:
            if self.account:
                message = describe_error_text(self.account, f"{what} in {self.uri}", str(error), WRITE)
                if message:
                    raise LakeError(message) from None
            reason = redact(str(error), self.secrets)
            if refusal := self.refusal(reason):
                raise LakeError(f"cannot {what} in {self.describe()}: {refusal}; {GRANT_LAKE}") from None
            reason = reason[:400]
            advice = self._file_in_the_way(reason) or "check DEFENDER_LAKE_URI, free space and write permission"
            raise LakeError(f"cannot {what} in {self.describe()}: {reason}; {advice}") from None

    def refusal(self, reason: str) -> str | None:
        """Return why the system let this user not use a file of a lake on disk, as `system_refusal`; otherwise None."""
        return None if self.account else system_refusal(reason)

    def _file_in_the_way(self, reason: str) -> str | None:
        """Return what to do about a file in place of a folder; None if that is not the reason."""
        if self.account:
            return None
        folders = [Path(self.uri, spec.name) for spec in self.tables]
        for path in [Path(self.uri), *Path(self.uri).parents, *folders, *(folder / LOG for folder in folders)]:
            if os.path.isfile(path):  # noqa: PTH113 (False, and no error, if the folder above it cannot be searched)
                return f"{path} is a file where a folder belongs: move it away"
        return "a file is where a folder belongs: move it away" if "Not a directory" in reason else None
