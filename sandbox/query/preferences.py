"""Preferences of a request: the `Prefer` header (RFC 7240; OData 4.01 Protocol, section 8.2.8)."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Preferences:
    """The preferences that the service honours.

    Attributes:
        page_size: Value of `odata.maxpagesize`.
        annotations: Patterns of `odata.include-annotations`.
        track_changes: Whether `odata.track-changes` is asked for.
    """

    page_size: int | None = None
    annotations: tuple[str, ...] = ()
    track_changes: bool = False


def parse(header: str) -> Preferences:
    """Parse the value of a `Prefer` header."""
    size = re.search(r"odata\.maxpagesize\s*=\s*(\d+)", header)
    annotations = re.search(r'odata\.include-annotations\s*=\s*"([^"]*)"', header)
    patterns = [part.strip() for part in annotations[1].split(",")] if annotations else []
    return Preferences(
        page_size=int(size[1]) if size else None,
        annotations=tuple(pattern for pattern in patterns if pattern),
        track_changes="odata.track-changes" in header,
    )
