"""Deletions: records of deleted rows (tombstones), after stream maps were applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_sdk.helpers._util import utc_now
from singer_sdk.mapper import RemoveRecordTransform
from singer_sdk.singerlib import RecordMessage

from tap_dynamics365.extract.read import DELETED_AT

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from singer_sdk.helpers.types import Record
    from singer_sdk.mapper import StreamMap


def messages(
    maps: Iterable[StreamMap], columns: Iterable[str], record: Record
) -> Generator[RecordMessage, None, None]:
    """Make the messages for a deleted row.

    A deleted row passes every filter, because it may have passed the filter when it existed. Only
    its key is known, so expressions may fail.

    Args:
        maps: The stream maps of the stream.
        columns: The columns of the table.
        record: The key, and the time at which the row was found to be deleted.

    Yields:
        A message for each map that keeps key and time. It carries no table version, like the
        messages of `Encoder.changes`.
    """
    for stream_map in maps:
        wanted = [*(stream_map.transformed_key_properties or ()), DELETED_AT]
        kept = stream_map.transformed_schema.get("properties", {})
        if isinstance(stream_map, RemoveRecordTransform) or DELETED_AT not in kept:
            continue
        try:
            mapped = stream_map.transform({**dict.fromkeys(columns), **record}) or record
        except Exception:  # noqa: BLE001 - an expression may raise anything if values are missing
            mapped = record
        if mapped.keys() >= set(wanted):
            yield RecordMessage(
                stream=stream_map.stream_alias,
                record={name: mapped[name] for name in wanted},
                time_extracted=utc_now(),
            )
