"""Layer of faults around the service: applies faults to requests, and logs every request."""

from __future__ import annotations

import asyncio
import random
import re
import time
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, unquote

import msgspec

from sandbox.faults import refusals
from sandbox.faults.body import request_text, rewrite, split

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from sandbox.faults.fault import Fault


CONTROL = "/sandbox/"
LONGEST_LOG = 200_000
LOGGED_HEADERS = ("prefer", "user-agent", "accept-encoding", "odata-version", "odata-maxversion")
PAGE_SIZE = re.compile(r"odata\.maxpagesize=([0-9]+)")


class _Order:
    """A fault that was ordered, with its counters.

    Args:
        fault: The fault.
    """

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.seen = 0
        self.hits = 0
        self.random = random.Random(fault.seed)  # noqa: S311  - repeatable by design
        self.pattern = re.compile(fault.path) if _is_pattern(fault.path) else None

    def hits_request(self, method: str, url: str, prefer: str, *, part: bool = False) -> bool:
        """Return whether the fault hits a request, and count the request.

        Args:
            method: HTTP method of the request.
            url: Decoded path and query.
            prefer: Value of the `Prefer` header.
            part: Whether the request is part of a batch.
        """
        fault = self.fault
        if fault.in_batch != part or (fault.method and fault.method.upper() != method):
            return False
        if fault.path not in url and not (self.pattern and self.pattern.search(url)):
            return False
        size = PAGE_SIZE.search(prefer)
        if size and int(size[1]) <= fault.over_rows:
            return False
        self.seen += 1
        if self.seen <= fault.skip or (fault.count is not None and self.hits >= fault.count):
            return False
        if fault.probability < 1 and self.random.random() >= fault.probability:
            return False
        self.hits += 1
        return True


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return bool(text)


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
        now: Returns the service's time, for the `Date` header.
        connections: Closes connections.
        commit: Commits a transaction by its number.
        expire_tokens: Expires all access tokens.

    Attributes:
        orders: Faults in the order in which they were ordered.
        log: The logged requests.
    """

    def __init__(
        self,
        app: ASGIApp,
        now: Callable[[], datetime],
        connections: Connections,
        commit: Callable[[int], None],
        expire_tokens: Callable[[], None],
    ) -> None:
        self.app = app
        self.now = now
        self.connections = connections
        self.commit = commit
        self.expire_tokens = expire_tokens
        self.orders: list[_Order] = []
        self.log: list[dict[str, Any]] = []

    def order(self, fault: Fault) -> None:
        """Order a fault; the first fault that matches a request is applied.

        Raises:
            ValueError: The attributes of the fault contradict each other.
        """
        fault.check(self.now())
        self.orders.append(_Order(fault))

    def answer_to_part(
        self, method: str, url: str, prefer: str
    ) -> tuple[int, dict[str, str], bytes] | None:
        """Return the response that a fault has for a request within a batch, if there is one.

        Args:
            method: HTTP method of the request.
            url: Decoded URL of the request.
            prefer: Value of the `Prefer` header.

        Returns:
            Status, headers and body.
        """
        for order in self.orders:
            if order.hits_request(method, url, prefer, part=True):
                return order.fault.answer(self.now())
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith(CONTROL):
            await self.app(scope, receive, send)
            return
        query = scope["query_string"].decode("latin-1")
        url = f"{scope['path']}?{unquote(query)}" if query else scope["path"]
        entry = self._entry(scope, query)
        scope["sandbox.answer_to_part"] = self.answer_to_part
        prefer = entry["headers"].get("prefer", "")
        hit = (order for order in self.orders if order.hits_request(scope["method"], url, prefer))
        order = next(hit, None)

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
            entry["order"] = self.orders.index(order)
            await self._apply(order.fault, scope, receive, counted)

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
        if len(self.log) < LONGEST_LOG:
            self.log.append(entry)
        return entry

    async def _apply(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.commit is not None:
            self.commit(fault.commit)
        if fault.delay_ms:
            await asyncio.sleep(fault.delay_ms / 1000)
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
    if scope["path"].startswith("/api/data/"):
        return refusals.odata("0x80048d19", words)
    return msgspec.json.encode({"error": "invalid_request", "error_description": words})


def _raw_headers(headers: dict[str, str], length: int) -> list[tuple[bytes, bytes]]:
    pairs = {**headers, "Content-Length": str(length)}
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs.items()]


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
