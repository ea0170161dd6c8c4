"""Simulation with target-postgres: PostgreSQL equals the service after a few histories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from typing_extensions import override

from tests.pipelines.targets import Target, target_postgres
from tests.simulation.history import KEYS, History, Setup
from tests.simulation.simulate import simulate
from tests.simulation.warehouse import DELETED_AT
from tests.storms.schedule import INCREMENTAL, LOG_BASED
from tools.warehouse import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.client import Sandbox
    from tests.tap import Message
    from tools.meltano import Project
    from tools.postgres import Postgres

HISTORIES = 3


class LoadedHistory(History):
    """A history that loads its messages into PostgreSQL at its end."""

    def __init__(self, setup: Setup, target: Target, database: Postgres) -> None:
        super().__init__(setup)
        self.target = target
        self.database = database

    @override
    def teardown(self) -> None:
        super().teardown()
        self.target.load(self.output)
        with psycopg.connect(self.database.dsn) as connection:
            for table, key in KEYS.items():
                columns = [key, *self.columns[table]]
                query = sql.SQL("SELECT {} FROM {} WHERE {} IS NULL").format(
                    sql.SQL(", ").join(
                        sql.SQL("{}::text").format(sql.Identifier(c)) for c in columns
                    ),
                    sql.Identifier(SCHEMA, table),
                    sql.Identifier(DELETED_AT),
                )
                rows = {row[0]: row for row in connection.execute(query)}
                held = self.warehouse.tables[table].current
                expected = {
                    row[key]: tuple(row.get(column) for column in columns) for row in held.values()
                }
                assert rows == expected


@pytest.mark.parametrize("hard_delete", [False, True], ids=["marks", "deletes"])
@pytest.mark.parametrize("method", [INCREMENTAL, LOG_BASED])
def test_postgres_after_any_history_equals_the_service(  # noqa: PLR0913, PLR0917 - what it takes
    service: Sandbox,
    catalog: Message,
    meltano: Callable[[dict[str, str]], Project],
    postgres_server: Postgres,
    database_names: Iterator[str],
    method: str,
    hard_delete: bool,  # noqa: FBT001 - pytest gives it
) -> None:
    setup = Setup(service, catalog, method, parallel=8)
    project = meltano({})

    def history() -> History:
        database = postgres_server.create(next(database_names))
        target = target_postgres(project, database, hard_delete=hard_delete)
        return LoadedHistory(setup, target, database)

    simulate(history, HISTORIES)
