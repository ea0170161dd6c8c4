"""Registry: which service a URL leads to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_dynamics365.services.dataverse.kind import DATAVERSE
from tap_dynamics365.services.kind import ExtraStream, ServiceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Any other OData service.
OTHER = ServiceKind(
    name="OData",
    matches=lambda url: True,  # noqa: ARG005 - any URL matches
    # Most services of Microsoft have columns of these names.
    replication_keys=DATAVERSE.replication_keys,
    partition=DATAVERSE.partition,
)
KINDS: Sequence[ServiceKind] = (DATAVERSE, OTHER)

#: The streams that describe a service, of all services, by name.
EXTRA_STREAMS: Mapping[str, ExtraStream] = {
    name: stream for kind in KINDS for name, stream in kind.extra_streams.items()
}


def kind_of(url: str) -> ServiceKind:
    """Tell which service a URL leads to.

    Args:
        url: The service root.
    """
    return next(kind for kind in KINDS if kind.matches(url))
