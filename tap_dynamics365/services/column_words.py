"""Column words: the type of a column and its choices, as people name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tap_dynamics365.odata.edm import Collection, Complex, Enumeration, Primitive
from tap_dynamics365.services.table_definition import TEXTS

if TYPE_CHECKING:
    from tap_dynamics365.odata.edm import Column, EdmType
    from tap_dynamics365.services.table_definition import ColumnDefinition

# By the kinds of Dataverse, whose types in the metadata document say less.
_KINDS = {
    "BigIntType": "big number",
    "BooleanType": "yes/no",
    "CustomerType": "lookup",
    "DateTimeType": "date and time",
    "DecimalType": "decimal",
    "DoubleType": "floating point",
    "EntityNameType": "table name",
    "FileType": "file",
    "ImageType": "image",
    "IntegerType": "whole number",
    "LookupType": "lookup",
    "MemoType": "memo",
    "MoneyType": "money",
    "MultiSelectPicklistType": "choices",
    "OwnerType": "lookup",
    "PartyListType": "party list",
    "PicklistType": "choice",
    "StateType": "choice",
    "StatusType": "choice",
    "StringType": "text",
    "UniqueidentifierType": "id",
}
_PRIMITIVES = {
    "Edm.Binary": "binary",
    "Edm.Boolean": "yes/no",
    "Edm.Byte": "whole number",
    "Edm.Date": "date",
    "Edm.DateTimeOffset": "date and time",
    "Edm.Decimal": "decimal",
    "Edm.Double": "floating point",
    "Edm.Duration": "duration",
    "Edm.Guid": "id",
    "Edm.Int16": "whole number",
    "Edm.Int32": "whole number",
    "Edm.Int64": "big number",
    "Edm.SByte": "whole number",
    "Edm.Single": "floating point",
    "Edm.Stream": "stream",
    "Edm.String": "text",
    "Edm.TimeOfDay": "time",
}


class Choice(NamedTuple):
    """A value that a column can have.

    Attributes:
        value: The value in rows.
        label: Its label in the language of the user; None if the service has none.
    """

    value: int | str
    label: str | None


def kind(column: Column, definition: ColumnDefinition | None = None) -> str:
    """Say the type of a column: `text(160)`, `choice`, `lookup → systemuser, team`.

    Args:
        column: The column.
        definition: Its definition, if the service has one.
    """
    if definition is None or definition.kind not in _KINDS:
        return _of_type(column.type)
    words = _KINDS[definition.kind]
    if definition.kind in TEXTS and definition.max_length is not None:
        return f"{words}({definition.max_length:,})"
    if definition.kind == "DateTimeType" and definition.behavior == "DateOnly":
        return "date"
    if definition.targets:
        return f"{words} → {', '.join(definition.targets)}"
    return words


def choices(column: Column, definition: ColumnDefinition | None = None) -> list[Choice]:
    """Return the values that a column can have, as far as the service names them.

    Args:
        column: The column.
        definition: Its definition, if the service has one.
    """
    if definition is not None and definition.options is not None:
        return [Choice(each.value, each.label.text) for each in definition.options.options]
    if isinstance(column.type, Enumeration):
        return [Choice(member, None) for member in column.type.members]
    return []


def _of_type(edm_type: EdmType) -> str:
    match edm_type:
        case Primitive(name):
            return _PRIMITIVES.get(name, name.removeprefix("Edm."))
        case Enumeration():
            return "choice"
        case Complex():
            return "object"
        case Collection(item):
            return f"list of {_of_type(item)}"
