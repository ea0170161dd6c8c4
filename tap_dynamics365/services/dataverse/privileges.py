"""Privileges: how deep the caller may read tables.

A user whose privilege to read a table is less deep than the organization gets fewer rows, without
an error. The tables of all activities have one privilege, and some privileges are not named after
their table, so that tables and privileges are joined by the ids in the table definitions.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/retrieveuserprivileges
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/securityprivilegemetadata
https://learn.microsoft.com/power-platform/admin/security-roles-privileges
"""

from __future__ import annotations

from codecs import BOM_UTF8
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tap_dynamics365.errors import MetadataError, ServiceError
from tap_dynamics365.http.response import DECODE_ERRORS
from tap_dynamics365.services.read_rights import ReadRights

if TYPE_CHECKING:
    from collections.abc import Collection

    from tap_dynamics365.odata.client import ODataClient

T = TypeVar("T")

# `Privileges` can be selected, but not expanded or filtered by.
TABLES = "EntityDefinitions?$select=LogicalName,Privileges"
READ = "Read"
# Each depth, the deepest one last, with the rows that it reaches.
DEPTHS = {
    "RecordFilter": "rows that a record filter selects",
    "Basic": "rows of the user",
    "Local": "rows of the business unit",
    "Deep": "rows of the business unit and those below",
    "Global": "all rows",
}
DEEP, GLOBAL = "Deep", "Global"
REMEDY = "Give the account a role that reads them at the level Organization."


class _Answer(msgspec.Struct, rename="pascal", gc=False):
    """An object with the property names of the service."""


class _Caller(_Answer):
    """A response of `WhoAmI`."""

    user_id: str
    business_unit_id: str


class _RolePrivilege(_Answer):
    """A privilege that a role of the user, or of a team of the user, grants."""

    privilege_id: str
    depth: str


class _RolePrivileges(_Answer):
    """A response of `RetrieveUserPrivileges`."""

    role_privileges: list[_RolePrivilege]


class _Privilege(_Answer):
    """A privilege of a table."""

    name: str
    privilege_id: str
    privilege_type: str


class _Table(_Answer):
    """The definition of a table."""

    logical_name: str
    privileges: list[_Privilege] | None = None


class _Tables(msgspec.Struct):
    """A response of `EntityDefinitions`."""

    value: list[_Table]


def read_rights(client: ODataClient, names: Collection[str]) -> ReadRights:
    """Read of which tables the caller may read all rows. This takes three or four requests.

    Args:
        client: The client of the service.
        names: The logical names of the tables.

    Returns:
        The rights. Tables without a privilege of their own, such as intersect tables, are left out,
        and so are those that the caller may not read.

    Raises:
        MetadataError: A response can't be decoded.
        ServiceError: The service refused: it takes prvReadUser and prvReadOrganization.
    """
    caller = _read(client, "WhoAmI", _Caller)
    path = f"systemusers({caller.user_id})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()"
    depths: dict[str, str] = {}
    for each in _read(client, path, _RolePrivileges).role_privileges:
        depths[each.privilege_id] = max(
            each.depth, depths.get(each.privilege_id, each.depth), key=_rank
        )
    wanted = frozenset(names)
    found = [
        (table.logical_name, depths[privilege.privilege_id], privilege.name)
        for table in _read(client, TABLES, _Tables).value
        for privilege in table.privileges or ()
        if table.logical_name in wanted
        and privilege.privilege_type == READ
        and privilege.privilege_id in depths
    ]
    reaching = {GLOBAL}
    if any(depth == DEEP for _, depth, _ in found) and _is_root(client, caller):
        reaching.add(DEEP)
    return ReadRights(
        whole=[table for table, depth, _ in found if depth in reaching],
        partial={
            table: f"{DEPTHS.get(depth, f'level {depth}')}, {privilege}"
            for table, depth, privilege in found
            if depth not in reaching
        },
        remedy=REMEDY,
    )


def _rank(depth: str) -> int:
    return [*DEPTHS].index(depth) if depth in DEPTHS else -1


def _is_root(client: ODataClient, caller: _Caller) -> bool:
    """Tell whether all business units are below that of the caller, as far as it can be told."""
    path = f"businessunits({caller.business_unit_id})?$select=_parentbusinessunitid_value"
    try:
        unit = _read(client, path, dict[str, Any])
    except ServiceError:
        return False
    return unit.get("_parentbusinessunitid_value") is None


def _read(client: ODataClient, path: str, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(client.get(path).content.removeprefix(BOM_UTF8), type=kind)
    except DECODE_ERRORS as error:
        msg = f"The service's answer to {path.partition('?')[0]} can't be decoded ({error})."
        raise MetadataError(msg) from error
