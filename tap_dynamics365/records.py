"""From the bytes of a page to records."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from typing_extensions import override

from tap_dynamics365.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import requests


T = TypeVar("T")


class Digits(Decimal):
    """A number that is written with the digits it was read with.

    `Decimal` writes zero with many decimal places as `0E-10`.
    """

    @override
    def __str__(self) -> str:
        return format(self, "f")


class _Page(msgspec.Struct):
    value: list[dict[str, Any]]


class _Link(msgspec.Struct):
    next_link: str | None = msgspec.field(default=None, name="@odata.nextLink")


_page = msgspec.json.Decoder(_Page, float_hook=Digits)
_link = msgspec.json.Decoder(_Link)


def rows(response: requests.Response, columns: Collection[str]) -> Iterator[dict[str, Any]]:
    """Read the rows of a page ("OData JSON Format Version 4.0", section 12).

    Args:
        response: The answer to a query.
        columns: Names of the columns wanted.

    Yields:
        Each row with these columns alone, those it lacks left out. Numbers keep their digits;
        annotations, which name themselves with an `@`, are dropped wherever they are.

    Raises:
        ServiceError: The answer is no such page.
    """
    page = _decode(_page, response)
    for row in page.value:
        yield {name: _plain(row[name]) for name in columns if name in row}


def next_link(response: requests.Response) -> str | None:
    """Read where the page after this one is.

    Args:
        response: The answer to a query.

    Returns:
        The link as the service wrote it, or None behind the last page.

    Raises:
        ServiceError: The answer is no page of rows.
    """
    return _decode(_link, response).next_link


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    match value:
        case dict():
            return {name: _plain(part) for name, part in value.items() if "@" not in name}
        case list():
            return [_plain(part) for part in value]
        case _:
            return value


def _decode(decoder: msgspec.json.Decoder[T], response: requests.Response) -> T:
    try:
        return decoder.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        kind = response.headers.get("Content-Type", "no content type")
        msg = (
            f"The service's answer is not a page of rows ({kind}: {error}). "
            "Is service_url the address of the Web API, and no sign-in page or proxy before it?"
        )
        raise ServiceError(msg, status=response.status_code) from error
