"""EntityDefinitions: table definitions, if `RetrieveMetadataChanges` is not available.

Properties that all columns have come with the tables. Properties of one kind of columns need a
request for each table and kind; a batch holds many of these requests.
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api
"""

from __future__ import annotations

import logging
from codecs import BOM_UTF8
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from tap_dynamics365.errors import ServiceError
from tap_dynamics365.odata import batch, query
from tap_dynamics365.services.dataverse.metadata_json import Attributes, EntityDefinitions
from tap_dynamics365.services.dataverse.retrieve_metadata_changes import WHOLE_TABLE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.services.dataverse.metadata_json import EntityMetadata
    from tap_dynamics365.services.table_definition import TableDefinition

logger = logging.getLogger("tap-dynamics365.definitions")

COLUMN = (
    "LogicalName",
    "SchemaName",
    "AttributeOf",
    "AttributeTypeName",
    "DisplayName",
    "Description",
    "RequiredLevel",
    "IsCustomAttribute",
    "IsValidForRead",
)
OPTIONS = "$select=LogicalName&$expand=OptionSet,GlobalOptionSet"
TARGETS = ("Lookup", "$select=LogicalName,Targets")

# For each kind of columns: the type to cast to, and the properties to select.
CASTS = {
    "PicklistType": ("Picklist", OPTIONS),
    "MultiSelectPicklistType": ("MultiSelectPicklist", OPTIONS),
    "StateType": ("State", OPTIONS),
    "StatusType": ("Status", OPTIONS),
    "BooleanType": ("Boolean", OPTIONS),
    "LookupType": TARGETS,
    "CustomerType": TARGETS,
    "OwnerType": TARGETS,
    "StringType": ("String", "$select=LogicalName,MaxLength,Format,FormatName"),
    "MemoType": ("Memo", "$select=LogicalName,MaxLength,Format"),
    "DecimalType": ("Decimal", "$select=LogicalName,Precision"),
    "DoubleType": ("Double", "$select=LogicalName,Precision"),
    "MoneyType": ("Money", "$select=LogicalName,Precision"),
    "IntegerType": ("Integer", "$select=LogicalName,Format"),
    "DateTimeType": ("DateTime", "$select=LogicalName,Format,DateTimeBehavior"),
}

_tables = msgspec.json.Decoder(EntityDefinitions)
_columns = msgspec.json.Decoder(Attributes)


def read(
    client: ODataClient, names: Collection[str] | None, *, whole: bool
) -> list[TableDefinition]:
    """Read the definitions of tables.

    Args:
        client: The client of the service.
        names: The logical names of the tables; None for all tables.
        whole: Whether to read the properties of each kind of columns too.

    Returns:
        The definitions.

    Raises:
        ServiceError: The service refused.
        DECODE_ERRORS: A response can't be decoded.
    """
    tables = _read_tables(client, names, set())
    if whole:
        _complete(client, tables)
    return [table.to_definition() for table in tables]


def _read_tables(
    client: ODataClient, names: Collection[str] | None, unknown: set[str]
) -> list[EntityMetadata]:
    try:
        return [
            table
            for path in _paths(client.longest_url - len(client.url), names, unknown)
            for table in _tables.decode(client.get(path).content.removeprefix(BOM_UTF8)).value
        ]
    except ServiceError as error:
        # Older releases lack some of the properties: `TableType`, for example.
        if error.column not in {*WHOLE_TABLE, *COLUMN} - unknown - {"LogicalName"}:
            raise
        return _read_tables(client, names, {*unknown, error.column})


def _paths(longest: int, names: Collection[str] | None, unknown: Collection[str]) -> Iterator[str]:
    """Yield the queries: several if the names are too long for one URL."""
    select = ",".join(name for name in WHOLE_TABLE if name not in unknown)
    columns = ",".join(name for name in COLUMN if name not in unknown)
    path = f"EntityDefinitions?$select={select}&$expand=Attributes($select={columns})"
    if names is None:
        yield path
        return
    path += "&$filter="
    left = longest - len(path)
    some = ""
    for name in names:
        condition = quote(f"LogicalName eq {query.literal(name)}")
        longer = f"{some}{quote(' or ')}{condition}" if some else condition
        if some and len(longer) > left:
            yield path + some
            longer = condition
        some = longer
    if some:
        yield path + some


def _complete(client: ODataClient, tables: list[EntityMetadata]) -> None:
    """Add the properties of each kind of columns, as far as the service provides them."""
    wanted = [(table, *cast) for table in tables for cast in _casts(table)]
    paths = [
        f"EntityDefinitions(LogicalName={quote(query.literal(table.logical_name))})/Attributes/"
        f"Microsoft.Dynamics.CRM.{cast}AttributeMetadata?{options}"
        for table, cast, options in wanted
    ]
    refused = 0
    for (table, *_), body in zip(wanted, batch.read(client, paths), strict=True):
        if body is None:
            refused += 1
            continue
        columns = {column.logical_name: column for column in table.attributes or ()}
        for found in _columns.decode(body).value:
            if found.logical_name in columns:
                columns[found.logical_name].add(found)
    if refused:
        logger.warning(
            "The definitions of some columns are incomplete: the service refused %d of %d requests "
            "for choices, targets and lengths.",
            refused,
            len(wanted),
        )


def _casts(table: EntityMetadata) -> list[tuple[str, str]]:
    """List the types to cast a table's columns to."""
    kinds = {
        column.attribute_type_name.value
        for column in table.attributes or ()
        if column.attribute_type_name is not None
    }
    return list(dict.fromkeys(cast for kind, cast in CASTS.items() if kind in kinds))
