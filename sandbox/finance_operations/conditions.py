"""Filters in SQL: syntax tree to condition, with the comparisons of Finance & Operations.

Texts are compared by the service's collation. `*` in a literal is a wildcard with `eq` and `ne`,
and a character with the other operators. Enumerations are compared with a literal of their type, by
`eq` and `ne` only. There are no functions, and `ne null` is refused.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.data.guids import sortable, sortable_sql
from sandbox.data.model import EXACT_TEXT
from sandbox.data.store import quoted
from sandbox.data.values import stored_moment
from sandbox.finance_operations import errors
from sandbox.finance_operations.collation import MATCHES, WILDCARD
from sandbox.finance_operations.queries import column_of
from sandbox.query.filters import Both, Comparison, Literal, Membership, Not, Path, TextTest, Truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.data.model import Column, Table
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
NULL = Literal("null", "null")
# SQLite's expressions are up to 1,000 levels deep.
MOST_LITERALS = 800


class Condition:
    """Writes a condition and collects its parameters.

    Args:
        table: The table.
        guid_order: Whether `gt`, `ge`, `lt` and `le` of a GUID are understood.

    Attributes:
        parameters: Parameters of the condition written so far.
    """

    def __init__(self, table: Table, *, guid_order: bool = True) -> None:
        self.table = table
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
            raise errors.bad_query(message)
        return found

    def write(self, tree: Expression) -> str:
        """Write a syntax tree as SQL, and append its values to `parameters`.

        Raises:
            ServiceError: The service refuses the filter.
        """
        match tree:
            case Both(operator, _, _):
                # SQLite's parser has a short stack: brackets at the beginning take the least.
                operands = sorted(_operands(tree, operator), key=_depth, reverse=True)
                return f"({f' {operator.upper()} '.join(map(self.write, operands))})"
            case Not(inner):
                return f"(NOT {self.write(inner)})"
            case Truth(path):
                return self._comparison(path, "eq", Literal("boolean", "true"))
            case Comparison(operator, Path() as path, Literal() as literal):
                return self._comparison(path, operator, literal)
            case Comparison(operator, Literal() as literal, Path() as path):
                return self._comparison(path, MIRRORED.get(operator, operator), literal)
            case Comparison(operator, Path() as left_path, Path() as right_path):
                return self._two_columns(left_path, operator, right_path)
            case TextTest(function, _, _):
                raise errors.not_queryable(function)
            case Membership(path, _):
                raise errors.not_queryable(path.name)
            case Comparison():
                message = "The sandbox compares no two literals."
                raise errors.bad_query(message)

    def _two_columns(self, left: Path, operator: str, right: Path) -> str:
        columns = [column_of(path.name, self.table) for path in (left, right)]
        if columns[0].edm_type != columns[1].edm_type or columns[0].options:
            raise errors.incompatible(columns[0].edm_type, columns[1].edm_type, KINDS[operator])
        return f"({quoted(left.name)} {OPERATORS[operator]} {quoted(right.name)})"

    def _comparison(self, path: Path, operator: str, literal: Literal) -> str:
        column = column_of(path.name, self.table)
        if literal == NULL:
            return self._null(column, operator)
        value = _stored(column, operator, literal)
        name = quoted(column.property_name)
        if operator not in EQUALITY:
            self._check_order(column, operator)
            if column.edm_type == "Edm.Guid":
                name, value = sortable_sql(name), sortable(value)
        elif column.edm_type == "Edm.String" and WILDCARD in value:
            self.parameters.append(value)
            return f"({MATCHES}({name}, ?) = {int(operator == 'eq')})"
        self.parameters.append(value)
        return f"({name} {OPERATORS[operator]} ?)"

    def _null(self, column: Column, operator: str) -> str:
        if operator != "eq":
            message = f"The operator '{operator}' cannot be used with null."
            raise errors.bad_query(message)
        if column.options is None:
            # Nothing but an enumeration's number without a member is null.
            return "0"
        numbers = ", ".join(str(option.value) for option in column.options.options)
        return f"({quoted(column.property_name)} NOT IN ({numbers}))"

    def _check_order(self, column: Column, operator: str) -> None:
        """Refuse an operator that compares an order the type does not have."""
        kind = column.edm_type
        if kind == "Edm.Guid" and self.guid_order:
            return
        if column.options or kind in {"Edm.Guid", "Edm.Boolean", "Edm.Binary"}:
            raise errors.incompatible(kind, kind, KINDS[operator])


def _operands(tree: Expression, operator: str) -> Iterator[Expression]:
    """Yield the operands of a chain of the same operator."""
    if isinstance(tree, Both) and tree.operator == operator:
        yield from _operands(tree.left, operator)
        yield from _operands(tree.right, operator)
    else:
        yield tree


def _depth(tree: Expression) -> int:
    match tree:
        case Both(_, left, right):
            return 1 + max(_depth(left), _depth(right))
        case Not(inner):
            return 1 + _depth(inner)
        case _:
            return 0


def _stored(column: Column, operator: str, literal: Literal) -> Any:  # noqa: ANN401  - whatever SQLite holds
    """Return a literal as the store has it in a column.

    Raises:
        ServiceError: The literal does not fit the column.
    """
    edm, kind, text = column.edm_type, literal.kind, literal.text
    if column.options:
        if kind == "enum" and literal.type_name == edm:
            return _number(column, literal)
    elif TYPES.get(kind) == edm:
        if edm == "Edm.Guid":
            return text.lower()
        if edm == "Edm.DateTimeOffset":
            return stored_moment(text)
        return int(text == "true") if edm == "Edm.Boolean" else text
    elif kind == "number" and edm in INTEGERS:
        return _whole(text)
    elif kind == "number" and edm in EXACT_TEXT:
        return f"{Decimal(text):f}"
    raise errors.incompatible(edm, _type(literal), KINDS[operator])


def _number(column: Column, literal: Literal) -> int:
    """Return the number of a member."""
    for option in column.options.options if column.options else ():
        if option.label.english == literal.text:
            return option.value
    message = f"The string '{literal.text}' is not a valid enumeration type constant."
    raise errors.bad_query(message)


def _whole(text: str) -> int | float:
    number = Decimal(text)
    whole = int(number)
    # SQLite's numbers end at 64 bits; beyond them every comparison has the same result.
    return max(-(2**63), min(whole, 2**63 - 1)) if whole == number else float(number)


def _type(literal: Literal) -> str:
    if literal.kind == "enum":
        return literal.type_name
    if literal.kind == "number":
        return "Edm.Decimal" if "." in literal.text else "Edm.Int32"
    return TYPES[literal.kind]
