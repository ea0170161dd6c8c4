"""Bytes of a page in, Singer lines out: the one place where speed beats plainness.

A row is never taken apart into Python values. For each stream a type is compiled whose fields are
the selected columns and whose values stay the JSON text that the service wrote: what is not
selected is passed over, numbers keep every digit, and encoding copies text.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain, groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec
from msgspec import UNSET, Raw, UnsetType
from singer_sdk.contrib.msgspec import enc_hook
from typing_extensions import override

from tap_dynamics365.announced import SAMPLE, Announced
from tap_dynamics365.changes import DELETED, Entry
from tap_dynamics365.errors import ServiceError
from tap_dynamics365.page import MOST_OF_A_PAGE, Page, Piece, Value
from tap_dynamics365.row_types import is_open, only, type_of
from tap_dynamics365.schema import DELETED_AT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import requests

# A page is taken apart, and leaves, in pieces of so many rows: their values fit into the
# processor's cache, other threads get their turn between two pieces, and a signal is obeyed there.
ROWS_A_PIECE = 250

MOST_DIGITS = 1000

NULL = Raw(b"null")
# How JSON writes the numbers that it has no numbers for: "OData JSON Format Version 4.0",
# section 7.1. The schema says number or null.
NOT_NUMBERS = {b'"NaN"', b'"INF"', b'"-INF"'}
NEXT_LINK = "@odata.nextLink"
DELTA_LINK = "@odata.deltaLink"
METADATA_VERSION = "Microsoft.Dynamics.CRM.globalmetadataversion"
DELTA_TOKEN = re.compile(r"[?&](?:\$|%24)deltatoken=([^&#]+)", re.IGNORECASE)


class Digits(Decimal):
    """A number that is written with the digits it was read with.

    `Decimal` writes zero with many decimal places as `0E-10`.
    """

    @override
    def __str__(self) -> str:
        # An exponent that no amount has would become a text of its length.
        return format(self, "f") if abs(self.adjusted()) < MOST_DIGITS else super().__str__()


class Codec:
    """Turns pages of one table into RECORD messages.

    Args:
        stream: Name of the stream.
        schema: JSON Schema of its rows.
        selected: Tells whether the property at a path of names is selected.
        key: The replication key that rows are sorted by, if they are.
        primary_id: The column that holds a row's id, if it is one.
        version: Version of the table that the messages carry, if they do.
    """

    def __init__(  # noqa: PLR0913 - what messages depend on
        self,
        stream: str,
        schema: Mapping[str, Any],
        selected: Callable[[tuple[str, ...]], bool],
        *,
        key: str | None = None,
        primary_id: str | None = None,
        version: int | None = None,
    ) -> None:
        self._stream = stream
        self._primary_id = primary_id
        self._version = UNSET if version is None else version
        columns = {
            name: column for name, column in schema["properties"].items() if selected((name,))
        }
        # Names of columns need not be names in Python.
        fields = {name: f"c{i}" for i, name in enumerate(columns)}
        self._key = None if key is None else only(key)
        self._numbers = [fields[name] for name in columns if "number" in columns[name]["type"]]
        self._numbers_of: Callable[[Any], tuple[Raw, ...]] = lambda _: ()
        if self._numbers:
            # Each twice: of a single name, attrgetter would give the value itself.
            self._numbers_of = attrgetter(*self._numbers, *self._numbers)
        self._announced = Announced(stream, columns, fields)
        self._open = [fields[name] for name in columns if is_open(columns[name])]
        row = msgspec.defstruct(
            "Row",
            [
                (
                    fields[name],
                    Raw if is_open(column) else type_of(column, (name,), selected),
                    msgspec.field(default=NULL, name=name),
                )
                for name, column in columns.items()
            ],
            gc=False,
        )
        self._row = msgspec.json.Decoder(row)
        self._message: Any = msgspec.defstruct(
            "Message",
            [
                ("type", str),
                ("stream", str),
                ("record", row),
                ("version", int | UnsetType),
                ("time_extracted", str),
            ],
            gc=False,
        )

    def page(self, response: requests.Response) -> Page:
        """Read a page.

        Args:
            response: The answer to a query.

        Returns:
            The page, its rows encoded. Columns that a row lacks are null; annotations, which
            name themselves with an `@`, are nowhere in it.

        Raises:
            ServiceError: The answer is no page of rows.
        """
        with _reading(response):
            page = _pages.decode(_compact(response.content))
            rows = page.value
            edge = self._before_last_value(rows)
            before = tuple(self._pieces(rows[:edge]))
            pieces = (*before, *self._pieces(rows[edge:]))
            return Page(
                pieces=pieces,
                rows=len(rows),
                sent=len(rows),
                size=sum(len(piece.lines) for piece in pieces),
                first=self._key_of(rows[:1]),
                last=self._key_of(rows),
                next_link=page.next_link,
                before_last=len(before),
                delta_token=_token(page.delta_link),
                metadata_version=page.metadata_version,
            )

    def changes(self, response: requests.Response) -> Page:
        """Read a page of changes: rows as they are now, and ids of those that are no more.

        Args:
            response: The answer to a query with a delta token.

        Returns:
            The page.

        Raises:
            ServiceError: The answer is no page of rows.
        """
        if DELETED.encode() not in response.content:
            return self.page(response)
        with _reading(response):
            page = _pages.decode(_compact(response.content))
            pieces: list[Piece] = []
            for deleted, entries in groupby(map(Entry.of, page.value), Entry.is_deleted):
                if deleted:
                    pieces.append(self._deletions(list(entries)))
                else:
                    pieces.extend(self._pieces([entry.text for entry in entries]))
            return Page(
                pieces=tuple(pieces),
                rows=len(page.value),
                sent=len(page.value),
                size=sum(len(piece.lines) for piece in pieces),
                first=None,
                last=None,
                next_link=page.next_link,
                delta_token=_token(page.delta_link),
            )

    def _deletions(self, entries: Sequence[Entry]) -> Piece:
        """Encode ids of deleted rows as records of the key and the time.

        They have no version: a target that drops what is older than the version which it is told
        of then drops them too, where it was set to.
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
        return Piece(lines, len(entries), None)

    def _pieces(self, texts: Sequence[Raw]) -> Iterator[Piece]:
        now = datetime.now(UTC).isoformat()
        message, stream, version = self._message, self._stream, self._version
        step = 1 + len(texts) // SAMPLE
        for start in range(0, len(texts), ROWS_A_PIECE):
            part = texts[start : start + ROWS_A_PIECE]
            rows = [self._row.decode(text) for text in part]
            self._mend(rows)
            self._announced.check(rows[::step])
            lines = encoder.encode_lines(
                [message("RECORD", stream, row, version, now) for row in rows]
            )
            yield Piece(lines, len(rows), self._key_of(part))

    def _mend(self, rows: Sequence[Any]) -> None:
        """Change the few values that can't stay as the service wrote them."""
        # Numbers have no quotation marks: one look at the text of all of them.
        if b'"' in b"".join(chain(*map(self._numbers_of, rows))):
            for row in rows:
                for name in self._numbers:
                    if bytes(getattr(row, name)) in NOT_NUMBERS:
                        setattr(row, name, NULL)
        for name in self._open:
            for row in rows:
                setattr(row, name, Raw(encoder.encode(_plain(getattr(row, name)))))

    def _before_last_value(self, rows: Sequence[Raw]) -> int:
        """Count the rows before those that share the last row's value of the key.

        None are counted if these are so many that the page is not to be cut.
        """
        if not rows or self._key is None:
            return 0
        last = self._key.decode(rows[-1])
        for kept in range(len(rows) - 1, int(MOST_OF_A_PAGE * len(rows)) - 1, -1):
            if self._key.decode(rows[kept]) != last:
                return kept + 1
        return 0

    def _key_of(self, rows: Sequence[Raw]) -> Value:
        """Read the replication key of the last of some rows."""
        if not rows or self._key is None:
            return None
        value: Value = self._key.decode(rows[-1]).value
        return value


