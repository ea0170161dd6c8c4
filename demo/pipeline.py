"""Pipeline of the demo: a service, Meltano and a PostgreSQL, and what is done with them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import Connection

from demo.report import step
from sandbox import client
from sandbox.client import Sandbox
from tools import meltano, postgres
from tools.meltano import Project

SEED = 365
RUN = ("run", "tap-dynamics365", "target-postgres")


class WrongResultError(RuntimeError):
    """PostgreSQL and Dynamics 365 differ."""


@dataclass(frozen=True)
class Pipeline:
    """A pipeline from a Dynamics 365 to a PostgreSQL.

    Attributes:
        dynamics: The Dynamics 365.
        connection: Connection to the PostgreSQL.
        project: The Meltano project.
    """

    dynamics: Sandbox
    connection: Connection
    project: Project

    def run(self, title: str) -> Counter[str]:
        """Run the pipeline, and return how many rows of each table the tap sent.

        Args:
            title: Title of the run.
        """
        self.dynamics.clear_requests()
        with step(f"{title}: meltano {' '.join(RUN)}") as running:
            records = self.project.run(*RUN).records
            requests = len(self.dynamics.requests())
            running.outcome = f"{records.total():,} rows in {requests:,} requests"
        return records


@contextmanager
def started(
    service: str, name: str, rows: int, settings: Mapping[str, str] | None = None
) -> Iterator[Pipeline]:
    """Start a Dynamics 365 and a PostgreSQL, and make a Meltano project for them.

    Args:
        service: Service of the Dynamics 365: `dataverse` or `finance-operations`.
        name: Its name for the reader.
        rows: Number of its rows.
        settings: Variables that configure the plugins, in addition to addresses and sign-in.
    """
    with ExitStack() as running:
        with step(f"Starting a local {name}") as starting:
            started = client.started(service, client.Sandbox, rows, seed=SEED)
            dynamics = running.enter_context(started)
            # Some tables can only be read within others.
            sizes = [each["rows"] for each in dynamics.tables() if each.get("readable", True)]
            starting.outcome = f"{sum(sizes):,} rows in {len(sizes)} tables"
        with step("Starting a PostgreSQL") as starting:
            database = running.enter_context(postgres.running())
            connection = running.enter_context(psycopg.connect(database.dsn, autocommit=True))
            starting.outcome = database.dsn
        variables = {**meltano.plugin_settings(dynamics, database), **(settings or {})}
        project = running.enter_context(meltano.project(variables))
        if not meltano.PLUGINS.exists():
            print("\nBefore its first run, Meltano installs the tap and the target.")
        yield Pipeline(dynamics, connection, project)


def total(counts: Mapping[str, int], names: Iterable[str] | None = None) -> int:
    """Return the sum of some counts, or of all."""
    return sum(counts.get(name, 0) for name in (counts if names is None else names))


def compare(source: Mapping[str, object], loaded: Mapping[str, object]) -> None:
    """Compare what Dynamics 365 and PostgreSQL have.

    Args:
        source: What Dynamics 365 has.
        loaded: What PostgreSQL has.

    Raises:
        WrongResultError: Something in Dynamics 365 differs in PostgreSQL.
    """
    wrong = sorted(str(name) for name in source if source[name] != loaded.get(name))
    if wrong:
        message = f"PostgreSQL differs from Dynamics 365 in: {', '.join(wrong[:20])}."
        raise WrongResultError(message)
