"""An answer taken apart into rows, each of them still the text that the service wrote.

That is done once, as soon as an answer has arrived: what can be taken apart is whole.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec
from msgspec import Raw

from tap_dynamics365.errors import ServiceError
from tap_dynamics365.http import answers
from tap_dynamics365.records.page import Page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import requests

    from tap_dynamics365.records.page import Value

METADATA_VERSION = "Microsoft.Dynamics.CRM.globalmetadataversion"
DELTA_TOKEN = re.compile(r"[?&](?:\$|%24)deltatoken=([^&#]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RawPage:
    """A page as the service sent it.

    Attributes:
        body: All of it.
        rows: The text of each row, which is a part of the body and no copy.
        next_link: Where the rows after it are, if there are more.
        delta_token: As of `Page`.
        metadata_version: As of `Page`.
        asked: How many rows were asked for.
    """

    body: bytes
    rows: Sequence[Raw]
    next_link: str | None = None
    delta_token: str | None = None
    metadata_version: Value = None
    asked: int = 0


class _Page(msgspec.Struct):
    value: list[Raw]
    next_link: str | None = msgspec.field(default=None, name="@odata.nextLink")
    delta_link: str | None = msgspec.field(default=None, name="@odata.deltaLink")
    metadata_version: str | int | None = msgspec.field(default=None, name=f"@{METADATA_VERSION}")


_pages = msgspec.json.Decoder(_Page)
_row = msgspec.json.Decoder(dict[str, Any])


def split(response: requests.Response, asked: int = 0) -> RawPage:
    """Take an answer apart.

    Args:
        response: The answer to a query.
        asked: How many rows were asked for.

    Returns:
        Its rows, and what the service says of them.

    Raises:
        TransientServiceError: The answer is cut off, or was spoilt on its way.
        ServiceError: It is no page of rows.
    """
    with reading():
        try:
            body = _compact(response.content)
            page = _pages.decode(body)
        except answers.SENSELESS:
            answers.check_whole(response)
            raise
    token = _token(page.delta_link)
    return RawPage(body, page.value, page.next_link, token, page.metadata_version, asked)


def links(raw: RawPage) -> Page:
    """Read what a page leads to, and pass over its rows.

    Args:
        raw: The page as it was sent.

    Returns:
        A page without rows.
    """
    return Page(
        pieces=(),
        rows=0,
        sent=0,
        size=0,
        first=None,
        last=None,
        next_link=raw.next_link,
        delta_token=raw.delta_token,
        asked=raw.asked,
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
    except answers.SENSELESS as error:
        msg = (
            f"The service's answer is not a page of rows ({error}). Is service_url the address of "
            "the Web API, and no sign-in page or proxy before it?"
        )
        raise ServiceError(msg) from error


def _token(link: str | None) -> str | None:
    """Take the delta token out of a link, decoded."""
    found = DELTA_TOKEN.search(link or "")
    return unquote(found[1]) if found else None


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
