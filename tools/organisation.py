"""The organisation that is read: a CSDL document for the sandbox to invent rows from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NARROW, TYPICAL, WIDE = 10, 40, 198
# Of forty columns: eight GUIDs with the key, eleven texts, seven whole numbers with the version,
# five decimals, five booleans and four points in time with the two that every table has.
MIXTURE = (
    *["Edm.String"] * 11,
    *["Edm.Guid"] * 7,
    *["Edm.Int32"] * 6,
    *["Edm.Decimal"] * 5,
    *["Edm.Boolean"] * 5,
    *["Edm.DateTimeOffset"] * 2,
)
STAMPS = (
    ("modifiedon", "Edm.DateTimeOffset"),
    ("createdon", "Edm.DateTimeOffset"),
    ("versionnumber", "Edm.Int64"),
)
HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">'
    '<edmx:DataServices><Schema Namespace="Microsoft.Dynamics.CRM" Alias="mscrm" '
    'xmlns="http://docs.oasis-open.org/odata/ns/edm">'
    '<EntityType Name="crmbaseentity" Abstract="true" />'
)
TAIL = "</Schema></edmx:DataServices></edmx:Edmx>"
TRACKED = (
    '<Annotation Term="Org.OData.Capabilities.V1.ChangeTracking"><Record>'
    '<PropertyValue Property="Supported" Bool="true" /></Record></Annotation>'
)


def entity_set(table: str) -> str:
    """The name under which a table's rows are read."""
    return f"{table}s"


def columns(table: str, count: int) -> Iterator[tuple[str, str]]:
    """The names of a table's columns, with their types."""
    yield f"{table}id", "Edm.Guid"
    yield from STAMPS
    for number in range(count - 1 - len(STAMPS)):
        # Texts, GUIDs and the rest take turns in a narrow table too.
        edm_type = MIXTURE[number % len(MIXTURE) if count >= TYPICAL else number * 6]
        yield f"bench_{edm_type.removeprefix('Edm.').lower()}{number:03d}", edm_type


def document(tables: dict[str, int]) -> str:
    """A CSDL document.

    Args:
        tables: how many columns each table has.
    """
    types, sets = [], []
    for table, count in tables.items():
        properties = "".join(
            f'<Property Name="{name}" Type="{edm_type}" />'
            for name, edm_type in columns(table, count)
        )
        types.append(
            f'<EntityType Name="{table}" BaseType="mscrm.crmbaseentity">'
            f'<Key><PropertyRef Name="{table}id" /></Key>{properties}</EntityType>'
        )
        sets.append(
            f'<EntitySet Name="{entity_set(table)}" EntityType="Microsoft.Dynamics.CRM.{table}">'
            f"{TRACKED}</EntitySet>"
        )
    container = f'<EntityContainer Name="System">{"".join(sets)}</EntityContainer>'
    return "".join((HEAD, *types, container, TAIL))


def write(path: Path, tables: dict[str, int]) -> Path:
    """Write the document of some tables down.

    Args:
        path: where.
        tables: how many columns each table has.
    """
    path.write_text(document(tables))
    return path
