"""Client of a sandbox that imitates Finance & Operations.

with running(rows=2_000) as sandbox:
    sandbox.delete("CustomersV3", ["usmf", "C-000001"])
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sandbox import client
from sandbox.client import Sandbox, key_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class FinanceSandbox(Sandbox):
    """A running sandbox that imitates Finance & Operations.

    A table is named by its entity set. A key is a list of the values of the key columns, in the
    order of the document; an enumeration's value is the name of a member.
    """

    def update_joined(self, table: str, key: Sequence[object], values: client.Row) -> None:
        """Update columns of a joined table: the row's time of change stays as it is."""
        self.ask("PATCH", f"joined/{quote(table)}/{key_text(key)}", values)

    def break_entity(self, table: str, **how: Any) -> None:
        """Let X++ code of an entity fail: pages with a broken row are answered with 500.

        Args:
            table: The entity set.
            **how: Attributes of `sandbox.finance_operations.broken.Breakage`.
        """
        self.ask("POST", f"broken/{quote(table)}", how)

    @contextlib.contextmanager
    def unchanged(self) -> Iterator[None]:
        """Clear the log of requests; at the end, reset faults, switches and broken entities."""
        with super().unchanged():
            try:
                yield
            finally:
                self.mend()

    def mend(self) -> None:
        """Let the code of all entities work again."""
        self.ask("DELETE", "broken")


#: Start a sandbox that imitates Finance & Operations; the further arguments are those of `started`.
running = functools.partial(client.started, "finance-operations", FinanceSandbox)
