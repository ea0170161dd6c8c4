"""Parents: the ways to the rows of entity sets that can only be read through other rows.

The navigation properties of the metadata document lead both ways: from a header to its lines, and
from a line to its header. The columns that they compare tell which way it is: a parent is
identified by its key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tap_dynamics365.odata.edm import Primitive
from tap_dynamics365.services.business_central import documents, routes
from tap_dynamics365.services.business_central.sets import COMPANIES, NO_STREAMS, is_bound
from tap_dynamics365.services.parent_path import ParentPath

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.odata.edm import Navigation, Table

#: Columns with the time of the last change of a row, the most reliable first.
TIMES = (
    "systemModifiedAt",
    "SystemModifiedAt",
    "lastModifiedDateTime",
    # The spelling of `timeRegistrationEntries`.
    "lastModfiedDateTime",
)
_GUID = Primitive("Edm.Guid")
_TIME = Primitive("Edm.DateTimeOffset")


class Way(NamedTuple):
    """A navigation property that leads to the rows of a table.

    Attributes:
        source: The table of the rows from which it leads.
        navigation: The navigation property.
    """

    source: Table
    navigation: Navigation


def parents(client: ODataClient, entity_set: str) -> Sequence[ParentPath]:
    """Read the ways to the rows of an entity set, from the metadata document of its API.

    Args:
        client: The client of the service.
        entity_set: The entity set, as the catalog has it.

    Returns:
        The ways; empty if no navigation property leads to the set.

    Raises:
        MetadataError: The document is not valid.
        ServiceError: The service refused.
    """
    route, _ = routes.split(entity_set)
    return paths(documents.tables(client, route), entity_set)


def paths(tables: Sequence[Table], entity_set: str) -> list[ParentPath]:
    """List the ways to the rows of an entity set.

    Args:
        tables: All tables of the metadata document.
        entity_set: The entity set.

    Returns:
        The ways from parents that can be read plainly. A parent that is bound itself is reached
        through its own parents. There are no ways of more than two steps.
    """
    return [*_paths(tables, entity_set)]


def _paths(tables: Sequence[Table], entity_set: str) -> Iterator[ParentPath]:
    for last in ways(tables, entity_set):
        if not is_bound(last.source.entity_set):
            yield _path(last.source, last.navigation)
            continue
        for first in ways(tables, last.source.entity_set):
            if not is_bound(first.source.entity_set) and first.source.entity_set != entity_set:
                yield _path(first.source, first.navigation, last.navigation)


def ways(tables: Sequence[Table], entity_set: str) -> Iterator[Way]:
    """Yield the navigation properties that lead from parents to the rows of an entity set.

    Args:
        tables: All tables of the metadata document.
        entity_set: The entity set.
    """
    target = next((table for table in tables if table.entity_set == entity_set), None)
    if target is None:
        return
    type_name = f"{target.namespace}.{target.type_name}"
    for source in tables:
        _, name = routes.split(source.entity_set)
        # A company is no parent: its path leads to the set itself.
        if source is target or name in COMPANIES | NO_STREAMS or len(source.key) != 1:
            continue
        for navigation in source.navigations:
            if navigation.target == type_name and _leads_down(navigation, source, target):
                yield Way(source, navigation)


def _leads_down(navigation: Navigation, source: Table, target: Table) -> bool:
    """Tell whether a navigation property leads from a parent to its rows.

    Documents of old versions say which rows it leads to, but not by which columns.
    """
    is_from_bound = is_bound(source.entity_set)
    if not navigation.pairs:
        return navigation.is_collection or (is_bound(target.entity_set) and not is_from_bound)
    is_from_key = {own for own, _ in navigation.pairs}.issuperset(source.key)
    is_to_key = {other for _, other in navigation.pairs}.issuperset(target.key)
    if navigation.is_collection:
        # Web services have collections for lookups too.
        return is_from_key or not is_to_key
    # A picture has the id of its customer: both have such a property.
    return is_from_key and not (is_to_key and is_from_bound)


def _path(parent: Table, *navigations: Navigation) -> ParentPath:
    types = {column.name: column.type for column in parent.columns}
    return ParentPath(
        parent=parent.entity_set,
        steps=tuple(navigation.name for navigation in navigations),
        id=parent.key[0],
        is_guid=types.get(parent.key[0]) == _GUID,
        changed_at=next((name for name in TIMES if types.get(name) == _TIME), ""),
    )
