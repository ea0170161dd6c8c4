"""New columns: columns that the service has and the catalog does not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tap_dynamics365.errors import Dynamics365Error
from tap_dynamics365.odata.json_schema import is_stream
from tap_dynamics365.odata.metadata_document import read_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.singer.table_stream import TableStream

logger = logging.getLogger("tap-dynamics365.new_columns")


def report(client: ODataClient, streams: Iterable[TableStream]) -> bool:
    """Log which tables have columns that the catalog does not have.

    Args:
        client: The client of the service.
        streams: The streams of the tables.

    Returns:
        Whether the service sent its description. If not, a later run has to try again.
    """
    try:
        tables = {table.name: table for table in read_metadata(client)}
    except Dynamics365Error as error:
        logger.debug("Can't check for new columns: %s", error.message)
        return False
    for stream in streams:
        columns = tables[stream.name].columns if stream.name in tables else ()
        # A new column may have the name of a column that the tap makes of an annotation.
        known = stream.schema["properties"].keys() - stream.annotated
        new = [c.name for c in columns if c.name not in known and not is_stream(c)]
        if new:
            logger.info(
                "The service has columns of %r that the catalog lacks: %s. To extract "
                "them, run --discover again.",
                stream.name,
                ", ".join(new),
            )
    return True
