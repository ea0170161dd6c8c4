"""Control API of Business Central: rows, calculated columns, companies, broken rows."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import msgspec

from sandbox.business_central import document
from sandbox.business_central.broken import Breakage
from sandbox.business_central.companies import Company
from sandbox.business_central.writing import CentralWriter
from sandbox.data.control import ERRORS, RowControl, common_switches, content
from sandbox.http.control_route import OrderError, control_route

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from sandbox.business_central.service import Service

# Switches with a closed choice of values.
CHOICES = {
    "guid_comparison": ("refused", "understood"),
    "oversized_page": ("cut", "refused"),
    "permission_status": (400, 403, 500),
}


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
        self.writer = CentralWriter(service.store, service.clock, service.companies)
        self.rows = RowControl(self.writer)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            control_route("tables", "GET", self._tables, ERRORS),
            control_route("tables/{table}", "DELETE", self._drop, ERRORS),
            control_route("columns/{table}/{column}", "DELETE", self._drop, ERRORS),
            control_route("rows/{table}", "GET", self._rows, ERRORS),
            *self.rows.routes(),
            control_route("calculated/{table}/{key:path}", "PATCH", self._calculate, ERRORS),
            control_route("companies", "GET", self._companies, ERRORS),
            control_route("companies", "POST", self._add_company, ERRORS),
            control_route("companies/{name:path}", "PATCH", self._rename_company, ERRORS),
            control_route("companies/{name:path}", "DELETE", self._remove_company, ERRORS),
            control_route("broken/{table}", "POST", self._break, ERRORS),
            control_route("broken", "DELETE", self._mend, ERRORS),
            control_route("gate", "GET", self._gate),
        ]

    def switches(self) -> dict[str, tuple[object, str]]:
        """Return the switches of the service: object and attribute, by name."""
        service = self.service
        return {
            "default_company": (service.companies, "default"),
            "closed_companies": (service.companies, "closed"),
            "parallel_requests": (service.gate, "parallel"),
            "queued_requests": (service.gate, "queued"),
            "requests_in_window": (service.gate, "most"),
            "longest_wait": (service.gate, "longest_wait"),
            "unsortable_tables": (service.pages.sorting, "unsortable_tables"),
            "replica_lags": (service.replica, "lags"),
            **common_switches(service.clock, service.switches),
        }

    async def _tables(self, _request: Request) -> object:
        model = self.service.model
        return [
            {
                "name": table.name,
                "set_name": table.set_name,
                "type_name": table.schema_name,
                "api": model.api_of(table).path,
                "key": list(model.shape(table).key),
                "has_company": model.shape(table).has_company,
                "columns": {c.property_name: c.edm_type for c in model.shape(table).shown},
                "rows": self.service.store.count(table),
            }
            for table in model.tables
        ]

    async def _drop(self, request: Request) -> object:
        """Remove a set or a column; the rows stay as they are in the store."""
        table = self.writer.table(request.path_params["table"])
        column = request.path_params.get("column", "")
        if column and (column not in table.by_property or column in table.row_key):
            message = f"{table.name} has no column {column!r} that can be removed."
            raise OrderError(message)
        model = self.service.model
        for api in model.apis:
            if table.name in api.sets:
                gone = (table.name, column, table.schema_name)
                api.document = document.without(api.document, *gone)
        model.drop(table, column)
        return {}

    async def _rows(self, request: Request) -> object:
        shape = self.service.model.shape(self.writer.table(request.path_params["table"]))
        return self.service.pages.stored(self.service.store, shape)

    async def _calculate(self, request: Request) -> object:
        table, key = request.path_params["table"], request.path_params["key"]
        return self.writer.calculate(table, key, await content(request))

    async def _companies(self, _request: Request) -> object:
        return [each._asdict() for each in self.service.companies.all]

    async def _add_company(self, request: Request) -> object:
        order = await content(request)
        company = Company(order.get("id") or str(uuid.uuid4()), order["name"])
        self.writer.add_company(company, order.get("copy_of", ""))
        return company._asdict()

    async def _rename_company(self, request: Request) -> object:
        order = await content(request)
        self.writer.rename_company(request.path_params["name"], order["name"])
        return {}

    async def _remove_company(self, request: Request) -> object:
        self.writer.remove_company(request.path_params["name"])
        return {}

    async def _break(self, request: Request) -> object:
        table = self.writer.table(request.path_params["table"])
        breakage = msgspec.json.decode(await request.body(), type=Breakage)
        company = self.writer.company_id(breakage.key[0])
        self.service.breakages.order(table, company, breakage)
        return {}

    async def _mend(self, _request: Request) -> object:
        self.service.breakages.clear()
        return {}

    async def _gate(self, _request: Request) -> object:
        return {"working": self.service.gate.working, "waiting": self.service.gate.waiting}
