"""Bytes of a page in, Singer lines out: the one place where speed beats plainness.

A row is never taken apart into Python values. For each stream a type is compiled whose fields are
the selected columns and whose values stay the JSON text that the service wrote: what is not
selected is passed over, numbers keep every digit, and encoding copies text.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Raw, UnsetType
from singer_sdk.contrib.msgspec import enc_hook
from typing_extensions import override

from tap_dynamics365.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import requests

Value = str | int | None

# A page is taken apart, and leaves, in pieces of so many rows: their values fit into the
# processor's cache, other threads get their turn between two pieces, and a signal is obeyed there.
ROWS_A_PIECE = 250

# What is cut off a page is fetched again.
MOST_OF_A_PAGE = 0.8

MOST_DIGITS = 1000

NULL = Raw(b"null")
# How JSON writes the numbers that it has no numbers for: "OData JSON Format Version 4.0",
# section 7.1. The schema says number or null.
NOT_NUMBERS = {b'"NaN"', b'"INF"', b'"-INF"'}
NEXT_LINK = "@odata.nextLink"


class Digits(Decimal):
    """A number that is written with the digits it was read with.

    `Decimal` writes zero with many decimal places as `0E-10`.
    """

    @override
    def __str__(self) -> str:
        # An exponent that no amount has would become a text of its length.
        return format(self, "f") if abs(self.adjusted()) < MOST_DIGITS else super().__str__()


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a page.

    Attributes:
        lines: RECORD messages, each with its line end.
        rows: How many.
        last: Value of the replication key in the last of them, if the stream has one.
    """

    lines: bytes
    rows: int
    last: Value


@dataclass(frozen=True, slots=True)
class Page:
    """A page ready to be written.

    Attributes:
        pieces: Its rows.
        rows: How many the page holds.
        sent: How many the service had sent, before the page was cut.
        size: Bytes that it takes.
        first: Value of the replication key in the first row.
        last: The same in the last row.
        next_link: Where the rows after it are, if there are more; None for a page that was cut.
        before_last: How many pieces hold the rows before those that share the last value.
        cut: Where the page was cut: it holds the rows before this value of the key.
    """

    pieces: tuple[Piece, ...]
    rows: int
    sent: int
    size: int
    first: Value
    last: Value
    next_link: str | None
    before_last: int = 0
    cut: Value = None

    def cut_off(self) -> Page | None:
        """Leave out the rows that share the last value of the replication key.

        The rows from there on can then be asked for by that value, side by side, instead of by
        the link.

        Returns:
            The page without them; None if it is the last, or not much would be left of it.
        """
        pieces = self.pieces[: self.before_last]
        rows = sum(piece.rows for piece in pieces)
        if self.next_link is None or rows < max(1, MOST_OF_A_PAGE * self.rows):
            return None
        size = sum(len(piece.lines) for piece in pieces)
        return replace(
            self,
            pieces=pieces,
            rows=rows,
            size=size,
            last=pieces[-1].last,
            next_link=None,
            cut=self.last,
        )


class Codec:
    """Turns pages of one table into RECORD messages.

    Args:
        stream: Name of the stream.
        schema: JSON Schema of its rows.
        selected: Tells whether the property at a path of names is selected.
        key: The replication key that rows are sorted by, if they are.
        version: Version of the table that the messages carry, if they do.
    """

    def __init__(
        self,
        stream: str,
        schema: Mapping[str, Any],
        selected: Callable[[tuple[str, ...]], bool],
        *,
        key: str | None = None,
        version: int | None = None,
    ) -> None:
        self._stream = stream
        self._version = UNSET if version is None else version
        columns = {
            name: column for name, column in schema["properties"].items() if selected((name,))
        }
        # Names of columns need not be names in Python.
        fields = {name: f"c{i}" for i, name in enumerate(columns)}
        self._key = None if key is None else _only(key)
        self._numbers = [fields[name] for name in columns if "number" in columns[name]["type"]]
        self._numbers_of: Callable[[Any], tuple[Raw, ...]] = lambda _: ()
        if self._numbers:
            # Each twice: of a single name, attrgetter would give the value itself.
            self._numbers_of = attrgetter(*self._numbers, *self._numbers)
        self._open = [fields[name] for name in columns if _is_open(columns[name])]
        row = msgspec.defstruct(
            "Row",
            [
                (
                    fields[name],
                    Raw if _is_open(column) else _type(column, (name,), selected),
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
            )

    def _pieces(self, texts: Sequence[Raw]) -> Iterator[Piece]:
        now = datetime.now(UTC).isoformat()
        message, stream, version = self._message, self._stream, self._version
        for start in range(0, len(texts), ROWS_A_PIECE):
            part = texts[start : start + ROWS_A_PIECE]
            rows = [self._row.decode(text) for text in part]
            self._mend(rows)
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


class _Page(_Link, kw_only=True):
    value: list[Raw]


class _Rows(msgspec.Struct):
    value: list[dict[str, Any]]


_rows = msgspec.json.Decoder(_Rows)
_pages = msgspec.json.Decoder(_Page)
_link = msgspec.json.Decoder(_Link)
_untyped = msgspec.json.Decoder(dict[str, Any], float_hook=Digits)
_value = msgspec.json.Decoder(Any, float_hook=Digits)


def next_link(response: requests.Response) -> str | None:
    """Read where the page after this one is.

    Args:
        response: The answer to a query.

    Returns:
        The link as the service wrote it, or None behind the last page.

    Raises:
        ServiceError: The answer is no page of rows.
    """
    with _reading(response):
        return _link.decode(_compact(response.content)).next_link


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


def _only(column: str) -> msgspec.json.Decoder[Any]:
    """Make what reads one column of a row, as its `value`, and passes over the others."""
    name = msgspec.field(default=None, name=column)
    return msgspec.json.Decoder(msgspec.defstruct("Only", [("value", Any, name)]))


def _type(
    schema: Mapping[str, Any], path: tuple[str, ...], selected: Callable[[tuple[str, ...]], bool]
) -> Any:  # noqa: ANN401 - a type made at run time
    """Make the type of a value: JSON text at the leaves, only selected parts around them."""
    if "object" in schema["type"]:
        parts = [
            (
                f"c{i}",
                _type(part, (*path, name), selected) | UnsetType,
                msgspec.field(default=UNSET, name=name),
            )
            for i, (name, part) in enumerate(schema["properties"].items())
            if selected((*path, name))
        ]
        return msgspec.defstruct("Part", parts, gc=False) | None
    if "array" in schema["type"]:
        return list[_type(schema["items"], path, selected)] | None  # type: ignore[misc]
    return Raw


def _is_open(schema: Mapping[str, Any]) -> bool:
    """Tell whether a value holds an object whose parts the schema does not name."""
    if "object" in schema["type"]:
        properties = schema.get("properties")
        return not properties or any(_is_open(part) for part in properties.values())
    return "array" in schema["type"] and _is_open(schema["items"])


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
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        kind = response.headers.get("Content-Type", "no content type")
        msg = (
            f"The service's answer is not a page of rows ({kind}: {error}). "
            "Is service_url the address of the Web API, and no sign-in page or proxy before it?"
        )
        raise ServiceError(msg, status=response.status_code) from error
