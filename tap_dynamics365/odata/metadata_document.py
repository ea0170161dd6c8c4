"""The service's `$metadata`, fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_dynamics365.odata import csdl

if TYPE_CHECKING:
    from tap_dynamics365.odata.client import Service
    from tap_dynamics365.odata.csdl import Table

CHUNK_BYTES = 64 * 1024


def read_metadata(service: Service) -> list[Table]:
    """Read `$metadata` while it arrives: it has megabytes.

    Args:
        service: The service.

    Returns:
        Its tables.

    Raises:
        MetadataError: The description makes no sense.
        ServiceError: The service refused.
    """
    # Only Dataverse keeps descriptions back until they are asked for.
    path = "$metadata?annotations=true" if service.is_dataverse else "$metadata"
    return service.read(
        path,
        lambda response: csdl.read(response.iter_content(CHUNK_BYTES)),
        accept="application/xml",
    )
