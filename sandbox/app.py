"""The sandbox as one ASGI application: control API, sign-in host, a service, faults."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.applications import Starlette

from sandbox import control
from sandbox.business_central import addresses as central_addresses
from sandbox.business_central import control as central_control
from sandbox.business_central import filling as central_filling
from sandbox.business_central import service as central_service
from sandbox.dataverse import control as dataverse_control
from sandbox.dataverse import filling as dataverse_filling
from sandbox.dataverse import service as dataverse_service
from sandbox.faults.layer import FaultLayer
from sandbox.faults.orders import Orders
from sandbox.finance_operations import control as finance_control
from sandbox.finance_operations import filling as finance_filling
from sandbox.finance_operations import service as finance_service
from sandbox.identity import routes as identity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.control import Service, ServiceControl
    from sandbox.data.filling import Source
    from sandbox.data.store import Store
    from sandbox.faults.layer import Connections
    from sandbox.identity.tokens import Authority


class ServiceKind(NamedTuple):
    """One of the services that the sandbox imitates.

    Attributes:
        path: Path of the service root.
        source: Where the contents of the store come from.
        service: Makes the service.
        control: Makes the control API of the service.
        title: Name of the service for a user of the sandbox.
        settings: Settings of the tap without which it reads little or nothing of the service.
        note: What a user of the sandbox has to know about the service.
    """

    path: str
    source: Source
    service: Callable[[Store, Authority], Service]
    control: Callable[[Any], ServiceControl]
    title: str = "Dynamics 365"
    settings: Mapping[str, object] = MappingProxyType({})
    note: str = ""


DATAVERSE, FINANCE_OPERATIONS = "dataverse", "finance-operations"
BUSINESS_CENTRAL = "business-central"
KINDS = {
    DATAVERSE: ServiceKind(
        "/api/data/v9.2/",
        dataverse_filling.SOURCE,
        dataverse_service.Service,
        dataverse_control.Control,
    ),
    FINANCE_OPERATIONS: ServiceKind(
        "/data/",
        finance_filling.SOURCE,
        finance_service.Service,
        finance_control.Control,
        title="Dynamics 365 Finance & Operations",
        settings={"cross_company": True, "tables": ["CustomersV3", "SalesOrder*"]},
        note="The user's default company is usmf. Without cross_company, the tap reads only rows "
        "of this company.\nWithout tables, the tap reads nothing, and --discover lists all entity "
        "sets.\n\n",
    ),
    BUSINESS_CENTRAL: ServiceKind(
        central_addresses.PATH,
        central_filling.SOURCE,
        central_service.Service,
        central_control.Control,
        title="Dynamics 365 Business Central",
        note="Requests that name no company read CRONUS Sandbox Ltd. On-premises, the server is at "
        "/BC/api/v2.0/.\n\n",
    ),
}


def create(service: Service, changes: ServiceControl, connections: Connections) -> FaultLayer:
    """Create the application.

    Args:
        service: The service.
        changes: Control API of the service.
        connections: The server's connections, which faults close.
    """
    authority, orders = service.authority, Orders(service.clock.now)
    app = Starlette(
        routes=[
            *control.routes(service, changes, orders),
            *identity.routes(authority),
            *service.routes(),
        ]
    )
    commit = changes.rows.transactions.commit
    return FaultLayer(app, orders, connections, commit, authority.expire)
