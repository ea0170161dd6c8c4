"""Control API: the routes under /sandbox/ by which tests inspect and change the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sandbox.dataverse.control import CHOICES, Control
from sandbox.faults import control as faults
from sandbox.http.control_route import OrderError, control_route
from sandbox.identity import control as identity

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from sandbox.dataverse.service import Service
    from sandbox.faults.orders import Orders


def routes(service: Service, control: Control, orders: Orders) -> list[Route]:
    """Return the routes of the control API.

    Args:
        service: The Web API.
        control: Control API of the Web API.
        orders: The ordered faults.
    """
    authority = service.authority

    async def configure(request: Request) -> object:
        """Set switches, and return their previous values."""
        order = msgspec.json.decode(await request.body(), type=dict[str, Any])
        places = identity.switches(authority) | control.switches()
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

    return [
        *control.routes(),
        *faults.routes(orders),
        *identity.routes(authority),
        control_route("configure", "POST", configure),
    ]
