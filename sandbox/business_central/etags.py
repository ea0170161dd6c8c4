"""SQL functions of Business Central: the `@odata.etag` of a row."""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

ETAG = "central_etag"


def etag(writes: int, key: str) -> str:
    """Return the etag of a row without `W/` and quotes: a counter and a digest.

    Args:
        writes: Version number of the last write to the row.
        key: Key of the row.
    """
    number = zlib.crc32(f"{key}/{writes}".encode())
    digest = base64.b64encode(f"{number:016d}".encode()).decode()
    return base64.b64encode(f"19;{writes % 2**32};{digest};".encode()).decode()


def prepare(connection: sqlite3.Connection) -> None:
    """Add the functions to a connection."""
    connection.create_function(ETAG, 2, etag, deterministic=True)
