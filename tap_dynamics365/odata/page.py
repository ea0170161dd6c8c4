"""An answer taken apart into rows, each of them still the text that the service wrote.

That is done once, as soon as an answer has arrived: what can be taken apart is whole.
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
    from collections.abc import Iterator, Mapping, Sequence

    import requests

    from tap_dynamics365.odata.dialect import Dialect

#: A value of a replication key.
Value = str | int | None

DELTA_TOKEN = re.compile(r"[?&](?:\$|%24)deltatoken=([^&#]+)", re.IGNORECASE)
# Bytes that are looked at together: they fit into the processor's cache.
CHECKED = 2**16


@dataclass(frozen=True, slots=True)
class RawPage:
    """A page as the service sent it.

    Attributes:
        body: All of it.
        rows: The text of each row that is of use, which is a part of the body and no copy.
        next_link: Where the rows after it are, if there are more; None for a page that was cut.
        more: Whether there are more rows, though nothing says where.
        delta_token: What to ask with for the changes since; behind the last page of a tracked
            table.
        metadata_version: Changes with every change to any table's definition, where it was asked
            for.
        asked: How many rows were asked for.
        first: Value of the replication key in the first row, where rows are sorted by it.
        last: The same in the last row.
        end: The columns that rows are sorted by, each with its literal in the last row, where the
            rows behind it can be asked for so.
        cut: Where the page was cut: it holds the rows before this value of the key.
        repairs: What was done to values that can't be passed on, as the log says it.
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
    cut: Value = None
    repairs: tuple[str, ...] = ()

    @property
    def is_last(self) -> bool:
        """Whether no rows follow, as far as the service says."""
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
    """Split an answer into rows.

    Args:
        response: The answer to a query.
        dialect: How the service annotates pages, and its errors.
        asked: How many rows were asked for.
        is_reached: Whether the service itself has answered before.

    Returns:
        Its rows, and what the service says of them.

    Raises:
        ServiceError: The answer is cut off, was spoilt on its way, or is no page of rows.
    """
    repairs: tuple[str, ...] = ()
    # Different names, also where the service has neither annotation.
    decode = _decoder(dialect.more_rows or "-more", dialect.metadata_version or "-version").decode
    with reading():
        try:
            body = _compact(response.content)
            page = decode(body)
        except DECODE_ERRORS:
            repairs = check_whole(response, is_reached=is_reached)
            body = _compact(response.content)
            page = decode(body)
        if page.error is not UNSET:
            # What failed after the status was sent (OData Protocol 4.0, section 11.2.1).
            raise late_error(response, dialect.errors)
        if page.value is UNSET:
            msg = "Object missing required field `value`"
            raise msgspec.ValidationError(msg)
    link = _link(page.next_link)
    return RawPage(
        body,
        page.value,
        link,
        # A link that leads nowhere says at least that there are more rows.
        more=link is None and (page.next_link is not None or page.more_rows is True),
        delta_token=_token(page.delta_link),
        metadata_version=page.metadata_version,
        asked=asked,
        repairs=repairs,
    )


def single(raw: RawPage, column: str) -> Value:
    """Read one value of the only row of a page.

    Args:
        raw: The page as it was sent.
        column: Name of the value.

    Returns:
        The value; None if there is no row.

    Raises:
        ServiceError: What the page holds is no row.
    """
    with reading():
        return _row.decode(raw.rows[0]).get(column) if raw.rows else None


@contextmanager
def reading() -> Iterator[None]:
    """Tell of an answer that is JSON, but not what it should be."""
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
    """Take a link to a next page, if it is one: no number, no empty text, no broken address."""
    if not isinstance(link, str):
        return None
    try:
        urlsplit(link)
    except ValueError:
        return None
    return link or None


def _token(link: str | None) -> str | None:
    """Take the delta token out of a link, decoded."""
    found = DELTA_TOKEN.search(link or "")
    return unquote(found[1]) if found else None


def _check_text(body: bytes) -> None:
    """Look whether it is UTF-8, without a copy of all of it as Python's wider text."""
    parts = (body[start : start + CHECKED] for start in range(0, len(body), CHECKED))
    deque(codecs.iterdecode(parts, "utf-8"), maxlen=0)


def _compact(body: bytes) -> bytes:
    """Take out what JSON may have and a message may not: a byte-order mark, line breaks.

    Raises:
        UnicodeDecodeError: It is not UTF-8, which is not seen where text is only passed on.
        msgspec.DecodeError: It is not JSON.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    if not body.isascii():
        _check_text(body)
    return msgspec.json.format(body, indent=-1) if b"\n" in body else body
