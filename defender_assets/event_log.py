"""Dagster's event log on SQLite, for one machine: each process keeps its connection to the database of all runs.

`dagster.yaml` names the class, so every process that opens the instance imports this module. No product code here.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from threading import Lock
from typing import Any

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import StaticPool

FOLDER = "history/runs"
"""Where Dagster keeps its event log below DAGSTER_HOME."""

BUSY_SECONDS = 30
"""How long a statement waits for other writers, as in Dagster."""


class OpenEventLog(SqliteEventLogStorage):
    """Dagster's event log on SQLite, whose database of all runs stays open.

    Dagster opens and closes that database for each access. When nobody else has it open, SQLite then copies its
    write-ahead log into the database, and SQLAlchemy compiles each statement again. A run does so some 300 times.

    The databases of single runs are opened and closed as before: the UI sees a new event of a run by the change of that
    file.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._one_at_a_time = Lock()

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

    def index_connection(self) -> AbstractContextManager[Connection]:
        return self._transaction()

    def dispose(self) -> None:
        super().dispose()
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        # as in Dagster, threads take turns
        with self._one_at_a_time, self._engine.begin() as connection:
            yield connection

    @cached_property
    def _engine(self) -> Engine:
        # Dagster creates and stamps the tables at the first access
        with super().index_connection():
            pass
        return create_engine(
            self.conn_string_for_shard("index"),
            poolclass=StaticPool,
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        )
