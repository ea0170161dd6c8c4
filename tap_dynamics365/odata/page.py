"""Page: splits a response into rows, each one still the JSON text that the service wrote.

Splitting happens once, as soon as a response arrives. A response that can be split is complete.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import UNSET, Raw, UnsetType

from tap_dynamics365.errors import ServiceError
from tap_dynamics365.http.response import DECODE_ERRORS, check_whole, late_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import requests

    from tap_dynamics365.odata.dialect import Dialect

#: A value of a replication key.
Value = str | int | None

DELTA_TOKEN = re.compile(r"[?&](?:\$|%24)deltatoken=([^&#]+)", re.IGNORECASE)
# Bytes that are checked together. They fit into the CPU cache.
CHECKED = 2**16


@dataclass(frozen=True, slots=True)
class RawPage:
    """A page as the service sent it.

    Attributes:
        body: The whole response.
        rows: The text of each row to send. The texts are slices of the body, not copies.
        next_link: The link to the next page, if there is one; None if the page was cut off.
        more: Whether there are more rows without a link to them.
        delta_token: The delta token for later changes, on the last page of a tracked read.
        metadata_version: The version of the data model, if it was requested. It changes with every
            change of a table's definition.
        asked: How many rows were requested.
        first: The replication key of the first row, if rows are sorted by it.
        last: The replication key of the last row, if rows are sorted by it.
        end: The columns that rows are sorted by, with their literals in the last row, if the next
            rows can be requested by these values.
        group_rows: The number of rows, if the page ends within rows that share these values, and
            holds no others.
        cut: If the page was cut off: the value of the key before which it ends.
        repairs: Descriptions of values that had to be repaired.
    """

    body: bytes
    rows: Sequence[Raw]
    next_link: str | None = None
    more: bool = False
    delta_token: str | None = None
    metadata_version: Value = None
    asked: int = 0
    first: Value = None
    last: Value = None
    end: Mapping[str, str | None] | None = None
    group_rows: int = 0
    cut: Value = None
    repairs: tuple[str, ...] = ()

    @property
    def is_last(self) -> bool:
        """Whether the service announces no more rows."""
        return self.next_link is None and not self.more


@cache
def _decoder(more_rows: str, metadata_version: str) -> msgspec.json.Decoder[Any]:
    """Make a decoder of pages whose annotations have these names."""
    return msgspec.json.Decoder(
        msgspec.defstruct(
            "Page",
            [
                ("value", list[Raw] | UnsetType, UNSET),
                ("error", Raw | UnsetType, UNSET),
                ("next_link", Any, msgspec.field(default=None, name="@odata.nextLink")),
                ("more_rows", Any, msgspec.field(default=False, name=f"@{more_rows}")),
                ("delta_link", str | None, msgspec.field(default=None, name="@odata.deltaLink")),
                (
                    "metadata_version",
                    str | int | None,
                    msgspec.field(default=None, name=f"@{metadata_version}"),
                ),
            ],
        )
    )


_row = msgspec.json.Decoder(dict[str, Any])


def split(
    response: requests.Response, dialect: Dialect, asked: int = 0, *, is_reached: bool = False
) -> RawPage:
    """Split a response into rows.

    Args:
        response: The response to a query.
        dialect: The annotations and error codes of the service.
        asked: How many rows were requested.
        is_reached: Whether the service itself has responded before.

    Returns:
        The page.

    Raises:
        ServiceError: The response is incomplete, damaged, or not a page of rows.
    """
    repairs: tuple[str, ...] = ()
    # The names must differ, also if the service has neither annotation.
    decode = _decoder(dialect.more_rows or "-more", dialect.metadata_version or "-version").decode
    with reading():
        try:
            body = _compact(response.content)
            page = decode(body)
        except DECODE_ERRORS:
            repairs = check_whole(response, dialect.errors, is_reached=is_reached)
            body = _compact(response.content)
            page = decode(body)
        if page.error is not UNSET:
            # An error after the status was sent (OData Protocol 4.0, section 11.2.1).
            raise late_error(response, dialect.errors)
        if page.value is UNSET:
            msg = "Object missing required field `value`"
            raise msgspec.ValidationError(msg)
    link = _link(page.next_link)
    return RawPage(
        body,
        page.value,
        link,
        # Even a broken link means that there are more rows.
        more=link is None and (page.next_link is not None or page.more_rows is True),
        delta_token=_token(page.delta_link),
        metadata_version=page.metadata_version,
        asked=asked,
        repairs=repairs,
    )


def single(raw: RawPage, column: str) -> Value:
    """Read one value of the only row of a page.

    Args:
        raw: The page as the service sent it.
        column: The name of the column.

    Returns:
        The value; None if there is no row.

    Raises:
        ServiceError: The page does not hold a row.
    """
    with reading():
        return _row.decode(raw.rows[0]).get(column) if raw.rows else None


def with_columns(rows: Iterable[Raw], values: Mapping[str, Raw]) -> list[Raw]:
    """Add columns to rows, before their own ones.

    Args:
        rows: The rows.
        values: The values of the columns, as JSON.
    """
    text = b"".join(
        msgspec.json.encode(name) + b":" + bytes(value) + b"," for name, value in values.items()
    )
    beginning = b"{" + text
    return [
        Raw((beginning if len(rest) > 1 else beginning[:-1]) + rest)
        for row in rows
        for rest in [bytes(row)[1:].lstrip()]
    ]


@contextmanager
def reading() -> Iterator[None]:
    """Raise a ServiceError for JSON that is not a page of rows."""
    try:
        yield
    except RecursionError as error:
        # Since Python 3.13, values can be decoded that are nested too deeply to be encoded.
        msg = "The service's answer can't be read: its values are nested too deeply."
        raise ServiceError(msg) from error
    except DECODE_ERRORS as error:
        msg = (
            f"The service's answer is not a page of rows ({error}). Is service_url the address of "
            "the Web API, and no sign-in page or proxy before it?"
        )
        raise ServiceError(msg) from error


def _link(link: object) -> str | None:
    """Return a link to the next page; None if it is not a valid link."""
    if not isinstance(link, str):
        return None
    try:
        urlsplit(link)
    except ValueError:
        return None
    return link or None


def _token(link: str | None) -> str | None:
    """Return the delta token of a link, decoded."""
    found = DELTA_TOKEN.search(link or "")
    return unquote(found[1]) if found else None


def _check_text(body: bytes) -> None:
    """Check that the body is UTF-8, in parts: decoding all of it would take much memory."""
    parts = (body[start : start + CHECKED] for start in range(0, len(body), CHECKED))
    deque(codecs.iterdecode(parts, "utf-8"), maxlen=0)


def _compact(body: bytes) -> bytes:
    """Remove what a Singer message must not contain: a byte-order mark, and line breaks.

    Raises:
        UnicodeDecodeError: The body is not UTF-8. Text that is passed on is not decoded later.
        msgspec.DecodeError: The body is not JSON.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    if not body.isascii():
        _check_text(body)
    return msgspec.json.format(body, indent=-1) if b"\n" in body else body
