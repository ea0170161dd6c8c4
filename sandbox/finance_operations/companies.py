"""Companies, and the user by whose roles and default company an app reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.data.store import quoted
from sandbox.finance_operations.csdl import COMPANY
from sandbox.identity.person import ACCOUNT, PERSON
from sandbox.identity.tokens import CLIENT, PUBLIC_CLIENT

if TYPE_CHECKING:
    from sandbox.data.model import Table
    from sandbox.data.store import Store

NAMES = {
    "usmf": "Contoso Sandbox USA",
    "ussi": "Contoso Sandbox Consulting",
    "demf": "Contoso Sandbox Deutschland GmbH",
    "dat": "Company accounts data",
    "gbsi": "Contoso Sandbox UK",
}
DEFAULT = "usmf"
# The roles of the user don't reach the last company.
REACHED = ("usmf", "ussi", "demf", "dat")
USER = "ada.sandbox"

#: First rows of the sets that tell of companies and users, by set.
KNOWN_ROWS: dict[str, list[dict[str, Any]]] = {
    "Companies": [
        {"DataArea": company, "Name": name, "KnownAs": name, "LanguageId": "en-US"}
        for company, name in NAMES.items()
    ],
    "LegalEntities": [
        {"LegalEntityId": company.upper(), "Name": name, "CompanyName": name}
        for company, name in NAMES.items()
    ],
    "SystemUsers": [
        {
            "UserID": USER,
            "UserName": PERSON,
            "PersonName": PERSON,
            "Alias": ACCOUNT,
            "Email": ACCOUNT,
            "Company": DEFAULT,
            "Enabled": 1,
        },
        {"UserID": "Admin", "UserName": "Admin", "Company": "dat", "Enabled": 1},
        {"UserID": "guest", "UserName": "Guest", "Company": "ussi", "Enabled": 0},
    ],
    "SysAADClients": [
        {"AADClientId": CLIENT, "Name": "Sandbox app", "UserId": USER},
        {"AADClientId": PUBLIC_CLIENT, "Name": "Sandbox public app", "UserId": USER},
    ],
}


class Access:
    """The companies that the user reads.

    Args:
        store: The rows.

    Attributes:
        reached: Companies that the user's roles reach.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._default = DEFAULT
        self.reached = list(REACHED)

    @property
    def default(self) -> str:
        """The user's default company, which `SystemUsers` shows."""
        return self._default

    @default.setter
    def default(self, company: str) -> None:
        """The user's default company, which `SystemUsers` shows."""
        self._default = company
        table = self._store.model.by_name.get("SystemUsers")
        if table and {"UserID", "Company"} <= table.by_property.keys():
            sql = f"UPDATE {quoted(table.name)} SET Company = ? WHERE UserID = ?"  # noqa: S608  - name of the model
            self._store.change(table, [(sql, [company, USER])])

    def condition(self, table: Table, *, cross_company: bool) -> tuple[str, list[Any]]:
        """Return the SQL condition for the rows of a table that the user reads.

        Args:
            table: The table. All rows of a table without a company are read.
            cross_company: Whether the request has the option `cross-company=true`.

        Returns:
            The condition and its parameters.
        """
        if COMPANY not in table.by_property:
            return "1", []
        companies = self.reached if cross_company else [self._default]
        return f"{quoted(COMPANY)} IN ({', '.join('?' * len(companies))})", [*companies]
