"""Filters in SQL: syntax tree to condition, with the comparisons of the service.

`eq` and `ne` treat null as a value; the other comparisons with null are false. Text comparisons are
case-insensitive. A literal must fit the type of the column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.data.guids import sortable, sortable_sql
from sandbox.data.model import EXACT_TEXT, INTEGERS
from sandbox.data.store import quoted
from sandbox.data.values import stored_moment
from sandbox.faults.errors import bad_query, incompatible, unknown_property
from sandbox.query.comparisons import EQUALITY, KINDS
from sandbox.query.filters import Both, Comparison, Literal, Membership, Not, Path, TextTest, Truth

if TYPE_CHECKING:
    from sandbox.data.model import Column, Model, Table
    from sandbox.query.filters import Expression, Operand

OPERATORS = {"eq": "IS", "ne": "IS NOT", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
LIMITS = {"Edm.Int64": 2**63, "Edm.Int32": 2**31, "Edm.Int16": 2**15, "Edm.Byte": 2**8}


class Condition:
    """Writes a condition and collects its parameters.

    Args:
        model: Data model of the table.
        table: The table.

    Attributes:
        parameters: Parameters of the condition written so far.
    """

    def __init__(self, model: Model, table: Table) -> None:
        self.type_name = f"{model.namespace}.{table.name}"
        self.table = table
        self.parameters: list[Any] = []

    def column(self, path: Path) -> Column:
        """Return the column of a path."""
        column = self.table.by_property.get(path.name)
        if column is None:
            raise unknown_property(path.name, self.type_name)
        return column

    def write(self, tree: Expression) -> str:
        """Write a syntax tree as SQL, and append its values to `parameters`."""
        match tree:
            case Both(operator, left, right):
                return f"({self.write(left)} {operator.upper()} {self.write(right)})"
            case Not(inner):
                return f"(NOT ifnull({self.write(inner)}, 0))"
            case Comparison():
                return self._comparison(tree)
            case TextTest(function, path, text):
                return self._text_test(function, self.column(path), text)
            case Membership(path, values):
                column = self.column(path)
                kind = "string" if column.edm_type == "Edm.String" else ""
                marks = [self._value(column, Literal(kind, value)) for value in values]
                return f"{quoted(path.name)} IN ({', '.join(marks)})"
            case Truth(path):
                return f"{quoted(self.column(path).property_name)} IS 1"

    def _comparison(self, tree: Comparison) -> str:
        left, operator, right = tree.left, tree.operator, tree.right
        sides = [side for side in (left, right) if isinstance(side, Path)]
        if not sides:
            return "1" if _constant(left, operator, right) else "0"
        columns = [self.column(side) for side in sides]
        if len(columns) > 1 and _family(columns[0]) != _family(columns[1]):
            raise incompatible(columns[0].edm_type, columns[1].edm_type, operator)
        texts = [self._side(side, columns[0]) for side in (left, right)]
        if operator not in EQUALITY and columns[0].edm_type == "Edm.Guid":
            return self._order_of_guids(texts, operator)
        folded = any(
            isinstance(side, Literal) and side.kind == "string" and not side.text.isascii()
            for side in (left, right)
        )
        if folded:
            texts = [f"fold({text})" for text in texts]
        return f"{texts[0]} {OPERATORS[operator]} {texts[1]}"

    def _order_of_guids(self, texts: list[str], operator: str) -> str:
        """Write a comparison of two GUIDs; parameters are converted here, columns by SQLite."""
        sides = []
        for text in texts:
            if text == "?":
                self.parameters[-1] = sortable(self.parameters[-1])
            sides.append(text if text in {"?", "NULL"} else sortable_sql(text))
        return f"{sides[0]} {OPERATORS[operator]} {sides[1]}"

    def _side(self, side: Operand, column: Column) -> str:
        return quoted(side.name) if isinstance(side, Path) else self._value(column, side)

    def _value(self, column: Column, literal: Literal) -> str:
        if literal.kind == "null":
            return "NULL"
        self.parameters.append(stored_value(column, literal))
        return "?"

    def _text_test(self, function: str, column: Column, text: str) -> str:
        if column.edm_type != "Edm.String":
            message = (
                f"No function signature for the function with name '{function}' matches the "
                "specified arguments."
            )
            raise bad_query(message)
        # The wildcards % and _ of SQL Server are those of SQLite too.
        pattern = {"contains": f"%{text}%", "startswith": f"{text}%", "endswith": f"%{text}"}
        self.parameters.append(pattern[function])
        name = quoted(column.property_name)
        if text.isascii():
            return f"{name} LIKE ?"
        return f"fold({name}) LIKE fold(?)"


def refuse_guid_order(tree: Expression, table: Table) -> None:
    """Refuse a filter that compares the order of two GUIDs.

    Args:
        tree: The filter.
        table: The table.

    Raises:
        ServiceError: The filter does so; the message is that of the OData library.
    """
    match tree:
        case Both(_, left, right):
            refuse_guid_order(left, table)
            refuse_guid_order(right, table)
        case Not(inner):
            refuse_guid_order(inner, table)
        case Comparison(operator, left, right) if operator not in EQUALITY:
            for side in (left, right):
                column = table.by_property.get(side.name) if isinstance(side, Path) else None
                if column and column.edm_type == "Edm.Guid":
                    raise incompatible(column.edm_type, column.edm_type, KINDS[operator])
        case _:
            pass


def _family(column: Column) -> str:
    if column.edm_type == "Edm.Boolean":
        return "boolean"
    return "number" if column.edm_type in INTEGERS | EXACT_TEXT else column.edm_type


def _constant(left: Operand, operator: str, right: Operand) -> bool:
    same = left == right
    return same if operator in {"eq", "ge", "le"} else not same and operator == "ne"


def stored_value(  # noqa: PLR0911  - a rule for each type
    column: Column, literal: Literal
) -> Any:  # noqa: ANN401  - whatever SQLite holds
    """Return a literal as the store has it in a column.

    Raises:
        ServiceError: The literal does not fit the column.
    """
    edm, kind, text = column.edm_type, literal.kind, literal.text
    if edm == "Edm.Guid" and kind in {"guid", ""}:
        return text.lower()
    if edm == "Edm.Boolean" and kind in {"boolean", ""}:
        return int(text == "true")
    if edm == "Edm.DateTimeOffset" and kind in {"datetime", "date", ""}:
        return stored_moment(text if "T" in text else f"{text}T00:00:00Z")
    if edm == "Edm.Date" and kind in {"date", "datetime", ""}:
        return text[:10]
    if edm == "Edm.TimeOfDay" and kind in {"time", ""}:
        return text
    if edm in EXACT_TEXT and kind in {"number", ""}:
        return text
    if edm in INTEGERS - {"Edm.Boolean"} and kind in {"number", ""}:
        return _integer(edm, text)
    if not edm.startswith("Edm.") and kind in {"enum", "string", ""}:
        return text
    if edm in {"Edm.String", "Edm.Duration", "Edm.Binary"} and kind == "string":
        return text
    message = (
        "A binary operator with incompatible types was detected. Found operand types "
        f"'{edm}' and '{_literal_type(literal)}' for the property '{column.property_name}'."
    )
    raise bad_query(message)


def _integer(edm: str, text: str) -> int | float:
    try:
        number = float(text) if set(text) & set(".eE") else int(text)
    except ValueError:
        message = f"The value '{text}' is not a valid {edm}."
        raise bad_query(message) from None
    if abs(number) > LIMITS.get(edm, 2**63):
        message = f"The value '{text}' is out of range for '{edm}'."
        raise bad_query(message)
    return max(-(2**63), min(number, 2**63 - 1))


def _literal_type(literal: Literal) -> str:
    names = {"string": "Edm.String", "guid": "Edm.Guid", "datetime": "Edm.DateTimeOffset"}
    return names.get(literal.kind, f"Edm.{literal.kind.capitalize()}")
