"""Control API of the rows: insert, update, delete, transactions; the same for every service."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from sandbox.data.transactions import TableChanges, Transactions
from sandbox.faults.errors import ServiceError
from sandbox.http.control_route import control_route

if TYPE_CHECKING:
    from dataclasses import Field

    from starlette.requests import Request
    from starlette.routing import Route

    from sandbox.data.clock import Clock
    from sandbox.data.writing import Writer

ERRORS = (ServiceError, sqlite3.Error)


async def content(request: Request) -> Any:  # noqa: ANN401  - JSON
    """Return the JSON body of a request, with exact decimals."""
    return json.loads(await request.body(), parse_float=Decimal)


def common_switches(clock: Clock, switches: Switches) -> dict[str, tuple[object, str]]:
    """Return the switches that every service has, and its own: object and attribute, by name.

    Args:
        clock: Clock of the service.
        switches: The service's own switches.
    """
    return {
        "clock": (clock, "stopped_at"),
        "clock_offset": (clock, "offset"),
        **{each.name: (switches, each.name) for each in fields(switches)},
    }


class Switches(Protocol):
    """A dataclass whose fields are switches."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


class RowControl:
    """Control API of the rows.

    Args:
        writer: Makes the changes.
    """

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.transactions = Transactions(writer)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            control_route("rows/{table}", "POST", self._insert, ERRORS),
            control_route("rows/{table}/{key:path}", "PATCH", self._update, ERRORS),
            control_route("rows/{table}/{key:path}", "DELETE", self._delete, ERRORS),
            control_route("transactions/{table}", "POST", self._begin, ERRORS),
            control_route("transactions/{number:int}", "PUT", self._commit, ERRORS),
            control_route("transactions/{number:int}", "DELETE", self._roll_back, ERRORS),
        ]

    async def _insert(self, request: Request) -> object:
        return self.writer.insert(request.path_params["table"], await content(request))

    async def _update(self, request: Request) -> object:
        return self.writer.update(**_row(request), values=await content(request))

    async def _delete(self, request: Request) -> object:
        return self.writer.delete(**_row(request))

    async def _begin(self, request: Request) -> object:
        order = TableChanges(**await content(request))
        number, keys = self.transactions.begin(request.path_params["table"], order)
        return {"transaction": number, "keys": keys}

    async def _commit(self, request: Request) -> object:
        self.transactions.commit(request.path_params["number"])
        return {}

    async def _roll_back(self, request: Request) -> object:
        self.transactions.roll_back(request.path_params["number"])
        return {}


def _row(request: Request) -> dict[str, str]:
    """Return the table and the key of a row that a request names."""
    return {"name": request.path_params["table"], "key": request.path_params["key"]}
