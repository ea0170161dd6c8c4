"""Decoder: turns the bytes of a page into one Arrow record batch.

This is the hot path. Rows stay the text that the service wrote up to Arrow's own JSON reader, which
is exact and strict: it refuses what does not fit into a type, and rounds nothing. Dates are read as
text and cast. Only columns that Arrow's reader can't read, or has refused, are decoded value by
value.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import UNSET, Raw
from pyarrow import json as arrow_json

from tap_dynamics365.arrow import values
from tap_dynamics365.arrow.types import LOCAL_MOMENT, MOMENT, Form
from tap_dynamics365.arrow.values import MisfitError
from tap_dynamics365.errors import ServiceError
from tap_dynamics365.extract.page import NO_KEYS, Page, Piece
from tap_dynamics365.extract.read import DELETED_AT
from tap_dynamics365.odata import row_types
from tap_dynamics365.odata.delta import DELETED, Entry
from tap_dynamics365.odata.page import reading
from tap_dynamics365.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_dynamics365.arrow.types import ArrowColumn
    from tap_dynamics365.extract.page import Keys
    from tap_dynamics365.odata.page import RawPage
    from tap_dynamics365.services.conversion import Conversion

KEY_MISSING = (
    "The service sent a row of {table!r} without a value of {column!r}, which is part of the key. "
    "If the table has another key now, open the service again. Otherwise read the table again."
)
MISFIT = (
    "The column {column!r} of {table!r} holds {value}, which does not fit into the type {type}. To "
    "read the values of this column as the service writes them, name it in the option text: "
    "text=[{column!r}]."
)

# Bytes that a thread of Arrow reads at a time. A row has to fit into them.
BLOCK_BYTES = 1_000_000

_encode = msgspec.json.Encoder().encode
_text_or_null = msgspec.json.Decoder(str | None).decode


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What the rows of a table become.

    Attributes:
        table: The name of the table.
        columns: The columns of the batches.
        hidden: Further columns that are read: those of the key, and the replication key.
        row_key: The columns by which the service identifies a row. None of them may be null.
        partition: The column of the key that means the primary id if it is null; empty if there is
            none.
        blank_if_null: The columns of the key that are empty texts if they are null, because a key
            can't be null.
        conversions: How values are converted, by column.
        inspect_keys: Inspects the replication keys of rows; None if the table has none.
    """

    table: str
    columns: Sequence[ArrowColumn]
    hidden: Sequence[ArrowColumn] = ()
    row_key: Sequence[str] = ()
    partition: str = ""
    blank_if_null: Sequence[str] = ()
    conversions: Mapping[str, Conversion] = field(default_factory=dict)
    inspect_keys: Callable[[Sequence[Any]], Keys] | None = None


