"""Control API: the routes under /sandbox/ by which tests inspect and change the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from sandbox.faults import control as faults
from sandbox.http.control_route import OrderError, control_route
from sandbox.identity import control as identity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.routing import Route

    from sandbox.data.clock import Clock
    from sandbox.data.control import RowControl
    from sandbox.faults.orders import Orders
    from sandbox.identity.tokens import Authority


class Service(Protocol):
    """A service that the sandbox imitates."""

    @property
    def authority(self) -> Authority:
        """The authority that issues the service's access tokens."""

    @property
    def clock(self) -> Clock:
        """The service's clock."""

    def routes(self) -> list[Route]:
        """Return the routes of the service."""

    def close(self) -> None:
        """Shut down the service."""


class ServiceControl(Protocol):
    """The part of the control API that belongs to a service."""

    @property
    def choices(self) -> Mapping[str, Sequence[object]]:
        """Values of the switches with a closed choice."""

    @property
    def rows(self) -> RowControl:
        """Control API of the rows."""

    def routes(self) -> list[Route]:
        """Return the routes."""

    def switches(self) -> dict[str, tuple[object, str]]:
        """Return the switches: object and attribute, by name."""


def routes(service: Service, control: ServiceControl, orders: Orders) -> list[Route]:
    """Return the routes of the control API.

    Args:
        service: The service.
        control: Control API of the service.
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
            if value not in control.choices.get(name, (value,)):
                message = f"{name} is one of {control.choices[name]}, not {value!r}."
                raise OrderError(message)
        before = {name: getattr(*places[name]) for name in order}
        for name, value in order.items():
            place, attribute = places[name]
            setattr(place, attribute, value)
        return before

    async def configuration(_request: Request) -> object:
        """Return the values of all switches."""
        places = identity.switches(authority) | control.switches()
        return {name: getattr(*place) for name, place in places.items()}

    return [
        *control.routes(),
        *faults.routes(orders),
        *identity.routes(authority),
        control_route("configure", "GET", configuration),
        control_route("configure", "POST", configure),
    ]
