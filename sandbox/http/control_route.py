"""Routes of the control API: the result of a function as JSON, its errors as status 400."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

ROOT = "/sandbox/"


class OrderError(ValueError):
    """A control request that cannot be executed."""


def control_route(
    path: str,
    method: str,
    work: Callable[[Request], Awaitable[object]],
    errors: tuple[type[Exception], ...] = (),
) -> Route:
    """Return a route of the control API.

    Args:
        path: Path below /sandbox/.
        method: HTTP method.
        work: Executes a request. A result in bytes is sent as it is, everything else as JSON.
        errors: Exceptions that mean that the request is invalid, besides ValueError.
    """
    refused: tuple[type[Exception], ...] = (ValueError, *errors)

    async def answer(request: Request) -> Response:
        try:
            result = await work(request)
        except refused as error:
            body = msgspec.json.encode({"error": str(error)})
            return Response(body, 400, media_type="application/json")
        if isinstance(result, bytes):
            return Response(result, media_type="application/json")
        return Response(msgspec.json.encode(result), media_type="application/json")

    return Route(f"{ROOT}{path}", answer, methods=[method])
