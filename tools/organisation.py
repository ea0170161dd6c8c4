"""Generated organisation: a CSDL document with any number of tables and columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NARROW, TYPICAL, WIDE = 10, 40, 198
# Types of columns besides the key and the timestamps. With 40 columns: 8 GUIDs with the key, 11
# texts, 7 integers with the version, 5 decimals, 5 booleans, 4 points in time with the 2 that each
# table has.
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
    """Return the name of a table's entity set."""
    return f"{table}s"


def columns(table: str, count: int) -> Iterator[tuple[str, str]]:
    """Yield the names and types of a table's columns.

    Args:
        table: Logical name of the table.
        count: Number of columns.
    """
    yield f"{table}id", "Edm.Guid"
    yield from STAMPS
    for number in range(count - 1 - len(STAMPS)):
        # Narrow tables have a mixture of types too.
        edm_type = MIXTURE[number % len(MIXTURE) if count >= TYPICAL else number * 6]
        yield f"bench_{edm_type.removeprefix('Edm.').lower()}{number:03d}", edm_type


def document(tables: dict[str, int]) -> str:
    """Return a CSDL document.

    Args:
        tables: Number of columns by table.
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
    """Write the CSDL document of some tables to a file.

    Args:
        path: Path of the file.
        tables: Number of columns by table.
    """
    path.write_text(document(tables))
    return path