class BatchDecoder:
    """Turns pages of one table into record batches, one for each page.

    Args:
        layout: What the rows become.
        schema: The schema of the batches.
        key: The replication key, if rows are sorted by it.
    """

    def __init__(self, layout: Layout, schema: pa.Schema, key: str | None = None) -> None:
        self._layout = layout
        self._schema = schema
        self._key = key if layout.inspect_keys is not None else None
        self._columns = {each.name: each for each in (*layout.columns, *layout.hidden)}
        # The columns that are decoded value by value.
        self._one_by_one = {name for name, each in self._columns.items() if each.form is Form.ANY}
        self._only_key = row_types.only(key or "", default=UNSET)
        self._block_bytes = BLOCK_BYTES
        self._fit()

    def _fit(self) -> None:
        """Prepare to read columns in the way that fits them."""
        fast = [each for name, each in self._columns.items() if name not in self._one_by_one]
        self._fast = {each.wire: each for each in fast}
        self._slow = [self._columns[name] for name in self._columns if name in self._one_by_one]
        self._slow_rows = msgspec.json.Decoder(
            msgspec.defstruct(
                "Row",
                [
                    (f"c{at}", Raw, msgspec.field(default=row_types.NULL, name=each.wire))
                    for at, each in enumerate(self._slow)
                ],
                gc=False,
            )
        )

    def page(self, raw: RawPage) -> Page[pa.RecordBatch]:
        """Decode a page of rows.

        Args:
            raw: The page as the service sent it.

        Returns:
            The page with one batch. Columns that a row does not have are null.

        Raises:
            ServiceError: The answer is not a page of rows, or a value does not fit into the type of
                its column.
        """
        with reading():
            return self._page(raw.rows)

    def changes(self, raw: RawPage) -> Page[pa.RecordBatch]:
        """Decode a page of changes: current rows, and the ids of deleted rows.

        Args:
            raw: The page as the service sent it.

        Returns:
            The page with one batch, in the order of the service. A deleted row has its key and the
            time at which it was found to be deleted; its other columns are null.

        Raises:
            ServiceError: As `page`.
        """
        if DELETED.encode() not in raw.body:
            return self.page(raw)
        (key,) = self._layout.row_key
        now = datetime.now(UTC).isoformat()
        with reading():
            entries = list(map(Entry.of, raw.rows))
            rows = [
                Raw(_encode({key: entry.id, DELETED_AT: now})) if entry.is_deleted() else entry.text
                for entry in entries
            ]
            has_deletions = any(entry.is_deleted() for entry in entries)
            return replace(self._page(rows), has_deletions=has_deletions)

    def _page(self, rows: Sequence[Raw]) -> Page[pa.RecordBatch]:
        if not rows:
            return Page((), 0)
        arrays = self._arrays(rows)
        keys = self._inspected(arrays, rows)
        typed = {name: self._typed(self._columns[name], arrays[name], rows) for name in arrays}
        self._fill_key(typed)
        batch = pa.RecordBatch.from_arrays(
            [typed[each.name] for each in self._layout.columns], schema=self._schema
        )
        return Page((Piece(batch, len(rows), keys),), batch.nbytes)

    def _arrays(self, rows: Sequence[Raw]) -> dict[str, pa.Array]:
        """Read the columns, in the types in which Arrow reads them."""
        text = b"\n".join(rows)
        try:
            found = _read(text, self._fast, self._block_bytes)
        except pa.ArrowInvalid:
            # A value does not fit into its type, or a row does not fit into a block.
            longest = max(len(memoryview(row)) for row in rows)
            self._block_bytes = max(self._block_bytes, longest + 1)
            self._one_by_one |= self._unfit(text, list(self._fast.values()))
            self._fit()
            found = _read(text, self._fast, self._block_bytes)
        arrays = {each.name: found[each.wire] for each in self._fast.values()}
        return arrays | self._read_slowly(self._slow, rows)

    def _read_slowly(
        self, columns: Sequence[ArrowColumn], rows: Sequence[Raw]
    ) -> dict[str, pa.Array]:
        """Read columns value by value."""
        if not columns:
            return {}
        decoded = [self._slow_rows.decode(row) for row in rows]
        arrays = {}
        for at, column in enumerate(columns):
            found = [getattr(row, f"c{at}") for row in decoded]
            arrays[column.name] = self._converted_slowly(column, found)
        return arrays

    def _converted_slowly(self, column: ArrowColumn, found: Sequence[Raw]) -> pa.Array:
        if (convert := self._layout.conversions.get(column.name)) is not None:
            found = convert(found)
        try:
            return values.array(column, found)
        except MisfitError as error:
            raise self._refusal(column, str(error)) from error

    def _refusal(self, column: ArrowColumn, value: str) -> ServiceError:
        msg = MISFIT.format(
            column=column.name, table=self._layout.table, value=printable(value), type=column.type
        )
        return ServiceError(msg)

    def _unfit(self, text: bytes, columns: Sequence[ArrowColumn]) -> set[str]:
        """Return the columns with values that Arrow can't read, by halving."""
        try:
            _read(text, {each.wire: each for each in columns}, self._block_bytes)
        except pa.ArrowInvalid:
            if len(columns) == 1:
                return {columns[0].name}
            middle = len(columns) // 2
            halves = columns[:middle], columns[middle:]
            return set().union(*(self._unfit(text, half) for half in halves))
        return set()

    def _inspected(self, arrays: Mapping[str, pa.Array], rows: Sequence[Raw]) -> Keys:
        """Inspect the replication keys of rows that are sorted by it."""
        inspect = self._layout.inspect_keys
        if self._key is None or inspect is None:
            return NO_KEYS
        array = arrays[self._key]
        keys = inspect(array.to_pylist())
        if array.null_count == len(rows):
            is_absent = all(self._only_key.decode(row).value is UNSET for row in rows)
            return replace(keys, is_absent=is_absent)
        return keys

    def _typed(self, column: ArrowColumn, array: pa.Array, rows: Sequence[Raw]) -> pa.Array:
        """Convert the values of a column, and cast them to its type."""
        if array.type == column.type and column.name in self._one_by_one:
            return array
        if (convert := self._layout.conversions.get(column.name)) is not None:
            array = _converted(array, convert)
        if array.type == column.type:
            return array
        try:
            if column.form is Form.BASE64:
                return pa.array(
                    [None if text is None else values.blob(text) for text in array.to_pylist()],
                    column.type,
                )
            return _cast(array, column.type)
        except (pa.ArrowInvalid, ValueError):
            self._one_by_one.add(column.name)
            self._fit()
            return self._read_slowly(self._slow, rows)[column.name]

    def _fill_key(self, arrays: dict[str, pa.Array]) -> None:
        """Replace null in columns of the key, or raise if a row has no key."""
        layout = self._layout
        if layout.partition:
            primary_id = arrays[layout.row_key[0]]
            arrays[layout.partition] = pc.coalesce(arrays[layout.partition], primary_id)
        for name in layout.blank_if_null:
            arrays[name] = pc.fill_null(arrays[name], "")
        for name in layout.row_key:
            if arrays[name].null_count and name not in layout.blank_if_null:
                raise ServiceError(KEY_MISSING.format(table=layout.table, column=name))


