"""Dagster's event log on SQLite, for one machine: each process keeps its connection to the database of all runs.

`dagster.yaml` names the class, so every process that opens the instance imports this module. No product code here.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from threading import Lock
from typing import Any

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool, StaticPool

FOLDER = "history/runs"
"""Where Dagster keeps its event log below DAGSTER_HOME."""

ALL_RUNS = "index"
"""Dagster's name of the database of all runs. Each run has one as well."""

BUSY_SECONDS = 30
"""How long a statement waits for other writers, as in Dagster."""

MOST_ENGINES = 16


class OpenEventLog(SqliteEventLogStorage):
    """Dagster's event log on SQLite, whose database of all runs stays open.

    Dagster opens and closes that database for each access. When nobody else has it open, SQLite then copies its
    write-ahead log into the database, and SQLAlchemy compiles each statement again. A run does so some 300 times.
    Before the first access, Dagster loads all 88 versions of its schema to learn whether the database has one.

    The database of a single run is opened and closed as before: the UI sees a new event of a run by the change of that
    file.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._one_at_a_time = Lock()
        self._engines: dict[str, Engine] = {}

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "OpenEventLog":
        return cls(inst_data, **config_value)

    def register_instance(self, instance: dg.DagsterInstance) -> None:
        """Open the log of the instance: only the instance knows its directory, also a temporary one."""
        super().__init__(f"{instance.root_directory}/{FOLDER}", self._inst_data)
        super().register_instance(instance)

    def run_connection(self, run_id: str | None = None) -> AbstractContextManager[Connection]:
        return self._transaction(run_id or "")

    def index_connection(self) -> AbstractContextManager[Connection]:
        return self._transaction(ALL_RUNS)

    def wipe(self) -> None:
        super().wipe()
        self._forget_engines()

    def dispose(self) -> None:
        super().dispose()
        self._forget_engines()

    @contextmanager
    def _transaction(self, database: str) -> Iterator[Connection]:
        # as in Dagster, threads take turns
        with self._one_at_a_time, self._engine(database).begin() as connection:
            yield connection

    def _engine(self, database: str) -> Engine:
        if database not in self._engines:
            if len(self._engines) >= MOST_ENGINES:
                self._forget_engines()
            engine = create_engine(
                self.conn_string_for_shard(database),
                poolclass=StaticPool if database == ALL_RUNS else NullPool,
                connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
            )
            if not _has_schema(engine):
                with super().index_connection() if database == ALL_RUNS else super().run_connection(database):
                    pass
            self._engines[database] = engine
        return self._engines[database]

    def _forget_engines(self) -> None:
        while self._engines:
            _, engine = self._engines.popitem()
            engine.dispose()


def _has_schema(engine: Engine) -> bool:
    """Return whether Dagster has created the tables and recorded their version, which it does last."""
    try:
        with engine.connect() as connection:
            return connection.scalar(text("SELECT version_num FROM alembic_version")) is not None
    except OperationalError:
        return False
