"""The key of a stream, which the catalog may choose, and the key by which a table's rows are read.

Discovery writes a table's own key twice into the catalog: as `key_properties` of the entry, and as
`table-key-properties` of its metadata. A person changes either, Meltano's `metadata:` the second.
The key chosen is the one that messages and targets have. Rows are sorted and told apart by the
table's own all the same: values of a chosen key may be equal or null, and a read that goes on
behind such a row would lose others.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tap_dynamics365.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from singer_sdk.singerlib import CatalogEntry

# https://github.com/singer-io/getting-started/blob/master/docs/DISCOVERY_MODE.md#metadata
METADATA = "table-key-properties"

logger = logging.getLogger("tap-dynamics365.stream_key")


def read(entry: CatalogEntry, metadata: Mapping[str, Any]) -> None:
    """Tell the key chosen from the table's own.

    Args:
        entry: The table's entry. Its `key_properties` become the key of the stream, its metadata
            keeps that of the table.
        metadata: Its metadata as JSON has it.
    """
    in_entry, in_metadata = entry.key_properties or (), metadata.get(METADATA) or ()
    if in_entry and metadata.get(METADATA) == [] and metadata.get("selected"):
        # The SDK itself passes over this metadata. Without a key, rows that are sent twice would
        # be there twice.
        logger.warning(
            "The catalog leaves the key of %r (%s) empty: the table's own is kept, since a row "
            "may be sent more than once.",
            entry.tap_stream_id,
            METADATA,
        )
    if in_metadata and not isinstance(in_metadata, list):
        # No key, which `check` tells where the stream is selected.
        chosen, own = in_metadata, in_entry
    elif in_metadata and not _is_own(entry, in_metadata):
        chosen, own = in_metadata, in_entry
    else:
        chosen, own = in_entry or in_metadata, in_metadata or in_entry
    entry.key_properties = chosen
    entry.metadata.root.table_key_properties = own


def _is_own(entry: CatalogEntry, key: Iterable[Any]) -> bool:
    """Tell whether a key is the table's own: its columns, and no others, are never null."""
    columns = (entry.schema.properties or {}).items()
    never_null = {name for name, column in columns if "null" not in (column.type or ())}
    return never_null == {*map(str, key)}


def is_list_of_names(key: object) -> bool:
    """Tell whether a key is a list of names, or none at all.

    Args:
        key: What the catalog has for a key.
    """
    if key is None:
        return True
    return isinstance(key, (list, tuple)) and all(isinstance(name, str) for name in key)


def check(entry: CatalogEntry) -> None:
    """Raise if the key of a stream is no key.

    Args:
        entry: The stream's entry, as `read` left it.

    Raises:
        CatalogError: The key names no column of the stream, or is no list of names.
    """
    wish = f"The catalog wants the key of {entry.tap_stream_id!r} ({METADATA})"
    key: Any = entry.key_properties
    columns = entry.schema.properties or {}
    if not is_list_of_names(key):
        msg = f"{wish} to be something else than a list of names of columns: write it as a list."
        raise CatalogError(msg)
    for name in key or ():
        if name not in columns:
            msg = (
                f"{wish} to have {name!r}, which is no column of it: choose another column, or "
                "remove the key to keep the table's own."
            )
            raise CatalogError(msg)


def of_rows(entry: CatalogEntry) -> tuple[str, ...]:
    """Name the columns by which the service tells the rows of a table apart.

    Args:
        entry: The table's entry.

    Returns:
        The table's own key; that of the stream where the catalog knows no other.
    """
    # Not `root`, which adds an entry to metadata that has none.
    own = getattr(entry.metadata.get(()), "table_key_properties", None)
    return tuple(own or entry.key_properties or ())