def _read(text: bytes, columns: Mapping[str, ArrowColumn], block: int) -> dict[str, pa.Array]:
    """Read columns of rows that are separated by line breaks, in Arrow's threads.

    Args:
        text: The rows.
        columns: The columns by their names in rows.
        block: The bytes that a thread reads at a time.

    Raises:
        pa.ArrowInvalid: A value is not of the type of its column, or a row is longer than a block.
    """
    if not columns:
        return {}
    table = arrow_json.read_json(
        pa.BufferReader(text),
        read_options=arrow_json.ReadOptions(block_size=block),
        parse_options=arrow_json.ParseOptions(
            explicit_schema=pa.schema([(wire, each.read_as) for wire, each in columns.items()]),
            unexpected_field_behavior="ignore",
        ),
    )
    return {wire: table[wire].combine_chunks() for wire in columns}


def _converted(array: pa.Array, convert: Conversion) -> pa.Array:
    """Convert texts: each of the different ones once."""
    encoded = array.dictionary_encode()
    texts = [Raw(_encode(text)) for text in encoded.dictionary.to_pylist()]
    if (new := convert(texts)) is texts:
        return array
    return pa.array(map(_text_or_null, new), pa.string()).take(encoded.indices)


def _cast(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Cast the text of dates, and decimal numbers.

    Raises:
        pa.ArrowInvalid: A text is no such date, or digits would be lost.
    """
    if kind == LOCAL_MOMENT:
        # The service writes a Z, which does not make it UTC.
        return array.cast(MOMENT).cast(LOCAL_MOMENT)
    return array.cast(kind)
