"""Control API of the faults: orders, hits, and the log of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sandbox.faults.fault import Fault
from sandbox.http.control_route import control_route

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from sandbox.faults.orders import Orders


def routes(orders: Orders) -> list[Route]:
    """Return the routes of the faults."""

    async def requests(_request: Request) -> object:
        return orders.log

    async def clear_requests(_request: Request) -> object:
        orders.log.clear()
        return {}

    async def order(request: Request) -> object:
        orders.order(msgspec.json.decode(await request.body(), type=Fault))
        return {}

    async def hits(_request: Request) -> object:
        return [each.hits for each in orders.orders]

    async def clear_faults(_request: Request) -> object:
        orders.clear()
        return {}

    return [
        control_route("requests", "GET", requests),
        control_route("requests", "DELETE", clear_requests),
        control_route("faults", "GET", hits),
        control_route("faults", "POST", order),
        control_route("faults", "DELETE", clear_faults),
    ]
