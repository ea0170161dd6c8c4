"""Map changes: changes applied to a known description."""

from __future__ import annotations

from typing import Any

import pytest

from tap_dynamics365.odata.edm import Column, Primitive, Table
from tap_dynamics365.services.dataverse import map_changes
from tap_dynamics365.services.dataverse.retrieve_metadata_changes import Changes
from tap_dynamics365.services.table_definition import ColumnDefinition, Definitions, TableDefinition


def table(*columns: ColumnDefinition, **more: Any) -> TableDefinition:
    """The definition of accounts."""
    id_ = ColumnDefinition(name="accountid", id="1", kind="UniqueidentifierType")
    return TableDefinition(
        name="account",
        entity_set="accounts",
        primary_id="accountid",
        id="0",
        columns=(id_, *columns),
        **more,
    )


ACCOUNTS = Table(
    "account", "accounts", ("accountid",), (Column("accountid", Primitive("Edm.Guid")),)
)


def applied(
    *columns: ColumnDefinition, known: TableDefinition | None = None, deleted: str = ""
) -> dict[str, object] | None:
    """The columns by their types when a table has others; None if `$metadata` has to tell."""
    before = Definitions({"account": known or table()}, "1")
    changed = Changes([table(*columns)], frozenset({deleted}), "2")
    _, tables = map_changes.apply(changed, before, [ACCOUNTS])
    return None if tables is None else {c.name: c.type for c in tables[0].columns}


@pytest.mark.parametrize(
    ("kind", "behavior", "edm_type"),
    [
        *((kind, None, edm_type) for kind, edm_type in map_changes.EDM_TYPES.items()),
        ("DateTimeType", "DateOnly", "Edm.Date"),
    ],
)
def test_types_of_columns_follow_from_their_kinds(
    kind: str, behavior: str | None, edm_type: str
) -> None:
    new = ColumnDefinition(name="new_x", id="2", kind=kind, behavior=behavior)
    assert applied(new) == {
        "accountid": Primitive("Edm.Guid"),
        new.property_name: Primitive(edm_type),
    }


@pytest.mark.parametrize("kind", ["FileType", "ImageType", "VirtualType", "PartyListType", ""])
def test_column_whose_type_does_not_follow_from_its_kind_needs_metadata(kind: str) -> None:
    assert applied(ColumnDefinition(name="new_x", id="2", kind=kind)) is None


def test_columns_that_rows_do_not_have_are_left_out() -> None:
    name = ColumnDefinition(name="xname", id="2", kind="VirtualType", attribute_of="x")
    secret = ColumnDefinition(name="secret", id="3", kind="StringType", readable=False)
    assert set(applied(name, secret) or ()) == {"accountid"}


def test_column_that_rows_do_not_have_and_is_renamed_is_left_out() -> None:
    party = ColumnDefinition(name="to", id="2", kind="PartyListType", schema_name="to")
    known = table(party)
    assert set(applied(party, known=known) or ()) == {"accountid"}


def test_column_with_the_name_of_a_deleted_one_is_new() -> None:
    old = ColumnDefinition(name="x", id="2", kind="IntegerType")
    again = ColumnDefinition(name="x", id="3", kind="IntegerType")
    known = table(old)
    assert applied(again, known=known, deleted="2") == {
        "accountid": Primitive("Edm.Guid"),
        "x": Primitive("Edm.Int32"),
    }
    # The whole table came again, and all its columns with it.
    assert applied(again, known=known, deleted="0") == applied(again, deleted="2")