def records(page: Page) -> Iterator[dict[str, Any]]:
    """Take the rows of a page apart, for what needs them as Python values.

    Args:
        page: The page.

    Yields:
        Each row; numbers with a fraction keep their digits.
    """
    for piece in page.pieces:
        for line in piece.lines.splitlines():
            record: dict[str, Any] = _untyped.decode(line)["record"]
            yield record


class _Link(msgspec.Struct):
    next_link: str | None = msgspec.field(default=None, name=NEXT_LINK)
    delta_link: str | None = msgspec.field(default=None, name=DELTA_LINK)
    metadata_version: str | int | None = msgspec.field(default=None, name=f"@{METADATA_VERSION}")


class _Page(_Link, kw_only=True):
    value: list[Raw]


class _Rows(msgspec.Struct):
    value: list[dict[str, Any]]


_rows = msgspec.json.Decoder(_Rows)
_pages = msgspec.json.Decoder(_Page)
_link = msgspec.json.Decoder(_Link)
_untyped = msgspec.json.Decoder(dict[str, Any], float_hook=Digits)
_value = msgspec.json.Decoder(Any, float_hook=Digits)


def links(response: requests.Response) -> Page:
    """Read what a page leads to, and pass over its rows.

    Args:
        response: The answer to a query.

    Returns:
        A page without rows.

    Raises:
        ServiceError: The answer is no page of rows.
    """
    with _reading(response):
        found = _link.decode(_compact(response.content))
        token = _token(found.delta_link)
        return Page((), 0, 0, 0, None, None, found.next_link, delta_token=token)


