"""DATAVERSE: the ServiceKind of Dataverse."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote

from msgspec.structs import replace

from tap_dynamics365.http.budgets import Budget
from tap_dynamics365.odata import query
from tap_dynamics365.odata.dialect import Dialect
from tap_dynamics365.services.dataverse import address, definitions, errors
from tap_dynamics365.services.dataverse.described_tables import describe_tables
from tap_dynamics365.services.dataverse.description import (
    METADATA_VERSION,
    describe,
    describe_changes,
)
from tap_dynamics365.services.dataverse.discovery import DISCOVERY
from tap_dynamics365.services.dataverse.metadata_tables import METADATA_TABLES
from tap_dynamics365.services.dataverse.privileges import read_rights
from tap_dynamics365.services.dataverse.row_counts import count_rows
from tap_dynamics365.services.dataverse.who_am_i import who_am_i
from tap_dynamics365.services.kind import ServiceKind
from tap_dynamics365.services.limits import Limits
from tap_dynamics365.services.set_up import SetUp

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.odata.edm import Table
    from tap_dynamics365.odata.page import Value
    from tap_dynamics365.services.table_definition import TableDefinition

# Entity sets that describe tables and columns.
# https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api
METADATA_SETS = frozenset(
    {
        "EntityDefinitions",
        "GlobalOptionSetDefinitions",
        "ManagedPropertyDefinitions",
        "RelationshipDefinitions",
    }
)
# What one user may take of one server in 5 minutes.
# https://learn.microsoft.com/power-apps/developer/data-platform/api-limits
REQUESTS, SECONDS = 6_000, 1_200
# What a paid licence includes for its user in 24 hours.
# https://learn.microsoft.com/power-platform/admin/api-request-limits-allocations
REQUESTS_PER_DAY = 40_000
REPLICATION_KEYS = ("modifiedon", "versionnumber", "createdon")
# Part of the key of elastic tables where it is in use: the primary id alone is not unique.
# https://learn.microsoft.com/power-apps/developer/data-platform/elastic-tables
PARTITION_ID = "partitionid"
# The type of tables whose rows have partitions, and another column that all these tables have.
ELASTIC, TIME_TO_LIVE = "Elastic", "ttlinseconds"
# The id that stands for a virtual table without a data provider. Such a table can't be listed.
NO_PROVIDER = "7015a531-cc0d-4537-b5f2-c882a1eb65ad"
# The part of a decoded link that names the last row of the page before. The provider of a virtual
# table may use other links.
# https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/page-results
COOKIE = re.compile(r'pagingcookie="(?:%3c|<|&lt;)cookie', re.IGNORECASE)


def is_keyset_link(link: str) -> bool:
    """Tell whether a link to a next page names the row after which it continues.

    Args:
        link: The link.
    """
    return COOKIE.search(unquote(link)) is not None


def key_at_token(token: str, key: str) -> Value:
    """Return the value of a replication key at the moment of a delta token.

    Args:
        token: The delta token, decoded: a version number and the service's time.
        key: The replication key.

    Returns:
        The value; None if the token does not contain it.
    """
    version, _, time = token.partition("!")
    try:
        moment = datetime.strptime(time, "%m/%d/%Y %H:%M:%S").replace(tzinfo=UTC)
        known: dict[str, Value] = {
            "modifiedon": query.instant(moment),
            "createdon": query.instant(moment),
            "versionnumber": int(version),
        }
    except ValueError:
        return None
    return known.get(key)


def define(
    client: ODataClient, tables: Sequence[Table], names: Collection[str] | None
) -> Iterator[TableDefinition | None]:
    """Read the definitions of tables.

    Args:
        client: The client of the service.
        tables: The tables of the metadata document.
        names: The names of the tables; None if these are all tables of the service.

    Returns:
        The definition of each table; None where the service does not provide it.
    """
    has_partitions = any(map(_has_partitions, tables))
    return definitions.of_tables(client, tables, names, table_types=has_partitions)


def define_whole(client: ODataClient, name: str) -> TableDefinition | None:
    """Read the whole definition of a table, with its choices.

    Args:
        client: The client of the service.
        name: The logical name of the table.

    Returns:
        The definition; None if the service does not provide it.
    """
    found = definitions.read_if_available(client, [name])
    return found.tables.get(name) if found is not None else None


def refine(table: Table, definition: TableDefinition | None) -> Table:
    """Correct key, privacy and change tracking of a table.

    For primary id and privacy, the table definition is more reliable than the metadata document.

    Args:
        table: The table of the metadata document.
        definition: Its definition.

    Returns:
        The corrected table.
    """
    if definition is not None:
        table = _defined(table, definition)
    if _is_elastic(table, definition) and table.key and PARTITION_ID not in table.key:
        return replace(table, key=(*table.key, PARTITION_ID))
    return table


def _has_partitions(table: Table) -> bool:
    return any(column.name == PARTITION_ID for column in table.columns)


def _is_elastic(table: Table, definition: TableDefinition | None) -> bool:
    """Tell whether a table is elastic. If the service does not send the type, columns decide."""
    if not _has_partitions(table):
        return False
    if definition is None or definition.table_type is None:
        return any(column.name == TIME_TO_LIVE for column in table.columns)
    return definition.table_type == ELASTIC


def _defined(table: Table, definition: TableDefinition) -> Table:
    # If the metadata document has a key of several columns, one of them is not enough.
    better = len(table.key) < 2 and any(  # noqa: PLR2004
        column.name == definition.primary_id for column in table.columns
    )
    return replace(
        table,
        key=(definition.primary_id,) if better else table.key,
        private=definition.private or definition.provider == NO_PROVIDER,
        tracked=table.tracked or definition.tracked,
    )


DATAVERSE = ServiceKind(
    name="Dataverse",
    matches=address.matches,
    complete_url=address.complete_url,
    check_url=address.check_url,
    directory=DISCOVERY,
    set_up=SetUp(
        api="Dynamics CRM",
        person=(
            "In the Power Platform admin center, *Manage > Environments* > the environment > "
            "*Settings > Users + permissions*, then *Users*: you are listed, with a security role "
            "that has *Read* on the tables at the level *Organization*."
        ),
        app=(
            (
                "In the Power Platform admin center, *Manage > Environments* > the environment >"
                " *Settings > Users + permissions > Application users > + New app user > + Add "
                "an app*: choose the app, and a security role that has *Read* on the tables at "
                "the level *Organization*."
            ),
        ),
    ),
    dialect=Dialect(
        errors=errors,
        service="Dataverse",
        # Without annotations, descriptions of tables and columns are missing.
        metadata_path="$metadata?annotations=true",
        metadata_sets=METADATA_SETS,
        metadata_version=METADATA_VERSION,
        more_rows="Microsoft.Dynamics.CRM.morerecords",
        # https://learn.microsoft.com/power-apps/developer/data-platform/send-parallel-requests
        concurrency_hint="x-ms-dop-hint",
        # Far below the 52 concurrent requests above which Dataverse throttles a user.
        start_requests=8,
        largest_page=5_000,
        # https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/count-rows
        largest_count=5_000,
        budgets={
            "x-ms-ratelimit-burst-remaining-xrm-requests": Budget("requests", REQUESTS),
            "x-ms-ratelimit-time-remaining-xrm-requests": Budget("seconds of work", SECONDS),
        },
        is_keyset_link=is_keyset_link,
        key_columns=REPLICATION_KEYS,
        key_at_token=key_at_token,
    ),
    replication_keys=REPLICATION_KEYS,
    created_at="createdon",
    partition=PARTITION_ID,
    describe=describe,
    describe_changes=describe_changes,
    define=define,
    define_whole=define_whole,
    refine=refine,
    limits=Limits(requests=REQUESTS, requests_per_day=REQUESTS_PER_DAY, seconds=SECONDS),
    count_rows=count_rows,
    who_am_i=who_am_i,
    read_rights=read_rights,
    extra_streams=METADATA_TABLES,
    describe_streams=describe_tables,
)
