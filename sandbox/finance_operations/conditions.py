"""Filters in SQL: syntax tree to condition, with the comparisons of Finance & Operations.

Texts are compared by the service's collation. `*` in a literal is a wildcard with `eq` and `ne`,
and a character with the other operators. Enumerations are compared with a literal of their type, by
`eq` and `ne` only. There are no functions, and `ne null` is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.data.store import quoted
from sandbox.faults.errors import bad_query, incompatible
from sandbox.finance_operations import errors
from sandbox.finance_operations.collation import MATCHES, WILDCARD
from sandbox.finance_operations.queries import column_of
from sandbox.query.comparisons import EQUALITY, KINDS, OPERATORS, Comparisons, stored_literal
from sandbox.query.filters import Both, Comparison, Literal, Membership, Not, Path, TextTest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.data.model import Column, Table
    from sandbox.query.filters import Expression

NULL = Literal("null", "null")


class Condition(Comparisons):
    """Writes a condition and collects its parameters.

    Args:
        table: The table.
        guid_order: Whether `gt`, `ge`, `lt` and `le` of a GUID are understood.
    """

    def __init__(self, table: Table, *, guid_order: bool = True) -> None:
        super().__init__(guid_order=guid_order)
        self.table = table

    def _both(self, tree: Both) -> str:
        # SQLite's parser has a short stack: brackets at the beginning take the least.
        operands = sorted(_operands(tree, tree.operator), key=_depth, reverse=True)
        return f"({f' {tree.operator.upper()} '.join(map(self.write, operands))})"

    def _other(self, tree: Expression) -> str:
        match tree:
            case Comparison(operator, Path() as left, Path() as right):
                return self._two_columns(left, operator, right)
            case TextTest(function, _, _):
                raise errors.not_queryable(function)
            case Membership(path, _):
                raise errors.not_queryable(path.name)
            case _:
                message = "The sandbox compares no two literals."
                raise bad_query(message)

    def _two_columns(self, left: Path, operator: str, right: Path) -> str:
        columns = [column_of(path.name, self.table) for path in (left, right)]
        if columns[0].edm_type != columns[1].edm_type or columns[0].options:
            raise incompatible(columns[0].edm_type, columns[1].edm_type, KINDS[operator])
        return f"({quoted(left.name)} {OPERATORS[operator]} {quoted(right.name)})"

    def _comparison(self, path: Path, operator: str, literal: Literal) -> str:
        column = column_of(path.name, self.table)
        if literal == NULL:
            return self._null(column, operator)
        if column.options and (literal.kind, literal.type_name) == ("enum", column.edm_type):
            return self._compared(column, operator, _number(column, literal))
        value = stored_literal(column, operator, literal)
        if operator in EQUALITY and column.edm_type == "Edm.String" and WILDCARD in value:
            self.parameters.append(value)
            name = quoted(column.property_name)
            return f"({MATCHES}({name}, ?) = {int(operator == 'eq')})"
        return self._compared(column, operator, value)

    def _null(self, column: Column, operator: str) -> str:
        if operator != "eq":
            message = f"The operator '{operator}' cannot be used with null."
            raise bad_query(message)
        if column.options is None:
            # Nothing but an enumeration's number without a member is null.
            return "0"
        numbers = ", ".join(str(option.value) for option in column.options.options)
        return f"({quoted(column.property_name)} NOT IN ({numbers}))"


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


def _number(column: Column, literal: Literal) -> int:
    """Return the number of a member."""
    for option in column.options.options if column.options else ():
        if option.label.english == literal.text:
            return option.value
    message = f"The string '{literal.text}' is not a valid enumeration type constant."
    raise bad_query(message)
