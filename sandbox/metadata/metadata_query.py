"""Query of `RetrieveMetadataChanges`, and its criteria.

The sources are Microsoft Learn, "Query schema definitions", and for the types the CSDL documents of
version 9.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Any

import msgspec

from sandbox.faults.errors import bad_query, unknown_property

Json = dict[str, Any]
OPERATORS = ("Equals", "NotEquals", "In", "NotIn", "GreaterThan", "LessThan")


class _Logic(IntEnum):
    And = 0
    Or = 1


class _Form(msgspec.Struct, rename="pascal", forbid_unknown_fields=True):
    """Complex type of the query."""


class _Value(_Form):
    type: str
    value: str


class _Condition(_Form):
    property_name: str
    condition_operator: str | int
    value: _Value | None = None


class Criteria(_Form):
    """Conditions and nested criteria, joined by an operator."""

    filter_operator: str | int | None = None
    conditions: list[_Condition] | None = None
    filters: list[Criteria] | None = None


class Properties(_Form):
    """Requested properties."""

    all_properties: bool | None = None
    property_names: list[str] | None = None


class Part(_Form):
    """Requested columns, relationships or keys of a table."""

    properties: Properties | None = None
    criteria: Criteria | None = None


class Labels(_Form):
    """Requested languages of labels."""

    filter_languages: list[int] | None = None
    missing_label_behavior: int | None = None


class Query(_Form):
    """Requested tables, and what of them."""

    properties: Properties | None = None
    criteria: Criteria | None = None
    attribute_query: Part | None = None
    relationship_query: Part | None = None
    key_query: Part | None = None
    label_query: Labels | None = None


def fits(criteria: Criteria | None, row: Json, kind: str) -> bool:
    """Return whether a row of metadata meets criteria.

    Args:
        criteria: The criteria. None is met by every row.
        row: Definition of a table, a column or a relationship.
        kind: Metadata type of the row, for error messages.

    Raises:
        ServiceError: The criteria are invalid.
    """
    if criteria is None:
        return True
    operator = criteria.filter_operator or 0
    try:
        logic = _Logic[operator] if isinstance(operator, str) else _Logic(operator)
    except (KeyError, ValueError):
        message = f"Unknown FilterOperator: {operator}."
        raise bad_query(message) from None
    found = [_holds(each, row, kind) for each in criteria.conditions or ()]
    found += [fits(each, row, kind) for each in criteria.filters or ()]
    if not found:
        return True
    return any(found) if logic is _Logic.Or else all(found)


def _holds(condition: _Condition, row: Json, kind: str) -> bool:
    if condition.property_name not in row:
        raise unknown_property(condition.property_name, f"Microsoft.Dynamics.CRM.{kind}")
    left = row[condition.property_name]
    if isinstance(left, dict):
        # A managed property, or an AttributeTypeName.
        left = left.get("Value")
    operator = condition.condition_operator
    if isinstance(operator, int):
        operator = OPERATORS[operator] if operator < len(OPERATORS) else str(operator)
    right = None if condition.value is None else _typed(condition.value)
    match operator:
        case "Equals":
            return bool(left == right)
        case "NotEquals":
            return bool(left != right)
        case "In" | "NotIn" if isinstance(right, list):
            return (left in right) is (operator == "In")
        case "GreaterThan" if left is not None and right is not None:
            return bool(left > right)
        case "LessThan" if left is not None and right is not None:
            return bool(left < right)
    message = f"The condition on {condition.property_name} is invalid."
    raise bad_query(message)


def _typed(given: _Value) -> Any:  # noqa: ANN401  - JSON
    """Return the value of a condition, converted by its .NET type."""
    text = given.value
    match given.type.removeprefix("Microsoft.Xrm.Sdk.Metadata."):
        case "System.String[]":
            return re.findall(r"'([^']*)'", text)
        case "System.Boolean" if text.lower() in {"true", "false"}:
            return text.lower() == "true"
        case "System.Int32" if re.fullmatch(r"-?\d+", text):
            return int(text)
        case "System.Guid":
            return text.lower()
        case (
            "System.String"
            | "System.DateTime"
            | "AttributeTypeDisplayName"
            | "AttributeTypeCode"
            | "OwnershipTypes"
            | "AttributeRequiredLevel"
            | "RelationshipType"
        ):
            return text
    message = f"The value {text} is not of type {given.type}."
    raise bad_query(message)
