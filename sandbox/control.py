"""Control API: the routes under /sandbox/ by which tests inspect and change the sandbox."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from sandbox.data.transactions import Order, Transactions
from sandbox.data.writing import Writer
from sandbox.dataverse.customizing import Customizer
from sandbox.dataverse.virtual import BEHAVIORS
from sandbox.faults.errors import ServiceError
from sandbox.faults.fault import Fault
from sandbox.identity.assertions import Federation
from sandbox.identity.tokens import CLIENT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from sandbox.dataverse.service import Service
    from sandbox.faults.layer import FaultLayer


# Switches with a closed choice of values.
CHOICES = {"guid_comparison": ("refused", "understood"), "virtual_provider": BEHAVIORS}


class OrderError(Exception):
    """A control request that cannot be executed."""


class Control:
    """Control API of a running sandbox.

    Args:
        service: The Web API.

    Attributes:
        layer: The layer of faults, which is set once it is created around the application.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.writer = Writer(service.model, service.store, service.clock)
        self.transactions = Transactions(self.writer)
        self.customizer = Customizer(service.model, service.store, service.changes)
        self.layer: FaultLayer | None = None

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            self._route("/sandbox/tables", "GET", self._tables),
            self._route("/sandbox/rows/{table}", "GET", self._rows),
            self._route("/sandbox/rows/{table}", "POST", self._insert),
            self._route("/sandbox/rows/{table}/{key}", "PATCH", self._update),
            self._route("/sandbox/rows/{table}/{key}", "DELETE", self._delete),
            self._route("/sandbox/transactions/{table}", "POST", self._begin),
            self._route("/sandbox/transactions/{number:int}", "PUT", self._commit),
            self._route("/sandbox/transactions/{number:int}", "DELETE", self._roll_back),
            self._route("/sandbox/columns/{table}/{column}", "POST", self._add_column),
            self._route("/sandbox/columns/{table}/{column}", "PATCH", self._retype_column),
            self._route("/sandbox/columns/{table}/{column}", "DELETE", self._drop_column),
            self._route("/sandbox/labels/{table}/{column}", "PUT", self._relabel_column),
            self._route("/sandbox/options/{table}/{column}", "POST", self._add_option),
            self._route("/sandbox/tables/{table}", "POST", self._add_table),
            self._route("/sandbox/tables/{table}", "PATCH", self._track_changes),
            self._route("/sandbox/tables/{table}", "DELETE", self._drop_table),
            self._route("/sandbox/requests", "GET", self._requests),
            self._route("/sandbox/requests", "DELETE", self._clear_requests),
            self._route("/sandbox/faults", "GET", self._hits),
            self._route("/sandbox/faults", "POST", self._fault),
            self._route("/sandbox/faults", "DELETE", self._clear_faults),
            self._route("/sandbox/tokens/expire", "POST", self._expire),
            self._route("/sandbox/tokens/revoke", "POST", self._revoke),
            self._route("/sandbox/tokens", "GET", self._issued),
            self._route("/sandbox/certificates", "POST", self._register),
            self._route("/sandbox/federations", "POST", self._trust),
            self._route("/sandbox/devices", "POST", self._decide),
            self._route("/sandbox/deltas/expire", "POST", self._expire_deltas),
            self._route("/sandbox/stamps/expire", "POST", self._expire_stamps),
            self._route("/sandbox/configure", "POST", self._configure),
        ]

    def _route(self, path: str, method: str, work: Callable[[Request], Awaitable[object]]) -> Route:
        async def answer(request: Request) -> Response:
            try:
                result = await work(request)
            except (OrderError, ServiceError, sqlite3.Error, ValueError) as error:
                body = msgspec.json.encode({"error": str(error)})
                return Response(body, 400, media_type="application/json")
            if isinstance(result, bytes):
                return Response(result, media_type="application/json")
            return Response(msgspec.json.encode(result), media_type="application/json")

        return Route(path, answer, methods=[method])

    @property
    def _faults(self) -> FaultLayer:
        if self.layer is None:
            message = "There is no layer of faults."
            raise OrderError(message)
        return self.layer

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
                "rows": self.service.pages.count(table, ""),
            }
            for table in self.service.model.tables
            if table.set_name
        ]

    async def _rows(self, request: Request) -> object:
        return self.service.pages.stored(self.writer.table(request.path_params["table"]))

    async def _insert(self, request: Request) -> object:
        rows = json.loads(await request.body(), parse_float=Decimal)
        return self.writer.insert(request.path_params["table"], rows)

    async def _update(self, request: Request) -> object:
        values = json.loads(await request.body(), parse_float=Decimal)
        return self.writer.update(request.path_params["table"], request.path_params["key"], values)

    async def _delete(self, request: Request) -> object:
        return self.writer.delete(request.path_params["table"], request.path_params["key"])

    async def _begin(self, request: Request) -> object:
        order = Order(**json.loads(await request.body(), parse_float=Decimal))
        number, keys = self.transactions.begin(request.path_params["table"], order)
        return {"transaction": number, "keys": keys}

    async def _commit(self, request: Request) -> object:
        self.transactions.commit(request.path_params["number"])
        return {}

    async def _roll_back(self, request: Request) -> object:
        self.transactions.roll_back(request.path_params["number"])
        return {}

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

    async def _requests(self, _request: Request) -> object:
        return self._faults.log

    async def _clear_requests(self, _request: Request) -> object:
        self._faults.log.clear()
        return {}

    async def _fault(self, request: Request) -> object:
        self._faults.order(msgspec.json.decode(await request.body(), type=Fault))
        return {}

    async def _hits(self, _request: Request) -> object:
        return [order.hits for order in self._faults.orders]

    async def _clear_faults(self, _request: Request) -> object:
        self._faults.orders.clear()
        return {}

    async def _expire(self, _request: Request) -> object:
        self.service.authority.expire()
        return {}

    async def _revoke(self, request: Request) -> object:
        order = msgspec.json.decode(await request.body(), type=dict[str, str])
        self.service.authority.revoke(order["refresh_token"], order.get("reason", "revoked"))
        return {}

    async def _issued(self, _request: Request) -> object:
        authority = self.service.authority
        return [*authority.issued, *authority.sign_ins.issued]

    async def _register(self, request: Request) -> object:
        order = msgspec.json.decode(await request.body(), type=dict[str, str])
        assertions = self.service.authority.assertions
        return assertions.register(order.get("client_id", CLIENT), order["certificate"])

    async def _trust(self, request: Request) -> object:
        order = msgspec.json.decode(await request.body(), type=Federation)
        self.service.authority.assertions.trust(order)
        return {}

    async def _decide(self, request: Request) -> object:
        order = msgspec.json.decode(await request.body(), type=dict[str, Any])
        device = self.service.authority.sign_ins.waiting(order["user_code"])
        if device is None:
            message = "No device waits for this code."
            raise OrderError(message)
        device.approved = order["approved"]
        return {}

    async def _expire_deltas(self, _request: Request) -> object:
        self.service.changes.expire()
        return {}

    async def _expire_stamps(self, _request: Request) -> object:
        self.service.metadata_changes.expire()
        return {}

    async def _configure(self, request: Request) -> object:
        order = msgspec.json.decode(await request.body(), type=dict[str, Any])
        authority, switches = self.service.authority, self.service.switches
        changes = self.service.changes
        places: dict[str, tuple[object, str]] = {
            "token_lifetime": (authority, "lifetime"),
            "single_use_refresh_tokens": (authority, "single_use"),
            "resource": (authority, "resource"),
            "device_code_lifetime": (authority.sign_ins, "device_code_lifetime"),
            "device_code_interval": (authority.sign_ins, "device_code_interval"),
            "user_language": (self.service.model, "user_language"),
            "clock": (self.service.clock, "stopped_at"),
            "clock_offset": (self.service.clock, "offset"),
            "delta_token_days": (changes, "days"),
            "stamp_days": (self.service.metadata_changes, "days"),
            "more_records_without_link": (self.service.pages, "more_records_without_link"),
            "guid_comparison": (self.service.pages, "guid_comparison"),
            "virtual_provider": (self.service.provider, "behavior"),
            "virtual_provider_status": (self.service.provider, "status"),
            "delta_links": (changes, "delta_links"),
            "delta_links_beside_annotations": (changes, "delta_links_beside_annotations"),
            **{each.name: (switches, each.name) for each in fields(switches)},
        }
        if unknown := set(order) - set(places):
            message = f"Unknown switches: {sorted(unknown)}; there are {sorted(places)}."
            raise OrderError(message)
        for name, value in order.items():
            if name in CHOICES and value not in CHOICES[name]:
                message = f"{name} is one of {CHOICES[name]}, not {value!r}."
                raise OrderError(message)
        before = {name: getattr(*places[name]) for name in order}
        for name, value in order.items():
            place, attribute = places[name]
            setattr(place, attribute, value)
        return before
