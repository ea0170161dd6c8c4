"""Layer of faults around the service: applies faults to requests, and logs every request."""

from __future__ import annotations

import asyncio
import time
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, unquote

import msgspec

from sandbox.faults import refusals
from sandbox.faults.body import request_text, rewrite, split
from sandbox.http import control_route

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from sandbox.faults.fault import Fault
    from sandbox.faults.orders import OrderedFault, Orders


LONGEST_LOG = 200_000
LOGGED_HEADERS = (
    "prefer",
    "user-agent",
    "accept-encoding",
    "accept-language",
    "data-access-intent",
    "odata-version",
    "odata-maxversion",
)


class Connections(Protocol):
    """Operations on the connections of clients."""

    def abort(self, client: tuple[str, int], *, reset: bool = False) -> None:
        """Close the connection of a client, by its address."""

    async def leave(self, seconds: float) -> None:
        """Close all connections, and refuse new ones for a while."""


class FaultLayer:
    """ASGI application that logs every request and applies the ordered faults.

    Args:
        app: The application within the layer.
        orders: The ordered faults and the log.
        connections: Closes connections.
        commit: Commits a transaction by its number.
        expire_tokens: Expires all access tokens.
    """

    def __init__(
        self,
        app: ASGIApp,
        orders: Orders,
        connections: Connections,
        commit: Callable[[int], None],
        expire_tokens: Callable[[], None],
    ) -> None:
        self.app = app
        self.orders = orders
        self.now = orders.now
        self.connections = connections
        self.commit = commit
        self.expire_tokens = expire_tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith(control_route.ROOT):
            await self.app(scope, receive, send)
            return
        query = scope["query_string"].decode("latin-1")
        url = f"{scope['path']}?{unquote(query)}" if query else scope["path"]
        entry = self._entry(scope, query)
        scope["sandbox.answer_to_part"] = self.orders.answer_to_part
        prefer = entry["headers"].get("prefer", "")
        order = self.orders.matching(scope["method"], url, prefer)

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
                entry["answered_at"] = time.monotonic()
                entry["retry_after"] = dict(message["headers"]).get(b"retry-after", b"").decode()
                date = format_datetime(self.now(), usegmt=True).encode()
                message = {**message, "headers": [*message["headers"], (b"date", date)]}
            else:
                entry["bytes"] += len(message.get("body", b""))
            await send(message)

        if order is None:
            await self.app(scope, receive, counted)
        else:
            entry["fault"] = True
            entry["order"] = self.orders.orders.index(order)
            await self._apply(order, scope, receive, counted)

    def _entry(self, scope: Scope, query: str) -> dict[str, Any]:
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        entry: dict[str, Any] = {
            "at": time.monotonic(),
            "method": scope["method"],
            "path": scope["path"],
            "query": dict(parse_qsl(query, keep_blank_values=True)),
            "headers": {name: headers[name] for name in LOGGED_HEADERS if name in headers},
            "cookie": "cookie" in headers,
            "authorization": "authorization" in headers,
            "status": 0,
            "answered_at": None,
            "retry_after": "",
            "bytes": 0,
            "fault": False,
            "order": None,
        }
        if len(self.orders.log) < LONGEST_LOG:
            self.orders.log.append(entry)
        return entry

    async def _apply(self, order: OrderedFault, scope: Scope, receive: Receive, send: Send) -> None:
        fault = order.fault
        if fault.hold:
            await order.cleared.wait()
        await self._before(fault)
        if fault.away_ms:
            await self.connections.leave(fault.away_ms / 1000)
            return
        if fault.drop or fault.reset:
            self.connections.abort(scope["client"], reset=fault.reset)
            return
        if fault.expire_tokens:
            self.expire_tokens()
        if fault.echo:
            body = await _echo(scope, receive)
            await _send(send, 400, [(b"content-type", b"application/json")], body)
            return
        if (answer := fault.answer(self.now())) is not None:
            status, headers, body = answer
            await _send(send, status, list(_raw_headers(headers, len(body))), body)
            return
        if fault.empty_page:
            scope["sandbox.empty_page"] = True
        if fault.truncate or fault.touches_body:
            await self._rewrite(fault, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _before(self, fault: Fault) -> None:
        """Change the sandbox, and wait."""
        if fault.commit is not None:
            self.commit(fault.commit)
        if fault.change:
            await self._change(*fault.change)
        if fault.delay_ms:
            await asyncio.sleep(fault.delay_ms / 1000)

    async def _change(self, method: str, path: str, body: object = None) -> None:
        """Execute a control request.

        Raises:
            ValueError: The request is refused.
        """
        place = f"{control_route.ROOT}{path}"
        scope: Scope = {
            "type": "http",
            "method": method,
            "path": unquote(place),
            "raw_path": place.encode(),
            "query_string": b"",
            "headers": [],
        }
        said: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": msgspec.json.encode(body)}

        async def send(message: Message) -> None:
            said.append(message)

        await self.app(scope, receive, send)
        if said[0]["status"] != HTTPStatus.OK:
            raise ValueError(said[-1]["body"].decode())

    async def _rewrite(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.repeat_next_link or fault.relative_next_link:
            kept = [header for header in scope["headers"] if header[0] != b"accept-encoding"]
            scope = {**scope, "headers": kept}
        start: Message = {}
        body = b""

        async def collect(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
            else:
                body += message.get("body", b"")

        await self.app(scope, receive, collect)
        if fault.truncate:
            await send(start)
            half = body[: len(body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
            return
        body = rewrite(fault, scope, body)
        headers = [header for header in start["headers"] if header[0] != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        if not fault.dribble_ms:
            await _send(send, start["status"], headers, body)
            return
        await send({**start, "headers": headers})
        for piece in split(body):
            await asyncio.sleep(fault.dribble_ms / 1000)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _echo(scope: Scope, receive: Receive) -> bytes:
    """Return an error that repeats the request, in the format of the host that it was sent to."""
    words = f"AADSTS9002313: Invalid request: {await request_text(scope, receive)}"
    if "/oauth2/" in scope["path"]:
        return msgspec.json.encode({"error": "invalid_request", "error_description": words})
    return refusals.odata("0x80048d19", words)


def _raw_headers(headers: dict[str, str], length: int) -> list[tuple[bytes, bytes]]:
    pairs = {**headers, "Content-Length": str(length)}
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs.items()]


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
