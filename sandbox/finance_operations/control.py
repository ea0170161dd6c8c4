"""Control API of Finance & Operations: rows, broken entities, companies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sandbox.data.control import ERRORS, RowControl, common_switches, content
from sandbox.finance_operations import csdl, document
from sandbox.finance_operations.broken import Breakage
from sandbox.finance_operations.writing import FinanceWriter
from sandbox.http.control_route import control_route

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from sandbox.finance_operations.service import Service

# Switches with a closed choice of values.
CHOICES = {"guid_comparison": ("refused", "understood")}


class Control:
    """Control API of the service.

    Args:
        service: The service.

    Attributes:
        choices: Values of the switches with a closed choice.
        rows: Control API of the rows.
    """

    choices = CHOICES

    def __init__(self, service: Service) -> None:
        self.service = service
        self.writer = FinanceWriter(service.store, service.clock)
        self.rows = RowControl(self.writer)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            control_route("tables", "GET", self._tables, ERRORS),
            control_route("tables/{table}", "DELETE", self._drop_table, ERRORS),
            control_route("rows/{table}", "GET", self._rows, ERRORS),
            *self.rows.routes(),
            control_route("joined/{table}/{key:path}", "PATCH", self._update_joined, ERRORS),
            control_route("broken/{table}", "POST", self._break, ERRORS),
            control_route("broken", "DELETE", self._mend, ERRORS),
        ]

    def switches(self) -> dict[str, tuple[object, str]]:
        """Return the switches of the service: object and attribute, by name."""
        service = self.service
        return {
            "default_company": (service.access, "default"),
            "unsortable_tables": (service.pages.sorting, "unsortable_tables"),
            "reached_companies": (service.access, "reached"),
            **common_switches(service.clock, service.switches),
        }

    async def _tables(self, _request: Request) -> object:
        return [
            {
                "name": table.name,
                "set_name": table.set_name,
                "type_name": table.schema_name,
                "key": list(table.key),
                "columns": {c.property_name: c.edm_type for c in csdl.shown(table)},
                "rows": self.service.store.count(table),
            }
            for table in self.service.model.tables
        ]

    async def _drop_table(self, request: Request) -> object:
        table = self.writer.table(request.path_params["table"])
        model = self.service.model
        model.document = document.without(model.document or b"", table.set_name)
        model.replace(table.name)
        return {}

    async def _rows(self, request: Request) -> object:
        return self.service.pages.stored(self.writer.table(request.path_params["table"]))

    async def _update_joined(self, request: Request) -> object:
        table, key = request.path_params["table"], request.path_params["key"]
        return self.writer.update_joined(table, key, await content(request))

    async def _break(self, request: Request) -> object:
        table = self.writer.table(request.path_params["table"])
        breakage = msgspec.json.decode(await request.body(), type=Breakage)
        self.service.pages.breakages.order(table, breakage)
        return {}

    async def _mend(self, _request: Request) -> object:
        self.service.pages.breakages.clear()
        return {}
