"""gzip of answers."""

from __future__ import annotations

import gzip

SMALLEST_COMPRESSED = 1_000


def compressed(body: bytes) -> bytes:
    """A body in gzip, quickly rather than small."""
    return gzip.compress(body, compresslevel=1, mtime=0)
