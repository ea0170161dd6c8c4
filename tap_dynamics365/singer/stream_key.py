"""Stream key: the key that the catalog chooses for a stream, and the table's own key.

Discovery writes the table's own key twice into the catalog: as `key_properties` of the entry, and
as `table-key-properties` of its metadata. A user may change either one; Meltano's `metadata:`
changes the second. Messages and targets use the chosen key. Rows are still sorted and identified by
the table's own key: values of a chosen key may be equal or null, and a read that continues after
such a row would lose rows.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tap_dynamics365.errors import CatalogError
from tap_dynamics365.odata import enumeration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from singer_sdk.singerlib import CatalogEntry

# https://github.com/singer-io/getting-started/blob/master/docs/DISCOVERY_MODE.md#metadata
METADATA = "table-key-properties"

logger = logging.getLogger("tap-dynamics365.stream_key")


def read(entry: CatalogEntry, metadata: Mapping[str, Any]) -> None:
    """Distinguish the chosen key from the table's own key.

    Args:
        entry: The catalog entry of the table. Its `key_properties` become the key of the stream,
            and its metadata holds the table's own key.
        metadata: The metadata of the entry, decoded from JSON.
    """
    in_entry, in_metadata = entry.key_properties or (), metadata.get(METADATA) or ()
    if in_entry and metadata.get(METADATA) == [] and metadata.get("selected"):
        # The SDK ignores this metadata. Without a key, the target would duplicate rows that are
        # sent twice.
        logger.warning(
            "The catalog leaves the key of %r (%s) empty. The table's own key is kept, because a "
            "row may be sent more than once.",
            entry.tap_stream_id,
            METADATA,
        )
    if in_metadata and not isinstance(in_metadata, list):
        # Not a key. `check` reports it if the stream is selected.
        chosen, own = in_metadata, in_entry
    elif in_metadata and _is_chosen(entry, in_metadata, in_entry):
        chosen, own = in_metadata, in_entry
    else:
        chosen, own = in_entry or in_metadata, in_metadata or in_entry
    entry.key_properties = chosen
    entry.metadata.root.table_key_properties = own


def _is_chosen(entry: CatalogEntry, in_metadata: Sequence[Any], in_entry: Sequence[Any]) -> bool:
    """Tell whether a user wrote the key in the metadata.

    If both keys may be the table's own, they differ in enumerations. Then the longer one is taken
    for it, because a key without one of its columns does not identify a row.
    """
    if not _is_own(entry, in_metadata):
        return True
    return len(in_entry) > len(in_metadata) and _is_own(entry, in_entry)


def _is_own(entry: CatalogEntry, key: Iterable[Any]) -> bool:
    """Tell whether a key is the table's own.

    Discovery makes exactly the columns of the key not nullable, enumerations apart.
    """
    columns = entry.schema.properties or {}
    never_null = {name for name, column in columns.items() if "null" not in (column.type or ())}
    names = {*map(str, key)}
    others = names - never_null
    return never_null <= names and all(
        name in columns and enumeration.name(columns[name].description) for name in others
    )


def is_list_of_names(key: object) -> bool:
    """Tell whether a key is a list of names, or None.

    Args:
        key: The value in the catalog.
    """
    if key is None:
        return True
    return isinstance(key, (list, tuple)) and all(isinstance(name, str) for name in key)


def check(entry: CatalogEntry) -> None:
    """Raise if the key of a stream is not valid.

    Args:
        entry: The catalog entry of the stream, after `read`.

    Raises:
        CatalogError: The key is not a list of names, or names a column that the stream lacks.
    """
    wish = f"The catalog wants the key of {entry.tap_stream_id!r} ({METADATA})"
    key: Any = entry.key_properties
    columns = entry.schema.properties or {}
    if not is_list_of_names(key):
        msg = f"{wish} to be something other than a list of column names: write it as a list."
        raise CatalogError(msg)
    for name in key or ():
        if name not in columns:
            msg = (
                f"{wish} to have {name!r}, which is not a column of it: choose another column, or "
                "remove the key to keep the table's own."
            )
            raise CatalogError(msg)


def row_key(entry: CatalogEntry) -> tuple[str, ...]:
    """Return the columns by which the service identifies the rows of a table.

    Args:
        entry: The catalog entry of the table.

    Returns:
        The table's own key; the key of the stream if the catalog has no other.
    """
    # `root` would add an entry to metadata that has none.
    own = getattr(entry.metadata.get(()), "table_key_properties", None)
    return tuple(own or entry.key_properties or ())
