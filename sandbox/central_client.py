"""Client of a sandbox that imitates Business Central.

with running(rows=2_000) as sandbox:
    sandbox.delete("customers", [sandbox.companies()[0]["name"], "…id…"])
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sandbox import client
from sandbox.client import Row, Sandbox, key_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class CentralSandbox(Sandbox):
    """A running sandbox that imitates Business Central.

    A table is named by its entity set. A key is a list of the company's id or name (an empty text
    for sets that are in no company) and the values of the key columns. The company of an inserted
    row is its value `$company`; the id of a parent that the row does not show is `$parent`.
    """

    def api_url(self, path: str, environment: str = "Production") -> str:
        """URL of another API of the environment, such as `ODataV4` or a custom route."""
        before, _, _ = self.service_url.partition("/Production/")
        return f"{before}/{environment}/{path}/"

    @property
    def on_premises_url(self) -> str:
        """URL of the API on the on-premises server."""
        return f"{self.url}/BC/api/v2.0/"

    def calculate(self, table: str, key: Sequence[object], values: Row) -> None:
        """Change calculated columns: the row's time of change and its etag stay as they are."""
        self.ask("PATCH", f"calculated/{quote(table)}/{key_text(key)}", values)

    def companies(self) -> list[Row]:
        """Return id and name of all companies."""
        found: list[Row] = self.ask("GET", "companies")
        return found

    def add_company(self, name: str, *, copy_of: str = "") -> Row:
        """Add a company.

        Args:
            name: Name of the company.
            copy_of: Id or name of the company whose rows it gets, with ids and dates.

        Returns:
            Its id and name.
        """
        found: Row = self.ask("POST", "companies", {"name": name, "copy_of": copy_of})
        return found

    def rename_company(self, company: str, name: str) -> None:
        """Rename a company; its id stays."""
        self.ask("PATCH", f"companies/{quote(company, safe='')}", {"name": name})

    def remove_company(self, company: str) -> None:
        """Remove a company with all its rows."""
        self.ask("DELETE", f"companies/{quote(company, safe='')}")

    def break_row(self, table: str, key: Sequence[object], **how: Any) -> None:
        """Let a row fail: each page that it is on, also by `$expand`, is refused.

        Args:
            table: The entity set.
            key: Key of the row.
            **how: Attributes of `sandbox.business_central.broken.Breakage`.
        """
        self.ask("POST", f"broken/{quote(table)}", {"key": list(key), **how})

    def mend(self) -> None:
        """Let all rows work again."""
        self.ask("DELETE", "broken")

    def gate(self) -> Row:
        """Return how many requests are worked on, and how many wait."""
        found: Row = self.ask("GET", "gate")
        return found

    @contextlib.contextmanager
    def unchanged(self) -> Iterator[None]:
        """Clear the log of requests; at the end, reset faults, switches and broken rows."""
        with super().unchanged():
            try:
                yield
            finally:
                self.mend()


#: Start a sandbox that imitates Business Central; the further arguments are those of `started`.
running = functools.partial(client.started, "business-central", CentralSandbox)
