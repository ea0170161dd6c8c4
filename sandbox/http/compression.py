"""Compression of responses: gzip."""

from __future__ import annotations

import gzip

SMALLEST_COMPRESSED = 1_000


def compressed(body: bytes) -> bytes:
    """Compress a body quickly rather than well."""
    return gzip.compress(body, compresslevel=1, mtime=0)
