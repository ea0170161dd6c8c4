"""Filters in SQL: syntax tree to condition, with what Business Central refuses.

`or` joins conditions on one column only. Options are compared with their names, blanks with `null`
or an empty text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.business_central import errors
from sandbox.business_central.csdl import is_parameter
from sandbox.business_central.queries import column_of
from sandbox.business_central.values import NO_DATE, NO_GUID, NO_MOMENT
from sandbox.data.store import quoted
from sandbox.faults.errors import bad_query
from sandbox.query.comparisons import Comparisons, stored_literal
from sandbox.query.filters import Both, Comparison, Literal, Membership, Not, Path, TextTest, Truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.business_central.csdl import Api, Shape
    from sandbox.data.model import Column
    from sandbox.query.filters import Expression

# Values that `null` stands for, by type.
BLANKS = {"Edm.Guid": NO_GUID, "Edm.Date": NO_DATE, "Edm.DateTimeOffset": NO_MOMENT}
DISTINCT = "The 'OR' operator is not supported on distinct fields on an OData filter."
_PATTERNS = {"startswith": "{}*", "endswith": "*{}", "contains": "*{}*"}


class Condition(Comparisons):
    """Writes a condition and collects its parameters.

    Args:
        api: The API.
        shape: The entity set.
        guid_order: Whether `gt`, `ge`, `lt` and `le` of a GUID are understood.
    """

    def __init__(self, api: Api, shape: Shape, *, guid_order: bool = True) -> None:
        super().__init__(guid_order=guid_order)
        self.api = api
        self.shape = shape

    def _both(self, tree: Both) -> str:
        if tree.operator == "or" and len({name.lower() for name in columns(tree)}) > 1:
            raise errors.not_implemented(DISTINCT)
        return f"({self.write(tree.left)} {tree.operator.upper()} {self.write(tree.right)})"

    def _other(self, tree: Expression) -> str:
        if isinstance(tree, TextTest):
            return self._text_test(tree.function, tree.path, tree.text)
        message = "The OData filter expression is not supported."
        raise errors.not_implemented(message)

    def _text_test(self, function: str, path: Path, value: str) -> str:
        column = column_of(path.name, self.api, self.shape)
        if column.edm_type != "Edm.String":
            message = f"No function signature for '{function}' matches."
            raise bad_query(message)
        for mark in "[*?":
            value = value.replace(mark, f"[{mark}]")
        self.parameters.append(_PATTERNS[function].format(value))
        return f"({quoted(column.property_name)} GLOB ?)"

    def _comparison(self, path: Path, operator: str, literal: Literal) -> str:
        column = column_of(path.name, self.api, self.shape)
        if is_parameter(column):
            return "1"
        if literal.kind == "null":
            return self._compared(column, operator, BLANKS.get(column.edm_type, ""))
        if column.options and literal.kind in {"string", "enum"}:
            return self._compared(column, operator, _member(column, literal.text))
        return self._compared(column, operator, stored_literal(column, operator, literal))


def columns(tree: Expression) -> Iterator[str]:
    """Yield the names of the columns in a syntax tree."""
    match tree:
        case Both(_, left, right):
            yield from columns(left)
            yield from columns(right)
        case Not(inner):
            yield from columns(inner)
        case Truth(path) | TextTest(_, path, _) | Membership(path, _):
            yield path.name
        case Comparison(_, left_side, right_side):
            yield from (side.name for side in (left_side, right_side) if isinstance(side, Path))


def equal_to(tree: Expression | None, name: str) -> Iterator[str]:
    """Yield the values with which a column is compared by `eq` in a syntax tree."""
    match tree:
        case Both(_, left, right):
            yield from equal_to(left, name)
            yield from equal_to(right, name)
        case Comparison("eq", Path(found), Literal() as literal) if found.lower() == name.lower():
            yield literal.text.lower()


def _member(column: Column, text: str) -> str:
    """Return the encoded name of an option."""
    wanted = text.strip().replace(" ", "_x0020_").replace("-", "_x002D_") or "_x0020_"
    for option in column.options.options if column.options else ():
        if option.label.english == wanted:
            return wanted
    message = f"The string '{text}' is not a valid enumeration type constant."
    raise bad_query(message)
