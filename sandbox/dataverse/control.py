"""Control API of Dataverse: rows, transactions, customization, change tracking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sandbox.data.control import ERRORS, RowControl, common_switches
from sandbox.data.writing import Writer
from sandbox.dataverse.customizing import Customizer
from sandbox.dataverse.virtual import BEHAVIORS
from sandbox.http.control_route import control_route

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from sandbox.dataverse.service import Service

# Switches with a closed choice of values.
CHOICES = {"guid_comparison": ("refused", "understood"), "virtual_provider": BEHAVIORS}


class Control:
    """Control API of the Web API.

    Args:
        service: The Web API.

    Attributes:
        choices: Values of the switches with a closed choice.
        rows: Control API of the rows.
    """

    choices = CHOICES

    def __init__(self, service: Service) -> None:
        self.service = service
        self.rows = RowControl(Writer(service.model, service.store, service.clock))
        self.customizer = Customizer(service.model, service.store, service.changes)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            control_route("tables", "GET", self._tables, ERRORS),
            control_route("rows/{table}", "GET", self._rows, ERRORS),
            *self.rows.routes(),
            control_route("columns/{table}/{column}", "POST", self._add_column, ERRORS),
            control_route("columns/{table}/{column}", "PATCH", self._retype_column, ERRORS),
            control_route("columns/{table}/{column}", "DELETE", self._drop_column, ERRORS),
            control_route("labels/{table}/{column}", "PUT", self._relabel_column, ERRORS),
            control_route("options/{table}/{column}", "POST", self._add_option, ERRORS),
            control_route("tables/{table}", "POST", self._add_table, ERRORS),
            control_route("tables/{table}", "PATCH", self._track_changes, ERRORS),
            control_route("tables/{table}", "DELETE", self._drop_table, ERRORS),
            control_route("deltas/expire", "POST", self._expire_deltas, ERRORS),
            control_route("stamps/expire", "POST", self._expire_stamps, ERRORS),
        ]

    def switches(self) -> dict[str, tuple[object, str]]:
        """Return the switches of the service: object and attribute, by name."""
        service, changes = self.service, self.service.changes
        return {
            "read_depths": (service.access, "depths"),
            "user_language": (service.model, "user_language"),
            "delta_token_days": (changes, "days"),
            "stamp_days": (service.metadata_changes, "days"),
            "more_records_without_link": (service.pages, "more_records_without_link"),
            "guid_comparison": (service.pages, "guid_comparison"),
            "unsortable_tables": (service.pages.sorting, "unsortable_tables"),
            "virtual_provider": (service.provider, "behavior"),
            "virtual_provider_status": (service.provider, "status"),
            "delta_links": (changes, "delta_links"),
            "delta_links_beside_annotations": (changes, "delta_links_beside_annotations"),
            **common_switches(service.clock, service.switches),
        }

    async def _tables(self, _request: Request) -> object:
        return [
            {
                "name": table.name,
                "set_name": table.set_name,
                "key": list(table.row_key),
                "primary_id": table.primary_id,
                "columns": {column.property_name: column.edm_type for column in table.columns},
                "readable": table.readable,
                "abstract": table.abstract,
                "change_tracking": table.change_tracking,
                "rows": self.service.pages.total(table),
            }
            for table in self.service.model.tables
            if table.set_name
        ]

    async def _rows(self, request: Request) -> object:
        return self.service.pages.stored(self.rows.writer.table(request.path_params["table"]))

    async def _add_column(self, request: Request) -> object:
        order = msgspec.json.decode(await request.body(), type=dict[str, str])
        self.customizer.add_column(**request.path_params, edm_type=order["type"])
        return {}

    async def _retype_column(self, request: Request) -> object:
        order = msgspec.json.decode(await request.body(), type=dict[str, str])
        self.customizer.retype_column(**request.path_params, edm_type=order["type"])
        return {}

    async def _drop_column(self, request: Request) -> object:
        self.customizer.drop_column(**request.path_params)
        return {}

    async def _relabel_column(self, request: Request) -> object:
        order = msgspec.json.decode(await request.body(), type=dict[str, str])
        self.customizer.relabel_column(**request.path_params, **order)
        return {}

    async def _add_option(self, request: Request) -> object:
        order = msgspec.json.decode(await request.body(), type=dict[str, Any])
        self.customizer.add_option(**request.path_params, **order)
        return {}

    async def _add_table(self, request: Request) -> object:
        self.customizer.add_table(request.path_params["table"])
        return {}

    async def _track_changes(self, request: Request) -> object:
        order = msgspec.json.decode(await request.body(), type=dict[str, bool])
        self.customizer.track_changes(request.path_params["table"], on=order["change_tracking"])
        return {}

    async def _drop_table(self, request: Request) -> object:
        self.customizer.drop_table(request.path_params["table"])
        return {}

    async def _expire_deltas(self, _request: Request) -> object:
        self.service.changes.expire()
        return {}

    async def _expire_stamps(self, _request: Request) -> object:
        self.service.metadata_changes.expire()
        return {}
