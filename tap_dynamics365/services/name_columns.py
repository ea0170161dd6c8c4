"""Name columns: labels of choices and yes/no columns, and names of the rows that lookups refer to.

Dataverse sends them as annotations of the values, if a request asks for them:
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/select-columns#formatted-values
The columns have the names that Dataverse's SQL gives them: `statuscodename`,
`primarycontactidname`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tap_dynamics365.services.table_definition import LOOKUPS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from tap_dynamics365.services.table_definition import ColumnDefinition, TableDefinition

FORMATTED_VALUE = "OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"

# Columns whose values have a label (`AttributeTypeName`).
CHOICES = {"PicklistType", "MultiSelectPicklistType", "StateType", "StatusType", "BooleanType"}


class NameColumn(NamedTuple):
    """A column that is an annotation of another column.

    Attributes:
        name: The name of the column.
        annotation: The name in rows: `statuscode@OData.Community.Display.V1.FormattedValue`.
        description: What the column holds.
    """

    name: str
    annotation: str
    description: str


def of_table(
    columns: Collection[str], definition: TableDefinition
) -> tuple[dict[str, list[NameColumn]], list[str]]:
    """Find out which name columns a table has.

    Args:
        columns: The columns of the table.
        definition: The definition of the table.

    Returns:
        The name columns of each column that has some, and the names of those that are left out
        because another column has the same name.
    """
    defined = definition.by_property
    found: dict[str, list[NameColumn]] = {}
    names = {*columns}
    taken: list[str] = []
    for column in columns:
        for added in _of(defined[column]) if column in defined else ():
            if added.name in names:
                taken.append(added.name)
                continue
            names.add(added.name)
            found.setdefault(column, []).append(added)
    return found, taken


def _of(column: ColumnDefinition) -> Iterator[NameColumn]:
    """Yield the name columns of a column."""
    stored = column.property_name
    if column.kind in CHOICES:
        yield NameColumn(
            f"{column.name}name",
            f"{stored}@{FORMATTED_VALUE}",
            f"Label of {stored} in the language of the user who reads it.",
        )
    elif column.kind in LOOKUPS:
        yield NameColumn(
            f"{column.name}name",
            f"{stored}@{FORMATTED_VALUE}",
            f"Name of the row whose id is {stored}.",
        )
        tables = f": {', '.join(column.targets)}" if column.targets else ""
        yield NameColumn(
            f"{column.name}type",
            f"{stored}@{LOOKUP_TABLE}",
            f"Table of the row whose id is {stored}{tables}.",
        )


def kinds(names: Iterable[str]) -> tuple[str, ...]:
    """Return the kinds of annotations to request.

    Args:
        names: The names of the selected values in rows.

    Returns:
        Each kind once.
    """
    found = (name.partition("@")[2] for name in names)
    return tuple(dict.fromkeys(kind for kind in found if kind))


def columns(names: Iterable[str]) -> list[str]:
    """Return the columns to request. Annotations come only with their columns.

    Args:
        names: The names of the selected values in rows.

    Returns:
        Each column once.
    """
    return list(dict.fromkeys(name.partition("@")[0] for name in names))
