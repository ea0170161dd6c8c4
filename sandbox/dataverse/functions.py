"""Functions of the Web API that are not about rows, such as `WhoAmI`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from sandbox.data.model import TableType
from sandbox.dataverse.errors import not_readable
from sandbox.dataverse.response import ORGANIZATION
from sandbox.faults.errors import bad_query, no_such_table

if TYPE_CHECKING:
    from sandbox.dataverse.access import Access
    from sandbox.query.pages import Pages

USER_PRIVILEGES = re.compile(
    r"systemusers\((.*)\)/Microsoft\.Dynamics\.CRM\.RetrieveUserPrivileges(?:\(\))?"
)


def who_am_i(access: Access, root: str) -> bytes:
    """Return the response of `WhoAmI`.

    Args:
        access: What the caller may read.
        root: URL of the service root.
    """
    answer = {
        "@odata.context": f"{root}$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse",
        "BusinessUnitId": access.business_unit,
        "UserId": access.user,
        "OrganizationId": ORGANIZATION,
    }
    return msgspec.json.encode(answer)


def total_record_count(pages: Pages, path: str, given: dict[str, str], root: str) -> bytes:
    """Return the response of `RetrieveTotalRecordCount`.

    Args:
        pages: Counts the rows.
        path: Path below the service root, which has the argument or its alias.
        given: Query options, which have the value of the alias.
        root: URL of the service root.

    Raises:
        ServiceError: A table is unknown, or its rows cannot be counted.
    """
    argument = re.search(r"EntityNames=(@\w+|\[.*\])", path)
    text = argument[1] if argument else "[]"
    try:
        names = msgspec.json.decode(given.get(text, text), type=list[str])
    except msgspec.DecodeError:
        message = f"Syntax error in '{text}'."
        raise bad_query(message) from None
    counts = []
    for name in names:
        table = pages.model.by_name.get(name)
        if table is None or not table.set_name:
            raise no_such_table(name)
        if table.table_type is TableType.VIRTUAL:
            raise not_readable(name)
        counts.append(pages.total(table))
    collection = {"Count": len(names), "IsReadOnly": False, "Keys": names, "Values": counts}
    kind = "Microsoft.Dynamics.CRM.RetrieveTotalRecordCountResponse"
    return msgspec.json.encode(
        {"@odata.context": f"{root}$metadata#{kind}", "EntityRecordCountCollection": collection}
    )
