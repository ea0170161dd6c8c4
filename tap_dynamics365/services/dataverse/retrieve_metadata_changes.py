"""RetrieveMetadataChanges: many table definitions in one response, or what has changed.

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

# The properties that a schema needs. Descriptions of columns come from `$metadata`, which has them
# in one language only and therefore in fewer bytes.
TABLE = (
    "LogicalName",
    "PrimaryIdAttribute",
    "IsPrivate",
    "DataProviderId",
    "ChangeTrackingEnabled",
    "IsCustomEntity",
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
# On-premises servers do not have this property.
TABLE_TYPE = "TableType"
# All other properties.
WHOLE_TABLE = (
    *TABLE,
    "SchemaName",
    "EntitySetName",
    "LogicalCollectionName",
    "DisplayCollectionName",
    "PrimaryNameAttribute",
    "OwnershipType",
    TABLE_TYPE,
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

# Report the ids of deleted tables (`Default`) and columns.
DELETED = "Microsoft.Dynamics.CRM.DeletedMetadataFilters'Default,Attribute'"

_decoder = msgspec.json.Decoder(MetadataChanges)


class Changes(NamedTuple):
    """The result of the function.

    Attributes:
        tables: The requested tables, or those that have changed.
        deleted: The ids of deleted tables and columns.
        stamp: The version stamp of the result.
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
        names: The logical names of the tables; None for all tables.
        whole: Whether to read all properties, not only those that a schema needs.
        table_types: Whether to always read the types of tables.
        since: A version stamp, to read only what has changed since.

    Returns:
        The result. If the names are too long for one URL, the function is called several times,
        and the stamp is that of the first response.

    Raises:
        ServiceError: The service refused, for example because the stamp has expired.
        DECODE_ERRORS: The response can't be decoded.
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
    """Read what has changed.

    The function returns only the changed parts of a table: all options of a choice, but only the
    new labels. Therefore the changed tables are read again in full.

    Args:
        client: The client of the service.
        stamp: The version stamp to start from.

    Returns:
        The complete definitions of the tables that changed, and what was deleted.

    Raises:
        ServiceError: The service refused, for example because the stamp has expired.
        DECODE_ERRORS: The response can't be decoded.
    """
    changed = read(client, None, whole=True, since=stamp)
    names = [table.name for table in changed.tables]
    return changed._replace(tables=read(client, names, whole=True).tables)


def _paths(
    longest: int, names: Collection[str] | None, since: str, *, whole: bool, table_types: bool
) -> Iterator[str]:
    """Yield the calls: several if the names are too long for one URL."""
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
    """Join conditions, one for each name, because the form of a list is not documented."""
    return {"FilterOperator": "Or", "Conditions": conditions}


def _condition(name: str) -> dict[str, Any]:
    return {
        "PropertyName": "LogicalName",
        "ConditionOperator": "Equals",
        "Value": {"Type": "System.String", "Value": name},
    }
