"""Dataverse's function `RetrieveMetadataChanges`: many tables in one answer, and what changed.

https://learn.microsoft.com/power-apps/developer/data-platform/query-schema-definitions
https://learn.microsoft.com/power-apps/developer/data-platform/cache-schema-data
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import msgspec

from tap_dynamics365.odata.query import literal
from tap_dynamics365.services.dataverse.metadata_json import MetadataChanges

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.services.table_definition import TableDefinition

# What a schema tells of a table. Descriptions of columns are in `$metadata` too, in one language
# alone and therefore in fewer bytes.
TABLE = (
    "LogicalName",
    "PrimaryIdAttribute",
    "IsPrivate",
    "DataProviderId",
    "ChangeTrackingEnabled",
    "DisplayName",
    "Description",
)
COLUMN = (
    "LogicalName",
    "AttributeOf",
    "AttributeTypeName",
    "DisplayName",
    "MaxLength",
    "Precision",
    "DateTimeBehavior",
    "Targets",
)
# On premises there is no such property.
TABLE_TYPE = "TableType"
# What else there is to tell.
WHOLE_TABLE = (
    *TABLE,
    "SchemaName",
    "EntitySetName",
    "LogicalCollectionName",
    "DisplayCollectionName",
    "PrimaryNameAttribute",
    "OwnershipType",
    TABLE_TYPE,
    "IsCustomEntity",
)
WHOLE_COLUMN = (
    *COLUMN,
    "SchemaName",
    "Description",
    "Format",
    "FormatName",
    "RequiredLevel",
    "IsCustomAttribute",
    "IsValidForRead",
    "OptionSet",
)

# What was deleted is told by id: of tables (the default) and columns.
DELETED = "Microsoft.Dynamics.CRM.DeletedMetadataFilters'Default,Attribute'"

_decoder = msgspec.json.Decoder(MetadataChanges)


class Changes(NamedTuple):
    """What the function tells.

    Attributes:
        tables: All that were asked for, or those of them that changed.
        deleted: Ids of tables and columns that are no more.
        stamp: Of which moment.
    """

    tables: list[TableDefinition]
    deleted: frozenset[str]
    stamp: str


def read(
    client: ODataClient,
    names: Collection[str] | None,
    *,
    whole: bool,
    table_types: bool = False,
    since: str = "",
) -> Changes:
    """Call the function.

    Args:
        client: The client of the service.
        names: Logical names of the tables wanted; all if None.
        whole: Whether all is wanted, or only what the schema of a table tells.
        table_types: Whether the types of tables are wanted in any case.
        since: A stamp, to have only what has changed since its moment.

    Returns:
        What it tells. Where the names are too many for one address, it is called several times,
        and the stamp is that of the first answer.

    Raises:
        ServiceError: The service refused; it does so where the stamp has expired.
        DECODE_ERRORS: The answer makes none.
    """
    tables: list[TableDefinition] = []
    deleted: set[str] = set()
    stamp = ""
    longest = client.longest_url - len(client.url)
    for path in _paths(longest, names, since, whole=whole, table_types=table_types):
        answer = _decoder.decode(client.get(path).content.removeprefix(BOM_UTF8))
        tables += [table.to_definition() for table in answer.entity_metadata or ()]
        if answer.deleted_metadata is not None:
            for ids in answer.deleted_metadata.values or ():
                deleted.update(ids.items or () if ids else ())
        stamp = stamp or answer.server_version_stamp or ""
    return Changes(tables, frozenset(deleted), stamp)


def since(client: ODataClient, stamp: str) -> Changes:
    """Ask what has changed.

    Of what has changed only in part that part alone is told: all values of a choice, but only the
    labels that are new. So it tells no more than which tables to read whole.

    Args:
        client: The client of the service.
        stamp: Of which moment on.

    Returns:
        The tables that changed, whole, and what was deleted.

    Raises:
        ServiceError: The service refused; it does so where the stamp has expired.
        DECODE_ERRORS: The answer makes none.
    """
    changed = read(client, None, whole=True, since=stamp)
    names = [table.name for table in changed.tables]
    return changed._replace(tables=read(client, names, whole=True).tables)


def _paths(
    longest: int, names: Collection[str] | None, since: str, *, whole: bool, table_types: bool
) -> Iterator[str]:
    """Yield the calls that it takes: one, if the names are not too many for an address."""
    table = WHOLE_TABLE if whole else (*TABLE, TABLE_TYPE) if table_types else TABLE
    query: dict[str, Any] = {
        "Properties": _properties(*table, "Attributes"),
        "AttributeQuery": {"Properties": _properties(*(WHOLE_COLUMN if whole else COLUMN))},
    }
    if names is None:
        yield _path(query, since)
        return
    left = longest - len(_path({**query, "Criteria": _criteria([])}, since))
    some: list[dict[str, Any]] = []
    size = 0
    for condition in map(_condition, names):
        more = len(_quoted(condition)) + len(_quoted([0, 0])) - len(_quoted([0]))
        if some and size + more > left:
            yield _path({**query, "Criteria": _criteria(some)}, since)
            some, size = [], 0
        some.append(condition)
        size += more
    if some:
        yield _path({**query, "Criteria": _criteria(some)}, since)


def _path(query: dict[str, Any], since: str) -> str:
    if not since:
        return f"RetrieveMetadataChanges(Query=@p1)?@p1={_quoted(query)}"
    return (
        "RetrieveMetadataChanges(Query=@p1,ClientVersionStamp=@p2,DeletedMetadataFilters=@p3)"
        f"?@p1={_quoted(query)}&@p2={quote(literal(since))}&@p3={quote(DELETED)}"
    )


def _quoted(value: object) -> str:
    return quote(json.dumps(value, separators=(",", ":")), safe=",:[]")


def _properties(*names: str) -> dict[str, Any]:
    return {"AllProperties": False, "PropertyNames": list(names)}


def _criteria(conditions: list[dict[str, Any]]) -> dict[str, Any]:
    """Join conditions; one a name, for how a list is to be written is not documented."""
    return {"FilterOperator": "Or", "Conditions": conditions}


def _condition(name: str) -> dict[str, Any]:
    return {
        "PropertyName": "LogicalName",
        "ConditionOperator": "Equals",
        "Value": {"Type": "System.String", "Value": name},
    }
