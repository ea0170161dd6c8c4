"""Privileges of tables: their names and ids, as roles grant them and table definitions list them.

The sources are Microsoft Learn, "SecurityPrivilegeMetadata ComplexType" and "How security role
privileges work with each other".
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.data.model import Table

READ = "Read"
TYPES = ("Create", READ, "Write", "Delete", "Append", "AppendTo")
# Only rows with an owner can be handed to another owner, or shared.
OF_OWNED = ("Assign", "Share")
# Tables whose privileges have another name than the table.
NAMES = {"systemuser": "User"}
# All kinds of activities have the same privileges.
ACTIVITY = "Activity"


def name(table: Table, kind: str = READ) -> str:
    """Return the name of a privilege, such as `prvReadAccount`."""
    noun = ACTIVITY if table.activity else NAMES.get(table.name, table.schema_name or table.name)
    return f"prv{kind}{noun}"


def identifier(privilege: str) -> str:
    """Return the id of a privilege, by its name."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, privilege))


def of(table: Table) -> Iterator[dict[str, Any]]:
    """Yield the privileges of a table, as in its definition.

    An intersect table has none: it follows the tables that it joins.
    """
    if table.intersect:
        return
    is_owned = table.ownership == "UserOwned"
    has_units = is_owned or table.ownership == "BusinessOwned"
    for kind in (*TYPES, *(OF_OWNED if is_owned else ())):
        privilege = name(table, kind)
        yield {
            "CanBeBasic": is_owned,
            "CanBeDeep": has_units,
            "CanBeGlobal": True,
            "CanBeLocal": has_units,
            "CanBeEntityReference": False,
            "CanBeParentEntityReference": False,
            "CanBeRecordFilter": False,
            "Name": privilege,
            "PrivilegeId": identifier(privilege),
            "PrivilegeType": kind,
        }
