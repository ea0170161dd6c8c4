"""CSDL documents: the file, and the elements that the documents of all services have."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from sandbox.data.model import Label, Option, OptionSet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
ENUM_TYPE, ENTITY_TYPE, ENTITY_SET = f"{EDM}EnumType", f"{EDM}EntityType", f"{EDM}EntitySet"
_GZIP = b"\x1f\x8b"


def content(path: Path) -> bytes:
    """Return the document in a file.

    Args:
        path: An XML file, optionally compressed with gzip.
    """
    text = path.read_bytes()
    return gzip.decompress(text) if text.startswith(_GZIP) else text


def elements(document: bytes) -> Iterator[ET.Element]:
    """Yield enumerations, entity types and entity sets; each is empty once the next is read."""
    for _, element in ET.iterparse(io.BytesIO(document)):  # noqa: S314  - the user's own document
        if element.tag in {ENUM_TYPE, ENTITY_TYPE, ENTITY_SET}:
            yield element
            # A whole document has 160,000 elements.
            element.clear()


def enumeration(element: ET.Element) -> OptionSet:
    """Return the members of an enumeration, whose numbers need not be unique."""
    options = (
        Option(int(member.get("Value") or place), Label(member.get("Name", ""), ""))
        for place, member in enumerate(element.iterfind(f"{EDM}Member"))
    )
    return OptionSet(element.get("Name", ""), tuple(options))


def key_of(element: ET.Element) -> tuple[str, ...]:
    """Return the names of the properties in the key of an entity type."""
    return tuple(each.get("Name", "") for each in element.iterfind(f"{EDM}Key/{EDM}PropertyRef"))
