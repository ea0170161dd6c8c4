"""Access of the caller: how deep the privileges to read reach, and which rows they leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sandbox.metadata import privileges

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    from sandbox.data.model import Table
    from sandbox.data.store import Store

GLOBAL = "Global"
# For each depth, the condition for the rows of a table with owners. The parameter is the user.
UNIT = "(SELECT _businessunitid_value FROM systemuser WHERE systemuserid = ?)"
CONDITIONS = {
    "Basic": "_ownerid_value = ?",
    "Local": f"_owningbusinessunit_value = {UNIT}",
    "Deep": (
        f"_owningbusinessunit_value IN (WITH RECURSIVE below(id) AS (SELECT {UNIT} UNION "  # noqa: S608  - names of the model
        "SELECT businessunitid FROM businessunit JOIN below ON _parentbusinessunitid_value = id) "
        "SELECT id FROM below)"
    ),
}
BUSINESS_UNIT = "00000000-5a4d-4b0c-8b0c-0000000000b0"


class Access:
    """What the roles of the caller allow.

    Args:
        store: The rows.
        user: Id of the caller's user.

    Attributes:
        depths: Depth of a privilege to read rows with owners, by the name of the privilege:
            "Basic", "Local" or "Deep". That of all others is "Global".
    """

    def __init__(self, store: Store, user: str) -> None:
        self.store = store
        self.user = user
        self.depths: dict[str, str] = {}

    @property
    def behavior(self) -> Hashable:
        """What responses depend on, for keys of the cache."""
        return tuple(sorted(self.depths.items()))

    @property
    def business_unit(self) -> str:
        """Id of the business unit of the user."""
        table = self.store.model.by_name.get("systemuser")
        if table is None or "_businessunitid_value" not in table.by_property:
            return BUSINESS_UNIT
        sql = "SELECT _businessunitid_value FROM systemuser WHERE systemuserid = ?"
        found = self.store.select(sql, [self.user])
        return found[0][0].decode() if found else BUSINESS_UNIT

    def condition(self, table: Table) -> tuple[str, list[Any]] | None:
        """Return the condition, in SQL, for the rows that the caller may read; None for all rows.

        Args:
            table: The table.
        """
        depth = self.depths.get(privileges.name(table), GLOBAL)
        return None if depth == GLOBAL else (CONDITIONS[depth], [self.user])

    def role_privileges(self, root: str, forbidden: Collection[str]) -> bytes:
        """Return the response of `RetrieveUserPrivileges`: rows of the user may be written, too.

        Args:
            root: URL of the service root.
            forbidden: Logical names of tables that the caller may not read.
        """
        unit = self.business_unit
        depths = {
            each["Name"]: self.depths.get(each["Name"], GLOBAL) if is_read else "Basic"
            for table in self.store.model.tables
            for each in privileges.of(table)
            if (is_read := each["PrivilegeType"] == privileges.READ) or each["CanBeBasic"]
            if not is_read or table.name not in forbidden
        }
        kind = "Microsoft.Dynamics.CRM.RetrieveUserPrivilegesResponse"
        found = [
            {
                "Depth": depth,
                "PrivilegeId": privileges.identifier(name),
                "BusinessUnitId": unit,
                "PrivilegeName": name,
                "RecordFilterId": "00000000-0000-0000-0000-000000000000",
                "RecordFilterUniqueName": "",
            }
            for name, depth in depths.items()
        ]
        return msgspec.json.encode(
            {"@odata.context": f"{root}$metadata#{kind}", "RolePrivileges": found}
        )
