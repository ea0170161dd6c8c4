"""The user in the organisation who signs in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.data.store import quoted
from sandbox.identity.person import ACCOUNT, PERSON

if TYPE_CHECKING:
    from sandbox.data.store import Store

NAMES = {
    "fullname": PERSON,
    "firstname": "Ada",
    "lastname": "Sandbox",
    "domainname": ACCOUNT,
    "isdisabled": 0,
}
# Id of the user if the organisation has no users.
NOBODY = "00000000-5a4d-4b0c-8b0c-000000005e12"


def name_first(store: Store) -> str:
    """Give the first user of the organisation the name of the person who signs in.

    Args:
        store: The rows.

    Returns:
        Id of the user.
    """
    table = store.model.by_name.get("systemuser")
    if table is None or not table.set_name or not NAMES.keys() <= table.by_property.keys():
        return NOBODY
    assignments = ", ".join(f"{quoted(name)} = ?" for name in NAMES)
    sql = f"UPDATE systemuser SET {assignments} WHERE rowid = 1"  # noqa: S608  - names of above
    store.change(table, [(sql, list(NAMES.values()))])
    found = store.select("SELECT systemuserid FROM systemuser WHERE rowid = 1")
    return found[0][0].decode() if found else NOBODY
