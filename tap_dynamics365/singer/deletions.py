"""Deleted rows as stream maps leave them: the key, and when the row was found to be deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_sdk.helpers._util import utc_now
from singer_sdk.mapper import RemoveRecordTransform
from singer_sdk.singerlib import RecordMessage

from tap_dynamics365.singer.catalog import DELETED_AT

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from singer_sdk.helpers.types import Record
    from singer_sdk.mapper import StreamMap


def messages(
    maps: Iterable[StreamMap], columns: Iterable[str], record: Record
) -> Generator[RecordMessage, None, None]:
    """Make the messages for a deleted row.

    Filters and expressions are for rows that are there. A deleted one passes all filters, for it
    may have passed them before; of its columns only the key is known.

    Args:
        maps: The maps of the stream.
        columns: Those of the table.
        record: The key and the time.

    Yields:
        One for each map that keeps both. They have no version: see `Codec.changes`.
    """
    for stream_map in maps:
        wanted = [*(stream_map.transformed_key_properties or ()), DELETED_AT]
        kept = stream_map.transformed_schema.get("properties", {})
        if isinstance(stream_map, RemoveRecordTransform) or DELETED_AT not in kept:
            continue
        try:
            mapped = stream_map.transform({**dict.fromkeys(columns), **record}) or record
        except Exception:  # noqa: BLE001 - whatever an expression does where a value is missing
            mapped = record
        if mapped.keys() >= set(wanted):
            yield RecordMessage(
                stream=stream_map.stream_alias,
                record={name: mapped[name] for name in wanted},
                time_extracted=utc_now(),
            )
