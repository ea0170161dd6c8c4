"""Tables: which entity sets are streams, and the columns that the tap adds to them.

https://learn.microsoft.com/dynamics365/business-central/dev-itpro/webservices/api-endpoint-structure
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tap_dynamics365.odata.edm import Column, Primitive
from tap_dynamics365.services import part
from tap_dynamics365.services.business_central import parents, routes, sets

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tap_dynamics365.odata.edm import Table

# The columns of the time of a change, which the server sets, and of its number. The number first:
# it is indexed, and grows with each change of any table.
# https://learn.microsoft.com/dynamics365/business-central/dev-itpro/developer/devenv-table-system-fields
OWN_KEYS = ("systemRowVersion", "SystemRowVersion", *parents.TIMES)
# The columns that the tap adds where rows have none of these, and no id of their parent.
PARENT_CHANGED_AT, PARENT_ID = "parentLastModifiedDateTime", "parent_id"
REPLICATION_KEYS = (*OWN_KEYS, PARENT_CHANGED_AT)

TIME, NUMBER, ID = Primitive("Edm.DateTimeOffset"), Primitive("Edm.Int64"), Primitive("Edm.Guid")

#: The columns of the company of a row.
COMPANY = (
    Column("company_id", ID, "The id of the company that the row belongs to."),
    Column("company_name", Primitive("Edm.String"), "The name of the company."),
)
CHANGED_AT = Column(
    PARENT_CHANGED_AT,
    TIME,
    "The last change of the parent through which the row was read.",
)
OF_PARENT = Column(PARENT_ID, ID, "The id of the parent through which the row was read.")


def arrange(tables: Sequence[Table]) -> Sequence[Table]:
    """Choose the tables that are streams, and add the columns that the tap itself fills.

    Args:
        tables: The tables of the metadata documents of all routes.

    Returns:
        The companies, and all tables that are read for each company.
    """
    by_route: dict[str, list[Table]] = {}
    for table in tables:
        by_route.setdefault(routes.split(table.entity_set)[0], []).append(table)
    # Each API lists the companies.
    found = [
        table
        for route, of_route in by_route.items()
        for table in _of_route(of_route)
        if not (route and routes.split(table.entity_set)[1] in sets.COMPANIES)
    ]
    names = routes.stream_names(found)
    return [replace(table, name=names[table.entity_set]) for table in found]


def _of_route(tables: Sequence[Table]) -> Iterator[Table]:
    """Yield the streams of one metadata document."""
    names = {routes.split(table.entity_set)[1] for table in tables}
    left_out = sets.NO_STREAMS
    if sets.AUTOMATION in names:
        left_out = left_out | sets.NO_AUTOMATION_STREAMS
    in_company = _types_in_company(tables)
    for table in tables:
        _, name = routes.split(table.entity_set)
        if name in sets.COMPANIES:
            yield table
        elif table.namespace == sets.WEB_SERVICES:
            yield _with_company(_cleaned(table))
        elif name not in left_out and (
            in_company is None or f"{table.namespace}.{table.type_name}" in in_company
        ):
            table = _cleaned(table)  # noqa: PLW2901 - the same table, in steps
            if sets.is_bound(table.entity_set):
                table = _with_parent(table, name, tables)  # noqa: PLW2901 - as above
            yield replace(_with_company(table), private=name in sets.REPORTS)


def _types_in_company(tables: Sequence[Table]) -> Collection[str] | None:
    """Return the types of rows that are in a company; None if the document does not tell."""
    for table in tables:
        if routes.split(table.entity_set)[1] in sets.COMPANIES and table.navigations:
            return {navigation.target for navigation in table.navigations}
    return None


def _cleaned(table: Table) -> Table:
    """Leave out parameters of queries, and a key that numbers the rows of an answer."""
    parameters = {
        column.name
        for column in table.columns
        if sets.is_parameter(column.name, table.namespace) and column.name not in table.key
    }
    return replace(
        table,
        key=() if any(map(sets.is_counter, table.key)) else table.key,
        columns=tuple(each for each in table.columns if each.name not in parameters),
        parameters=tuple(each.name for each in table.columns if each.name in parameters),
    )


def _with_company(table: Table) -> Table:
    """Add the columns of the company. Ids of rows repeat in the copy of a company."""
    taken = [column.name for column in table.columns]
    added = [replace(each, name=part.column(each.name, taken)) for each in COMPANY]
    return replace(
        table,
        key=(added[0].name, *table.key) if table.key else (),
        columns=(*added, *table.columns),
    )


def _with_parent(table: Table, name: str, tables: Sequence[Table]) -> Table:
    """Complete the key of a table that is read through parents, and add columns of the parent."""
    columns = {column.name: column.type for column in table.columns}
    key, added = table.key, list[Column]()
    in_key = sets.PARENT_IN_KEY.get(name, "")
    if in_key in columns and in_key not in key:
        key = (*key, in_key)
    paths = parents.paths(tables, table.entity_set)
    if paths and not _has_parent_id(table, tables):
        added.append(OF_PARENT)
    has_own_key = any(columns.get(each) in {TIME, NUMBER} for each in OWN_KEYS)
    if not has_own_key and any(path.changed_at for path in paths):
        added.append(CHANGED_AT)
    added = [column for column in added if column.name not in columns]
    return replace(table, key=key, columns=(*table.columns, *added))


def _has_parent_id(table: Table, tables: Sequence[Table]) -> bool:
    """Tell whether rows have a column with the id of their parent, whichever parent it is."""
    columns = {column.name for column in table.columns}
    return all(
        any(other in columns for _, other in way.navigation.pairs)
        if way.navigation.pairs
        else not columns.isdisjoint(sets.PARENT_IDS)
        for way in parents.ways(tables, table.entity_set)
    )
