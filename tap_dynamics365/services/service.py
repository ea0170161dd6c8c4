"""Service: an open connection to one service, and which of the services it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.services.kind import ServiceKind


@dataclass(frozen=True)
class Service:
    """An open connection to one service.

    Attributes:
        kind: Which of the services it is.
        client: Sends requests to it.
    """

    kind: ServiceKind
    client: ODataClient
