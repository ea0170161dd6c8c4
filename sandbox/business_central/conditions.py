"""Filters in SQL: syntax tree to condition, with what Business Central refuses.

`or` joins conditions on one column only. Options are compared with their names, blanks with `null`
or an empty text.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.business_central import errors
from sandbox.business_central.csdl import is_parameter
from sandbox.business_central.queries import column_of
from sandbox.business_central.values import NO_DATE, NO_GUID, NO_MOMENT
from sandbox.data.guids import sortable, sortable_sql
from sandbox.data.model import EXACT_TEXT
from sandbox.data.store import quoted
from sandbox.data.values import stored_moment
from sandbox.query.filters import Both, Comparison, Literal, Membership, Not, Path, TextTest, Truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.business_central.csdl import Api, Shape
    from sandbox.data.model import Column
    from sandbox.query.filters import Expression

OPERATORS = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
MIRRORED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
KINDS = {
    "eq": "Equal",
    "ne": "NotEqual",
    "gt": "GreaterThan",
    "ge": "GreaterThanOrEqual",
    "lt": "LessThan",
    "le": "LessThanOrEqual",
}
EQUALITY = frozenset({"eq", "ne"})
TYPES = {
    "string": "Edm.String",
    "guid": "Edm.Guid",
    "datetime": "Edm.DateTimeOffset",
    "date": "Edm.Date",
    "time": "Edm.TimeOfDay",
    "boolean": "Edm.Boolean",
    "number": "Edm.Decimal",
}
NUMBERS = frozenset({"Edm.Int32", "Edm.Int64"})
# Values that `null` stands for, by type.
BLANKS = {"Edm.Guid": NO_GUID, "Edm.Date": NO_DATE, "Edm.DateTimeOffset": NO_MOMENT}
DISTINCT = "The 'OR' operator is not supported on distinct fields on an OData filter."
# SQLite's expressions are up to 1,000 levels deep.
MOST_LITERALS = 800
_PATTERNS = {"startswith": "{}*", "endswith": "*{}", "contains": "*{}*"}


class Condition:
    """Writes a condition and collects its parameters.

    Args:
        api: The API.
        shape: The entity set.
        guid_order: Whether `gt`, `ge`, `lt` and `le` of a GUID are understood.

    Attributes:
        parameters: Parameters of the condition written so far.
    """

    def __init__(self, api: Api, shape: Shape, *, guid_order: bool = True) -> None:
        self.api = api
        self.shape = shape
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
            case Both(operator, left, right):
                if operator == "or" and len({name.lower() for name in columns(tree)}) > 1:
                    raise errors.not_implemented(DISTINCT)
                return f"({self.write(left)} {operator.upper()} {self.write(right)})"
            case Not(inner):
                return f"(NOT {self.write(inner)})"
            case Truth(path):
                return self._comparison(path, "eq", Literal("boolean", "true"))
            case Comparison(operator, Path() as path, Literal() as literal):
                return self._comparison(path, operator, literal)
            case Comparison(operator, Literal() as literal, Path() as path):
                return self._comparison(path, MIRRORED.get(operator, operator), literal)
            case TextTest(function, path, value):
                return self._text_test(function, path, value)
            case Comparison() | Membership():
                message = "The OData filter expression is not supported."
                raise errors.not_implemented(message)

    def _text_test(self, function: str, path: Path, value: str) -> str:
        column = column_of(path.name, self.api, self.shape)
        if column.edm_type != "Edm.String":
            message = f"No function signature for '{function}' matches."
            raise errors.bad_query(message)
        for mark in "[*?":
            value = value.replace(mark, f"[{mark}]")
        self.parameters.append(_PATTERNS[function].format(value))
        return f"({quoted(column.property_name)} GLOB ?)"

    def _comparison(self, path: Path, operator: str, literal: Literal) -> str:
        column = column_of(path.name, self.api, self.shape)
        if is_parameter(column):
            return "1"
        if literal.kind == "null":
            value: Any = BLANKS.get(column.edm_type, "")
        else:
            value = self._stored(column, operator, literal)
        name = quoted(column.property_name)
        if operator not in EQUALITY:
            self._check_order(column, operator)
            if column.edm_type == "Edm.Guid":
                name, value = sortable_sql(name), sortable(value)
        self.parameters.append(value)
        return f"({name} {OPERATORS[operator]} ?)"

    def _check_order(self, column: Column, operator: str) -> None:
        """Refuse an operator that compares an order the type does not have."""
        kind = column.edm_type
        refused = kind == "Edm.Guid" and not self.guid_order
        if column.options or refused or kind == "Edm.Boolean":
            raise _incompatible(kind, kind, operator)

    def _stored(self, column: Column, operator: str, literal: Literal) -> Any:  # noqa: ANN401, PLR0911  - a cell; a rule for each type
        edm, kind, text = column.edm_type, literal.kind, literal.text
        if column.options and kind in {"string", "enum"}:
            return _member(column, text)
        if kind == "number":
            if edm in NUMBERS:
                return _whole(text)
            if edm in EXACT_TEXT:
                return f"{Decimal(text):f}"
        if edm == "Edm.DateTimeOffset" and kind == "datetime":
            return stored_moment(text)
        if edm == "Edm.Guid" and kind == "guid":
            return text.lower()
        if edm == "Edm.Boolean" and kind == "boolean":
            return int(text == "true")
        if TYPES.get(kind) == edm and edm in {"Edm.String", "Edm.Date", "Edm.TimeOfDay"}:
            return text
        raise _incompatible(edm, literal.type_name or TYPES[kind], operator)


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


def _incompatible(left: str, right: str, operator: str) -> Exception:
    return errors.bad_query(
        "A binary operator with incompatible types was detected. Found operand types "
        f"'{left}' and '{right}' for operator kind '{KINDS[operator]}'."
    )


def _member(column: Column, text: str) -> str:
    """Return the encoded name of an option."""
    wanted = text.strip().replace(" ", "_x0020_").replace("-", "_x002D_") or "_x0020_"
    for option in column.options.options if column.options else ():
        if option.label.english == wanted:
            return wanted
    message = f"The string '{text}' is not a valid enumeration type constant."
    raise errors.bad_query(message)


def _whole(text: str) -> int | float:
    number = Decimal(text)
    whole = int(number)
    # SQLite's numbers end at 64 bits; beyond them every comparison has the same result.
    return max(-(2**63), min(whole, 2**63 - 1)) if whole == number else float(number)
