"""The sandbox as one ASGI application: control routes, sign-in host, Web API, faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Route

from sandbox.control import Control
from sandbox.faults.layer import FaultLayer
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
    control = Control(service)
    authority = service.authority
    app = Starlette(
        routes=[
            *control.routes(),
            *identity.routes(authority),
            Route("/api/data/{rest:path}", service.respond, methods=METHODS),
        ]
    )
    commit = control.transactions.commit
    control.layer = FaultLayer(app, service.clock.now, connections, commit, authority.expire)
    return control.layer
