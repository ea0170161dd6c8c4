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
from tap_dynamics365.errors import Failure, ServiceError, SettingsError
from tap_dynamics365.spark import sign_in
from tap_dynamics365.spark.schemas import name_of
from tap_dynamics365.spark.source import SparkSource

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from tap_dynamics365.arrow import Described, Partition
    from tap_dynamics365.spark.options import Options

    #: What a task reads, and settings of its own.
    Part = tuple[Partition, Mapping[str, Any]]

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
    """Plan a task for each partition of a table.

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
    return signed(options, source, divided(options, source, conditions), added)


def divided(
    options: Options,
    source: SparkSource,
    conditions: Sequence[str] = (),
    companies: Sequence[str] | None = None,
) -> list[Part]:
    """Divide a table into what tasks read.

    Args:
        options: The options of the DataFrame.
        source: The service, which the driver signs in to.
        conditions: Conditions in OData that every row fulfils, besides the option `filter`.
        companies: The ids of the companies that have rows of their own; None for all of them.

    Returns:
        Each partition, with settings of its own.
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
    if companies is None and len(partitions) == 1:
        companies = source.companies(request_of(options))
    if not companies:
        return [(each, {}) for each in partitions]
    count = min(options.partitions, len(companies))
    groups = [{"companies": companies[number::count]} for number in range(count)]
    return [(each, group) for group in groups for each in partitions]


def signed(
    options: Options,
    source: SparkSource,
    parts: Sequence[Part],
    added: Mapping[str, Any] | None = None,
) -> list[Task]:
    """Make a task for each part of a table. Task i signs in as app i mod n.

    Args:
        options: The options of the DataFrame.
        source: The service, which the driver signs in to.
        parts: What `divided` has returned.
        added: The values of columns that the service does not have.

    Raises:
        SignInError: The sign-in host gave no token.
    """
    sign_ins = sign_in.of_tasks(options, source)
    tasks_of_a_user = max(1, -(-len(parts) // len(sign_ins.configs)))
    requests = max(1, min(REQUESTS_OF_A_TASK, source.most_requests // tasks_of_a_user))
    return [
        Task(
            config={
                "max_parallel_requests": requests,
                **sign_ins.configs[number % len(sign_ins.configs)],
                **settings,
            },
            is_renewable=sign_ins.is_renewable,
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
    sign_ins = sign_in.of_tasks(options, source)
    return Task(
        config=sign_ins.configs[0],
        is_renewable=sign_ins.is_renewable,
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
        ServiceError: The service refused, also if only for some of the rows.
        SignInError: The sign-in host gave no token.
        SettingsError: A value does not fit into the schema.
    """
    try:
        # A query with a limit ends its tasks before their last row, and the threads must end too.
        with closing(_batches(task)) as batches:
            for batch in batches:
                yield fitted(batch, schema, task.added)
    except ServiceError as error:
        if error.failure is Failure.UNAUTHORIZED and not task.is_renewable:
            message = CANT_RENEW.format(error.message)
        elif "companies" in task.config and (named := naming_companies(error)) is not None:
            raise named from error
        else:
            raise
        raise ServiceError(message, error.failure, response=error.response) from error


def naming_companies(error: ServiceError) -> ServiceError | None:
    """Say what to do if a company is closed to the user.

    Args:
        error: The failure of a table that is divided into companies.

    Returns:
        The failure with the way out; None if it is another one.
    """
    if error.failure not in {Failure.DENIED, Failure.GONE}:
        return None
    message = f"{error.message} {NAME_COMPANIES}"
    return ServiceError(message, error.failure, response=error.response)


def _batches(task: Task) -> Generator[pa.RecordBatch, None, None]:
    source = _opened(task.config)
    if task.changes is not None and task.described is not None:
        source.know(task.described)
        yield from source.changes(task.changes).batches(task.since)
    elif task.partition is not None:
        with source.read_partition(task.partition) as reading:
            yield from reading
        # The tap logs a warning, and nobody reads the log of an executor.
        if reading.missing is not None:
            raise reading.missing


def fitted(
    batch: pa.RecordBatch, schema: pa.Schema, added: Mapping[str, Any] | None = None
) -> pa.RecordBatch:
    """Bring the columns of a record batch into the order and types of a schema.

    The schema may be the user's own.

    Args:
        batch: The record batch.
        schema: The schema.
        added: The values of columns that the batch does not have; null for all others.

    Raises:
        SettingsError: A value does not fit into the type, or is null where the schema has no null.
    """
    columns = [_fitted(batch, each, added or {}) for each in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _fitted(batch: pa.RecordBatch, field: pa.Field, added: Mapping[str, Any]) -> pa.Array:
    if field.name in batch.schema.names:
        column = batch.column(field.name)
    else:
        column = pa.repeat(pa.scalar(added.get(field.name)), batch.num_rows)
    try:
        column = column.cast(field.type)
    except pa.ArrowException as error:
        message = (
            f"The column {field.name!r} can't be read as {name_of(field.type)}: {error}. Choose "
            "another type in your schema."
        )
        raise SettingsError(message) from error
    if column.null_count and not field.nullable:
        message = f"The column {field.name!r} has rows without a value: allow null in your schema."
        raise SettingsError(message)
    return column


_open: dict[str, SparkSource] = {}


def _opened(config: Mapping[str, Any]) -> SparkSource:
    """Return the service of some settings. Spark reuses the processes of its workers."""
    key = json.dumps(config, sort_keys=True)
    if key not in _open:
        if len(_open) >= MOST_OPEN:
            _open.pop(next(iter(_open))).close()
        _open[key] = SparkSource(config)
    return _open[key]
