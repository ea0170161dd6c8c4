"""Columns that the service has and the catalog lacks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tap_dynamics365.errors import Dynamics365Error
from tap_dynamics365.odata.metadata_document import read_metadata
from tap_dynamics365.singer.catalog import is_stream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.singer.table_stream import TableStream

logger = logging.getLogger("tap-dynamics365.new_columns")


def report(client: ODataClient, streams: Iterable[TableStream]) -> bool:
    """Say which tables have columns that the catalog lacks.

    Args:
        client: The client of the service.
        streams: The tables.

    Returns:
        Whether the service told; if not, a later run is to ask again.
    """
    try:
        tables = {table.name: table for table in read_metadata(client)}
    except Dynamics365Error as error:
        logger.debug("New columns can't be told: %s", error.message)
        return False
    for stream in streams:
        columns = tables[stream.name].columns if stream.name in tables else ()
        # A column may have come that is called as one of the tap's own, which is an annotation.
        known = stream.schema["properties"].keys() - stream.annotated
        new = [c.name for c in columns if c.name not in known and not is_stream(c)]
        if new:
            logger.info(
                "The service has columns of %r that the catalog lacks: %s. Make the catalog anew "
                "with --discover to have them too.",
                stream.name,
                ", ".join(new),
            )
    return True
