"""Registry: the kinds of services, and how to find the kind by URL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tap_dynamics365.services.business_central.kind import BUSINESS_CENTRAL
from tap_dynamics365.services.dataverse.kind import DATAVERSE
from tap_dynamics365.services.finance_operations.kind import FINANCE_OPERATIONS
from tap_dynamics365.services.kind import ExtraStream, ServiceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Any other URL: another OData service, or a Dataverse behind a gateway that changes the path. Of
#: Dataverse it keeps what does no harm elsewhere: error codes and messages, annotations, headers,
#: and keys.
OTHER = ServiceKind(
    name="an OData service",
    matches=lambda url: True,  # noqa: ARG005 - whatever it is
    dialect=replace(
        DATAVERSE.dialect, service="service", metadata_path="$metadata", metadata_version=""
    ),
    replication_keys=DATAVERSE.replication_keys,
    partition=DATAVERSE.partition,
    refine=DATAVERSE.refine,
)
KINDS: Sequence[ServiceKind] = (DATAVERSE, FINANCE_OPERATIONS, BUSINESS_CENTRAL, OTHER)

#: The streams that describe a service, of all services, by name.
EXTRA_STREAMS: Mapping[str, ExtraStream] = {
    name: stream for kind in KINDS for name, stream in kind.extra_streams.items()
}


def kind_of(url: str) -> ServiceKind:
    """Return the kind of the service at a URL.

    Args:
        url: The service root.
    """
    return next(kind for kind in KINDS if kind.matches(url))
