"""References: the columns of a table that hold the key of a row of another table."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tap_dynamics365.odata.metadata_document import read_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tap_dynamics365.odata.edm import Table
    from tap_dynamics365.services.describe import Described
    from tap_dynamics365.services.kind import Service, ServiceKind


class Reference(NamedTuple):
    """A way from the rows of a table to those of another one.

    Attributes:
        table: The table.
        columns: The columns that refer; empty if the service does not say which.
        target: The table that they refer to.
        name: The navigation property that leads there; empty for a lookup column.
    """

    table: str
    columns: tuple[str, ...]
    target: str
    name: str = ""


def read(service: Service, described: Sequence[Described]) -> list[Reference]:
    """Read how tables refer to each other.

    Lookup columns of definitions say so; without definitions, navigation properties do. These are
    read from the metadata document, unless the tables have them already.

    Args:
        service: The service.
        described: The tables.

    Returns:
        The references between these tables, each one once.

    Raises:
        MetadataError: The metadata document is not valid.
        ServiceError: The service refused.
    """
    names = {table.name for table, _ in described}
    found = [*_lookups(described, names)]
    if not any(map(_has_kinds, described)):
        tables = [table for table, _ in described]
        sets = {table.entity_set: table.name for table in tables}
        if not service.client.dialect.has_navigations:
            every = read_metadata(service.client, has_navigations=True)
            tables = [each for each in every if each.entity_set in sets]
        found += _navigations(tables, sets, service.kind)
    once: dict[tuple[object, ...], Reference] = {}
    for each in found:
        # Two tables may both say how they belong together; only one of them has a name for it.
        place = (each.table, each.columns or each.name, each.target)
        once[place] = max(once.get(place, each), each, key=lambda one: bool(one.name))
    return [*once.values()]


def _has_kinds(described: Described) -> bool:
    """Tell whether the definition of a table says which columns are lookups."""
    definition = described.definition
    return definition is not None and any(column.kind for column in definition.columns)


def _lookups(described: Iterable[Described], names: Iterable[str]) -> Iterator[Reference]:
    wanted = {*names}
    for table, definition in described:
        for column, found in definition.by_property.items() if definition else ():
            for target in found.targets:
                if target in wanted:
                    yield Reference(table.name, (column,), target)


def _navigations(
    tables: Sequence[Table], names: Mapping[str, str], kind: ServiceKind
) -> Iterator[Reference]:
    """Yield the references that navigation properties are.

    Args:
        tables: The tables.
        names: Their names by entity set.
        kind: The service.
    """
    by_type: dict[tuple[str, str], list[Table]] = {}
    for table in tables:
        place = (_route(table), f"{table.namespace}.{table.type_name}")
        by_type.setdefault(place, []).append(table)
    for table in tables:
        # Links do not have the columns that the tap adds to keys.
        key = {*table.key} - {*kind.part_columns}
        for link in table.navigations:
            own = tuple(one for one, _ in link.pairs)
            is_by_key = bool(own) and key <= {*own}
            for target in by_type.get((_route(table), link.target), ()):
                one, other = names[table.entity_set], names[target.entity_set]
                if link.is_collection:
                    if is_by_key:
                        yield Reference(other, tuple(far for _, far in link.pairs), one)
                elif not (is_by_key and kind.is_bound(target.entity_set)):
                    # A row does not refer to its parts, which are read through it.
                    yield Reference(one, own, other, link.name)


def _route(table: Table) -> str:
    """Return the API that a table is of: types of several APIs have the same names."""
    return table.entity_set.rpartition("/")[0]
