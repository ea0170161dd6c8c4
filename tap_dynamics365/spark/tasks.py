"""Tasks: what the tasks of Spark read, and how they sign in.

The driver plans tasks, and executors read them. A task has all that an executor needs: Spark
pickles the function that reads before it asks for the partitions, and for a stream only once.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tap_dynamics365.arrow import TableRequest
from tap_dynamics365.errors import Failure, ServiceError
from tap_dynamics365.spark import sign_in
from tap_dynamics365.spark.source import SparkSource

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from tap_dynamics365.arrow import Described, Partition
    from tap_dynamics365.spark.options import Options

# More requests at a time gain nothing in one task.
REQUESTS_OF_A_TASK = 8
# Services that a worker process keeps open: one for each app, and each token of a person.
MOST_OPEN = 8

NAME_COMPANIES = "Name the companies that you may read in the option companies."
CANT_RENEW = (
    "{} The tasks of Spark can't renew the access token of a person. Let an app sign in with "
    "client_id and client_secret if reading takes longer than a token is valid."
)


@dataclass(frozen=True, kw_only=True)
class Task:
    """What one task reads.

    Attributes:
        config: The settings, with the sign-in of the task.
        is_renewable: Whether the task can sign in again.
        partition: The rows of the table to read; None for changes.
        changes: The table and its columns, if its changes are read.
        since: The delta token of the changes.
        described: The table, if its changes are read: so a task reads no metadata.
        added: The values of columns that the service does not have.
    """

    config: Mapping[str, Any] = field(repr=False)
    is_renewable: bool
    partition: Partition | None = None
    changes: TableRequest | None = None
    since: str = ""
    described: Described | None = None
    added: Mapping[str, Any] = field(default_factory=dict)


def plan(
    options: Options,
    source: SparkSource,
    conditions: Sequence[str] = (),
    added: Mapping[str, Any] | None = None,
) -> list[Task]:
    """Plan a task for each partition of a table. Task i signs in as app i mod n.

    Args:
        options: The options of the DataFrame.
        source: The service, which the driver signs in to.
        conditions: Conditions in OData that every row fulfils, besides the option `filter`.
        added: The values of columns that the service does not have.

    Raises:
        MetadataError: There is no such table.
        SettingsError: The table does not have one of the columns.
        ServiceError: The service refused.
        SignInError: The sign-in host gave no token.
    """
    terms = [f"({each})" for each in (options.row_filter, *conditions) if each]
    partitions = source.partitions(
        options.table,
        options.partitions,
        columns=options.columns,
        filter=" and ".join(terms),
        decimals=options.decimals,
        text=options.text,
    )
    # Each partition with settings of its own.
    parts: list[tuple[Partition, Mapping[str, Any]]] = [(each, {}) for each in partitions]
    if len(partitions) == 1 and (companies := source.companies(request_of(options))):
        count = min(options.partitions, len(companies))
        groups = [{"companies": companies[number::count]} for number in range(count)]
        parts = [(partitions[0], group) for group in groups]
    signed = sign_in.of_tasks(options, source)
    tasks_of_a_user = max(1, -(-len(parts) // len(signed.configs)))
    requests = max(1, min(REQUESTS_OF_A_TASK, source.most_requests // tasks_of_a_user))
    return [
        Task(
            config={
                "max_parallel_requests": requests,
                **signed.configs[number % len(signed.configs)],
                **settings,
            },
            is_renewable=signed.is_renewable,
            partition=partition,
            added=added or {},
        )
        for number, (partition, settings) in enumerate(parts)
    ]


def plan_changes(
    options: Options, source: SparkSource, since: str, added: Mapping[str, Any]
) -> Task:
    """Plan the task that reads the changes of a table. They can't be divided.

    Args:
        options: The options of the query.
        source: The service, which the driver signs in to.
        since: The delta token since which changes are read.
        added: The values of columns that the service does not have.

    Raises:
        SignInError: The sign-in host gave no token.
    """
    signed = sign_in.of_tasks(options, source)
    return Task(
        config=signed.configs[0],
        is_renewable=signed.is_renewable,
        changes=request_of(options),
        since=since,
        described=source.described(options.table),
        added=added,
    )


def request_of(options: Options) -> TableRequest:
    """Return what to read of a table.

    Args:
        options: The options of the DataFrame.
    """
    return TableRequest(
        options.table,
        options.columns,
        options.row_filter,
        decimals=options.decimals,
        text=options.text,
    )


def read(task: Task, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Read the rows of a task, on an executor.

    Args:
        task: The task.
        schema: The columns that Spark expects, in this order and with these types.

    Yields:
        The rows, page by page.

    Raises:
        ServiceError: The service refused.
        SignInError: The sign-in host gave no token.
    """
    try:
        # A query with a limit ends its tasks before their last row, and the threads must end too.
        with closing(_batches(task)) as batches:
            for batch in batches:
                yield fitted(batch, schema, task.added)
    except ServiceError as error:
        if error.failure is Failure.UNAUTHORIZED and not task.is_renewable:
            message = CANT_RENEW.format(error.message)
        elif error.failure in {Failure.DENIED, Failure.GONE} and "companies" in task.config:
            message = f"{error.message} {NAME_COMPANIES}"
        else:
            raise
        raise ServiceError(message, error.failure, response=error.response) from error


def _batches(task: Task) -> Generator[pa.RecordBatch, None, None]:
    source = _opened(task.config)
    if task.changes is not None and task.described is not None:
        source.know(task.described)
        yield from source.changes(task.changes).batches(task.since)
    elif task.partition is not None:
        with source.read_partition(task.partition) as reading:
            yield from reading


def fitted(batch: pa.RecordBatch, schema: pa.Schema, added: Mapping[str, Any]) -> pa.RecordBatch:
    """Bring the columns of a record batch into the order and types of a schema.

    Args:
        batch: The record batch.
        schema: The schema.
        added: The values of columns that the batch does not have; null for all others.

    Raises:
        pyarrow.ArrowInvalid: A value does not fit into the type.
    """
    names, rows = {*batch.schema.names}, batch.num_rows
    columns = [
        batch.column(each.name).cast(each.type)
        if each.name in names
        else pa.repeat(pa.scalar(added.get(each.name), each.type), rows)
        for each in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


_open: dict[str, SparkSource] = {}


def _opened(config: Mapping[str, Any]) -> SparkSource:
    """Return the service of some settings. Spark reuses the processes of its workers."""
    key = json.dumps(config, sort_keys=True)
    if key not in _open:
        if len(_open) >= MOST_OPEN:
            _open.pop(next(iter(_open))).close()
        _open[key] = SparkSource(config)
    return _open[key]
