"""Invented metadata: labels, choices and lengths, which a CSDL document does not have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.data.model import Kind, Label, Option, OptionSet

if TYPE_CHECKING:
    from sandbox.data.model import Column, Table

YES_NO = (Option(0, Label("No", "Nein")), Option(1, Label("Yes", "Ja")))
STATES = (Option(0, Label("Active", "Aktiv")), Option(1, Label("Inactive", "Inaktiv")))
STATUSES = (
    Option(1, Label("Active", "Aktiv"), 0),
    Option(2, Label("Inactive", "Inaktiv"), 1),
)
CODES = (
    Option(1, Label("Low", "Niedrig")),
    Option(2, Label("Normal", "Normal")),
    Option(3, Label("High", "Hoch")),
)

CHOICES = {"statecode": (Kind.STATE, STATES), "statuscode": (Kind.STATUS, STATUSES)}
RECIPES = {Kind.STATE: "state", Kind.STATUS: "status", Kind.PICKLIST: "option"}


def described(table: Table) -> Table:
    """Return a table with the metadata that Dataverse has besides the CSDL document.

    Args:
        table: A table of a CSDL document of Dataverse.
    """
    has_status = "statuscode" in table.by_property
    return replace(
        table,
        label=_label(table.name),
        plural=_label(table.set_name),
        custom="_" in table.name,
        columns=tuple(_described(table, column, has_status=has_status) for column in table.columns),
    )


def _label(name: str) -> Label:
    words = name.replace("_", " ").strip().title()
    return Label(words, f"{words} (deutsch)")


def _described(table: Table, column: Column, *, has_status: bool) -> Column:
    """Return a column with label and length, as a choice if its name suggests one."""
    named = replace(column, label=_label(column.name))
    name = f"{table.name}_{column.name}"
    if column.property_name in {*table.key, table.primary_id}:
        return named
    if column.kind is Kind.BOOLEAN:
        return replace(named, options=OptionSet(name, YES_NO))
    if column.kind is Kind.STRING:
        long = column.name in {"description", "documentbody", "notetext"}
        kind = Kind.MEMO if long else Kind.STRING
        return replace(named, kind=kind, max_length=2000 if long else 100)
    if column.kind is not Kind.INTEGER or not column.name.endswith("code"):
        return named
    kind, options = CHOICES.get(column.name, (Kind.PICKLIST, CODES))
    if kind is Kind.STATE and not has_status:
        return named
    return replace(named, kind=kind, options=OptionSet(name, options), values=RECIPES[kind])
