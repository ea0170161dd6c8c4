"""The sandbox as one ASGI application: control API, sign-in host, Web API, faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Route

from sandbox import control
from sandbox.dataverse.control import Control
from sandbox.faults.layer import FaultLayer
from sandbox.faults.orders import Orders
from sandbox.identity import routes as identity

if TYPE_CHECKING:
    from sandbox.dataverse.service import Service
    from sandbox.faults.layer import Connections

METHODS = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"]


def create(service: Service, connections: Connections) -> FaultLayer:
    """Create the application.

    Args:
        service: The Web API.
        connections: The server's connections, which faults close.
    """
    authority, orders = service.authority, Orders(service.clock.now)
    changes = Control(service)
    app = Starlette(
        routes=[
            *control.routes(service, changes, orders),
            *identity.routes(authority),
            Route("/api/data/{rest:path}", service.respond, methods=METHODS),
        ]
    )
    commit = changes.transactions.commit
    return FaultLayer(app, orders, connections, commit, authority.expire)
