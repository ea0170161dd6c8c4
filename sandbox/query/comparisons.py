"""Comparisons of filters in SQL, for services whose columns are never null.

The OData libraries of Finance & Operations and Business Central have the same operators, types of
literals and error messages. What they do with options, texts and functions differs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.data.guids import sortable, sortable_sql
from sandbox.data.model import EXACT_TEXT
from sandbox.data.store import quoted
from sandbox.data.values import stored_moment
from sandbox.faults.errors import bad_query, incompatible
from sandbox.query.filters import Both, Comparison, Literal, Not, Path, Truth

if TYPE_CHECKING:
    from sandbox.data.model import Column
    from sandbox.query.filters import Expression

OPERATORS = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
MIRRORED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
# Names of the operators in error messages.
KINDS = {
    "eq": "Equal",
    "ne": "NotEqual",
    "gt": "GreaterThan",
    "ge": "GreaterThanOrEqual",
    "lt": "LessThan",
    "le": "LessThanOrEqual",
}
EQUALITY = frozenset({"eq", "ne"})
# Types whose values have no order.
UNORDERED = frozenset({"Edm.Binary", "Edm.Boolean"})
INTEGERS = frozenset({"Edm.Int32", "Edm.Int64"})
# Types of literals, by their kind.
TYPES = {
    "string": "Edm.String",
    "guid": "Edm.Guid",
    "datetime": "Edm.DateTimeOffset",
    "date": "Edm.Date",
    "time": "Edm.TimeOfDay",
    "boolean": "Edm.Boolean",
}
# SQLite's expressions are up to 1,000 levels deep.
MOST_LITERALS = 800


class Comparisons(ABC):
    """Writes the condition of a filter and collects its parameters.

    Args:
        guid_order: Whether `gt`, `ge`, `lt` and `le` of a GUID are understood.

    Attributes:
        parameters: Parameters of the condition written so far.
    """

    def __init__(self, *, guid_order: bool = True) -> None:
        self.guid_order = guid_order
        self.parameters: list[Any] = []

    def write_all(self, tree: Expression) -> str:
        """Write the syntax tree of a whole filter.

        Raises:
            ServiceError: The filter has too many nodes, or the service refuses it.
        """
        try:
            found = self.write(tree)
        except RecursionError:
            found = ""
        if not found or len(self.parameters) > MOST_LITERALS:
            message = f"The node count limit of '{MOST_LITERALS}' has been exceeded."
            raise bad_query(message)
        return found

    def write(self, tree: Expression) -> str:
        """Write a syntax tree as SQL, and append its values to `parameters`.

        Raises:
            ServiceError: The service refuses the filter.
        """
        match tree:
            case Both():
                return self._both(tree)
            case Not(inner):
                return f"(NOT {self.write(inner)})"
            case Truth(path):
                return self._comparison(path, "eq", Literal("boolean", "true"))
            case Comparison(operator, Path() as path, Literal() as literal):
                return self._comparison(path, operator, literal)
            case Comparison(operator, Literal() as literal, Path() as path):
                return self._comparison(path, MIRRORED.get(operator, operator), literal)
            case _:
                return self._other(tree)

    @abstractmethod
    def _both(self, tree: Both) -> str:
        """Write `and` or `or`."""

    @abstractmethod
    def _comparison(self, path: Path, operator: str, literal: Literal) -> str:
        """Write the comparison of a column with a literal."""

    @abstractmethod
    def _other(self, tree: Expression) -> str:
        """Write a function, or a comparison of something else."""

    def _compared(self, column: Column, operator: str, value: Any) -> str:  # noqa: ANN401  - a cell
        """Write the comparison of a column with a value as the store has it.

        Raises:
            ServiceError: The operator compares an order that the type does not have.
        """
        name = quoted(column.property_name)
        if operator not in EQUALITY:
            kind = column.edm_type
            is_guid = kind == "Edm.Guid"
            if column.options or kind in UNORDERED or (is_guid and not self.guid_order):
                raise incompatible(kind, kind, KINDS[operator])
            if is_guid:
                name, value = sortable_sql(name), sortable(value)
        self.parameters.append(value)
        return f"({name} {OPERATORS[operator]} ?)"


def stored_literal(column: Column, operator: str, literal: Literal) -> Any:  # noqa: ANN401  - a cell
    """Return a literal as the store has it in a column without options.

    Args:
        column: The column.
        operator: The operator, for the error message.
        literal: The literal.

    Raises:
        ServiceError: The literal does not fit the column.
    """
    edm, kind, text = column.edm_type, literal.kind, literal.text
    if TYPES.get(kind) == edm:
        if edm == "Edm.Guid":
            return text.lower()
        if edm == "Edm.DateTimeOffset":
            return stored_moment(text)
        return int(text == "true") if edm == "Edm.Boolean" else text
    if kind == "number" and edm in INTEGERS:
        return _whole(text)
    if kind == "number" and edm in EXACT_TEXT:
        return f"{Decimal(text):f}"
    raise incompatible(edm, _type_of(literal), KINDS[operator])


def _whole(text: str) -> int | float:
    number = Decimal(text)
    whole = int(number)
    # SQLite's numbers end at 64 bits; beyond them every comparison has the same result.
    return max(-(2**63), min(whole, 2**63 - 1)) if whole == number else float(number)


def _type_of(literal: Literal) -> str:
    if literal.kind == "enum":
        return literal.type_name
    if literal.kind == "number":
        return "Edm.Decimal" if "." in literal.text else "Edm.Int32"
    return TYPES[literal.kind]
