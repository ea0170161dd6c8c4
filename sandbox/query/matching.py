"""Filters on plain JSON values: how queries over metadata are filtered."""

from __future__ import annotations

import operator
from typing import Any

from sandbox.faults.errors import not_for_metadata, unknown_property
from sandbox.query.filters import (
    Both,
    Comparison,
    Expression,
    Literal,
    Membership,
    Not,
    Operand,
    Path,
    TextTest,
    Truth,
)

ORDER = {"gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le}


def _at(row: dict[str, Any], path: Path, kind: str) -> Any:  # noqa: ANN401  - JSON
    value: Any = row
    for name in path.name.split("/"):
        if not isinstance(value, dict):
            return None
        if name not in value:
            raise unknown_property(name, f"Microsoft.Dynamics.CRM.{kind}")
        value = value[name]
    return value


def _value(row: dict[str, Any], side: Operand, kind: str) -> Any:  # noqa: ANN401  - JSON
    if isinstance(side, Path):
        return _at(row, side, kind)
    return _literal(side)


def _literal(literal: Literal) -> Any:  # noqa: ANN401  - JSON
    if literal.kind == "null":
        return None
    if literal.kind == "boolean":
        return literal.text == "true"
    if literal.kind == "number":
        return float(literal.text)
    if literal.kind == "guid":
        return literal.text.lower()
    return literal.text


def matches(  # noqa: PLR0911  - a rule for each sort of tree
    tree: Expression, row: dict[str, Any], kind: str
) -> bool:
    """Return whether a filter matches a row of metadata.

    Args:
        tree: The filter.
        row: The row.
        kind: Metadata type of the row, for error messages.

    Raises:
        ServiceError: The row has no such property.
    """
    match tree:
        case Both("and", left, right):
            return matches(left, row, kind) and matches(right, row, kind)
        case Both(_, left, right):
            return matches(left, row, kind) or matches(right, row, kind)
        case Not(inner):
            return not matches(inner, row, kind)
        case Comparison(name, left_side, right_side):
            left, right = _value(row, left_side, kind), _value(row, right_side, kind)
            if name in {"eq", "ne"}:
                return bool((left == right) == (name == "eq"))
            return left is not None and right is not None and bool(ORDER[name](left, right))
        case TextTest(function, _, _):
            raise not_for_metadata(function)
        case Membership(path, values):
            return str(_at(row, path, kind)) in values
        case Truth(path):
            return bool(_at(row, path, kind))
