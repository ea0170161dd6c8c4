"""The metadata document (`$metadata`) of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_dynamics365.odata import csdl

if TYPE_CHECKING:
    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.odata.edm import Table

CHUNK_BYTES = 64 * 1024


def read_metadata(
    client: ODataClient, root: str = "", *, has_navigations: bool = False
) -> list[Table]:
    """Read the metadata document as a stream, because it has megabytes.

    Args:
        client: The client of the service.
        root: The URL of another root of the same service; empty for the service root.
        has_navigations: Whether navigation properties are needed, also if the service has so many
            that they are not read otherwise.

    Returns:
        The tables of the service.

    Raises:
        MetadataError: The document is not valid.
        ServiceError: The service refused.
    """
    dialect = client.dialect
    return client.read(
        f"{root}{dialect.metadata_path}",
        lambda response: csdl.read(
            response.iter_content(CHUNK_BYTES),
            dialect.metadata_sets,
            is_named_by_set=dialect.is_named_by_set,
            has_navigations=has_navigations or dialect.has_navigations,
            facts=dialect.facts,
        ),
        accept="application/xml",
    )
