"""The query of `RetrieveMetadataChanges`, and what its criteria choose.

The source is Microsoft Learn, "Query schema definitions", and for the types the CSDL documents of
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
    """A complex type of the query."""


class _Value(_Form):
    type: str
    value: str


class _Condition(_Form):
    property_name: str
    condition_operator: str | int
    value: _Value | None = None


class Criteria(_Form):
    """Conditions, and groups of them, that are joined."""

    filter_operator: str | int | None = None
    conditions: list[_Condition] | None = None
    filters: list[Criteria] | None = None


class Properties(_Form):
    """Which members are wanted."""

    all_properties: bool | None = None
    property_names: list[str] | None = None


class Part(_Form):
    """What is wanted of a table's columns, relationships or keys."""

    properties: Properties | None = None
    criteria: Criteria | None = None


class Labels(_Form):
    """In which languages labels are wanted."""

    filter_languages: list[int] | None = None
    missing_label_behavior: int | None = None


class Query(_Form):
    """What is wanted of which tables."""

    properties: Properties | None = None
    criteria: Criteria | None = None
    attribute_query: Part | None = None
    relationship_query: Part | None = None
    key_query: Part | None = None
    label_query: Labels | None = None


def fits(criteria: Criteria | None, row: Json, kind: str) -> bool:
    """Whether criteria hold for a row of metadata.

    Args:
        criteria: none hold for every row.
        row: what is said of a table, a column or a relationship.
        kind: the name of its type, for what is said of a member that it does not have.

    Raises:
        ServiceError: 400, if they make no sense.
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
        # A managed property, or the name of a kind.
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
    """The value of a condition, by the .NET type that it is said to be of."""
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
