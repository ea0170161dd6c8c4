"""Encoder: turns the bytes of a page into RECORD messages.

This is the hot path, so speed wins over simplicity. Rows are never decoded into Python values. For
each stream, a msgspec type is compiled whose fields are the selected columns and whose values stay
the JSON text that the service wrote. Columns that are not selected are skipped, numbers keep every
digit, and encoding copies text.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Raw, UnsetType
from singer_sdk.contrib.msgspec import enc_hook

from tap_dynamics365.errors import ServiceError
from tap_dynamics365.extract.page import NO_KEYS, Page, Piece
from tap_dynamics365.extract.read import DELETED_AT
from tap_dynamics365.odata import enumeration, row_types
from tap_dynamics365.odata.delta import DELETED, Entry
from tap_dynamics365.odata.page import reading
from tap_dynamics365.odata.plain_json import Digits, number, without_annotations
from tap_dynamics365.odata.row_types import NULL
from tap_dynamics365.services.conversion import without_null
from tap_dynamics365.singer.row_reader import Reader
from tap_dynamics365.singer.type_check import SchemaDriftCheck

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tap_dynamics365.extract.page import Keys
    from tap_dynamics365.odata.page import RawPage
    from tap_dynamics365.services.conversion import Conversion
    from tap_dynamics365.singer.row_reader import Plan

# A page is written in pieces of this many rows. Signals are handled between two pieces.
ROWS_PER_PIECE = 250
# How many rows of a page are checked for other types, spread evenly over the page.
SAMPLE = 200
# Rows that are decoded together. Their values fit into the part of the CPU cache that a busy
# machine leaves. With several times as many, a row took up to twice the time.
ROWS_PER_BATCH = 50

KEY_MISSING = (
    "The service sent a row of {stream!r} without a value of {column!r}, which is part of the key. "
    "If the table has another key now, run --discover again. Otherwise run the tap again."
)

# The texts that OData sends for numbers that JSON can't express ("OData JSON Format Version 4.0",
# section 7.1). They become null, because the schema allows only numbers and null.
NOT_NUMBERS = {b'"NaN"', b'"INF"', b'"-INF"'}
EMPTY = Raw(b'""')


class Encoder:
    """Turns pages of one table into RECORD messages.

    Args:
        stream: The name of the stream.
        schema: The JSON Schema of the rows.
        selected: Tells whether the property at a path of names is selected.
        conversions: How values are converted, by column name.
        annotated: For columns that are annotations of other columns: the names of the annotations
            in rows, by column name.
        key: The replication key, if rows are sorted by it.
        ids: The columns by which the service identifies a row.
        stream_key: The columns by which the target identifies a row.
        partition: The column that names a row's partition, if rows have one.
        inspect_keys: Inspects the replication keys of rows, given as JSON, if rows are sorted.
        version: The table version that the messages carry, if they carry one.
    """

    def __init__(  # noqa: PLR0913 - what messages depend on
        self,
        stream: str,
        schema: Mapping[str, Any],
        selected: Callable[[tuple[str, ...]], bool],
        *,
        conversions: Mapping[str, Conversion] = MappingProxyType({}),
        annotated: Mapping[str, str] = MappingProxyType({}),
        key: str | None = None,
        ids: Sequence[str] = (),
        stream_key: Sequence[str] = (),
        partition: str = "",
        inspect_keys: Callable[[Sequence[Raw | None]], Keys] | None = None,
        version: int | None = None,
    ) -> None:
        self._stream = stream
        self._primary_id = next(iter(ids), None)
        self._version = UNSET if version is None else version
        columns = {
            name: column for name, column in schema["properties"].items() if selected((name,))
        }
        fields = row_types.fields(columns, selected, annotated)
        names = {field.column: field.name for field in fields}
        self._drift = SchemaDriftCheck(stream, columns, fields)
        self._reader = Reader(fields, self._drift)
        # The columns of the table's key, and their fields. Key columns that the catalog chose may
        # be null; their types say so.
        self._key = [
            (field.column, attrgetter(field.name))
            for field in fields
            if field.column in ids and "null" not in field.kinds
        ]
        # The fields of enumerations in the key. A value without a name is null, but targets can't
        # store null in a key: target-postgres ends the whole pipeline.
        self._enumerations = [
            field.name
            for field in fields
            if field.column in stream_key
            and "null" in field.kinds
            and enumeration.name(columns[field.column].get("description"))
        ]
        # The conversions of columns, with their fields. No part of a key can be null.
        keys = {*ids, *stream_key}
        self._conversions = [
            (
                field.column,
                field.name,
                attrgetter(field.name),
                without_null(convert) if field.column in keys else convert,
            )
            for field in fields
            if field.is_text and (convert := conversions.get(field.column))
        ]
        # The fields of the partition and of the primary id, if the partition is part of the key.
        self._partition = None
        if partition in ids[1:] and {partition, ids[0]} <= columns.keys():
            self._partition = names[partition], names[ids[0]]
        self._inspect_keys = inspect_keys if key in names else None
        self._key_of = attrgetter(names.get(key or "", "_"))
        self._only_key = row_types.only(key or "", default=UNSET)
        # A msgspec field has one name. If rows and messages use different names, rows are decoded
        # as one type, and their values are copied into another.
        self._written = None
        if not annotated.keys().isdisjoint(columns):
            self._written = row_types.row(row_types.fields(columns, selected, {}))
            self._values_of = row_types.values_of(self._written.__struct_fields__)
        self._message: Any = msgspec.defstruct(
            "Message",
            [
                ("type", str),
                ("stream", str),
                ("record", Any),
                ("version", int | UnsetType),
                ("time_extracted", str),
            ],
            gc=False,
        )

    def page(self, raw: RawPage) -> Page[bytes]:
        """Encode a page of rows.

        Args:
            raw: The page as the service sent it.

        Returns:
            The encoded page. Columns that a row does not have are null. Annotations (names with an
            `@`) are left out.

        Raises:
            ServiceError: The answer is not a page of rows.
        """
        with reading():
            return _page(self._pieces(raw.rows))

    def changes(self, raw: RawPage) -> Page[bytes]:
        """Encode a page of changes: current rows, and the ids of deleted rows.

        Args:
            raw: The page as the service sent it.

        Returns:
            The encoded page.

        Raises:
            ServiceError: The answer is not a page of rows.
        """
        if DELETED.encode() not in raw.body:
            return self.page(raw)
        with reading():
            pieces: list[Piece[bytes]] = []
            for deleted, entries in groupby(map(Entry.of, raw.rows), Entry.is_deleted):
                if deleted:
                    pieces.append(self._deletions(list(entries)))
                else:
                    pieces.extend(self._pieces([entry.text for entry in entries]))
            return _page(pieces, has_deletions=True)

    def _deletions(self, entries: Sequence[Entry]) -> Piece[bytes]:
        """Encode the ids of deleted rows as records with the key and the time (tombstones).

        The records carry no table version. A target that hard-deletes rows of older versions
        therefore removes them at the next ACTIVATE_VERSION message.
        """
        now = datetime.now(UTC).isoformat()
        lines = encoder.encode_lines(
            [
                {
                    "type": "RECORD",
                    "stream": self._stream,
                    "record": {self._primary_id: entry.id, DELETED_AT: now},
                    "time_extracted": now,
                }
                for entry in entries
            ]
        )
        return Piece(lines, len(entries))

    def _pieces(self, texts: Sequence[Raw]) -> Iterator[Piece[bytes]]:
        now = datetime.now(UTC).isoformat()
        step = 1 + len(texts) // SAMPLE
        for start in range(0, len(texts), ROWS_PER_PIECE):
            end = min(start + ROWS_PER_PIECE, len(texts))
            keys: list[Raw | None] = []
            lines = b"".join(
                self._lines(texts[at : min(at + ROWS_PER_BATCH, end)], now, -at % step, step, keys)
                for at in range(start, end, ROWS_PER_BATCH)
            )
            found = self._inspect_keys(keys) if self._inspect_keys else NO_KEYS
            if found.has_nulls and self._lack_key(keys, texts[start:end]):
                found = replace(found, is_absent=True)
            yield Piece(lines, end - start, found)

    def _lack_key(self, keys: Sequence[Raw | None], texts: Sequence[Raw]) -> bool:
        """Tell whether no row has the column of the replication key, not even with null."""
        if keys.count(None) + keys.count(NULL) < len(keys):
            return False
        return all(self._only_key.decode(text).value is UNSET for text in texts)

    def _lines(
        self, texts: Sequence[Raw], now: str, first: int, step: int, keys: list[Raw | None]
    ) -> bytes:
        """Encode rows, check the types of a sample, and append each row's replication key."""
        rows, plan, firsts = self._reader.read(texts)
        if self._inspect_keys is not None:
            keys += map(self._key_of, rows)
        if self._written is not None:
            rows = [self._written(*self._values_of(row)) for row in rows]
        self._fix_values(rows, plan)
        self._convert(rows, plan)
        self._fill_key(rows)
        self._check_key(rows)
        self._drift.write_texts(rows, _as_string)
        is_new = self._drift.check(rows, firsts)
        if self._drift.check(rows[first::step], plan.checks) or is_new:
            self._drift.write_texts(rows, _as_string)
        message, stream, version = self._message, self._stream, self._version
        return encoder.encode_lines([message("RECORD", stream, row, version, now) for row in rows])

    def _fix_values(self, rows: Sequence[Any], plan: Plan) -> None:
        """Replace the few values that can't be passed on as the service wrote them."""
        # Numbers have no quotation marks, so one search in the text of all of them is enough.
        if b'"' in encoder.encode(list(map(plan.numbers_of, rows))):
            for row in rows:
                for name in plan.numbers:
                    if bytes(getattr(row, name)) in NOT_NUMBERS:
                        setattr(row, name, NULL)
            self._drift.check(rows, plan.checks)
        for name in plan.open:
            for row in rows:
                setattr(row, name, Raw(without_annotations(getattr(row, name))))

    def _convert(self, rows: Sequence[Any], plan: Plan) -> None:
        """Convert the values of columns that have a conversion."""
        for column, name, value_of, convert in self._conversions:
            if column not in plan.filled:
                continue
            values = list(map(value_of, rows))
            if (converted := convert(values)) is values:
                continue
            for row, value, new in zip(rows, values, converted, strict=True):
                if new is not value:
                    setattr(row, name, new)

    def _fill_key(self, rows: Sequence[Any]) -> None:
        """Replace null in columns of the key that may be null."""
        if self._partition is not None:
            # An empty partition means the primary id. No part of a key can be null.
            partition, primary_id = self._partition
            for row in rows:
                if getattr(row, partition) in (None, NULL):
                    setattr(row, partition, getattr(row, primary_id))
        for name in self._enumerations:
            for row in rows:
                if getattr(row, name) in (None, NULL):
                    setattr(row, name, EMPTY)

    def _check_key(self, rows: Sequence[Any]) -> None:
        """Raise if a row has no key."""
        for column, value_of in self._key:
            values = list(map(value_of, rows))
            if None in values or NULL in values:
                msg = KEY_MISSING.format(stream=self._stream, column=column)
                raise ServiceError(msg)


def _page(pieces: Iterable[Piece[bytes]], *, has_deletions: bool = False) -> Page[bytes]:
    kept = tuple(pieces)
    return Page(kept, sum(len(piece.content) for piece in kept), has_deletions=has_deletions)


def records(page: Page[bytes]) -> Iterator[dict[str, Any]]:
    """Decode the rows of a page into Python values.

    Args:
        page: The encoded page.

    Yields:
        The rows. Decimal numbers keep their digits.
    """
    for piece in page.pieces:
        for line in piece.content.splitlines():
            record: dict[str, Any] = _untyped.decode(line)["record"]
            yield record


_untyped = msgspec.json.Decoder(dict[str, Any], float_hook=number)


def _as_string(text: Raw) -> bytes:
    """Encode a value as a JSON string that holds its JSON text."""
    return encoder.encode(without_annotations(text).decode())


def _encode_other(value: object) -> object:
    """Encode types that JSON does not have, as the SDK does, but keep the digits of numbers."""
    return Raw(str(value).encode()) if isinstance(value, Digits) else enc_hook(value)


encoder = msgspec.json.Encoder(enc_hook=_encode_other, decimal_format="number")