def single(response: requests.Response, column: str) -> Value:
    """Read one value of the only row of a page.

    Args:
        response: The answer to a query for it.
        column: Its name.

    Returns:
        The value; None if there is no row.

    Raises:
        ServiceError: The answer is no page of rows.
    """
    with _reading(response):
        rows = _rows.decode(_compact(response.content)).value
        return rows[0].get(column) if rows else None


def _token(link: str | None) -> str | None:
    """Take the delta token out of a link, decoded."""
    found = DELTA_TOKEN.search(link or "")
    return unquote(found[1]) if found else None


def _plain(text: Raw) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Drop the annotations within a value."""

    def strip(value: Any) -> Any:  # noqa: ANN401 - as above
        match value:
            case dict():
                return {name: strip(part) for name, part in value.items() if "@" not in name}
            case list():
                return [strip(part) for part in value]
            case _:
                return value

    return strip(_value.decode(text))


def _compact(body: bytes) -> bytes:
    """Take out what JSON may have and a message may not: a byte-order mark, line breaks.

    Raises:
        UnicodeDecodeError: It is not UTF-8, which is not seen where text is only passed on.
        msgspec.DecodeError: It is not JSON.
    """
    body = body.removeprefix(BOM_UTF8)
    if not body.isascii():
        body.decode()
    return msgspec.json.format(body, indent=-1) if b"\n" in body else body


def _encode_other(value: object) -> object:
    """Encode what JSON has no type for, as the SDK does it, but digits as they are."""
    return Raw(str(value).encode()) if isinstance(value, Digits) else enc_hook(value)


encoder = msgspec.json.Encoder(enc_hook=_encode_other, decimal_format="number")


@contextmanager
def _reading(response: requests.Response) -> Iterator[None]:
    """Tell of an answer that can't be read as what it should be."""
    try:
        yield
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        kind = response.headers.get("Content-Type", "no content type")
        msg = (
            f"The service's answer is not a page of rows ({kind}: {error}). "
            "Is service_url the address of the Web API, and no sign-in page or proxy before it?"
        )
        raise ServiceError(msg, status=response.status_code) from error
