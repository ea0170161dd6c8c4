"""Faults that can be ordered, and the log of the requests: a layer around the service."""

from __future__ import annotations

import asyncio
import random
import re
import time
from datetime import timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, unquote

import msgspec

from sandbox.faults import bodies, refusals

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from starlette.types import ASGIApp, Message, Receive, Scope, Send


CONTROL = "/sandbox/"
LONGEST_LOG = 200_000
LOGGED_HEADERS = ("prefer", "user-agent", "accept-encoding", "odata-version", "odata-maxversion")
PAGE_SIZE = re.compile(r"odata\.maxpagesize=([0-9]+)")
HTML = b"<!DOCTYPE html><html><body><h1>Sign in to your account</h1></body></html>"


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """What to do to which requests.

    Attributes:
        path: found anywhere in the decoded path and query, a part or a regular expression.
        method: the method, or any.
        count: how many requests to hit; none means all.
        skip: how many matching requests to let through first.
        over_rows: hit only requests whose `Prefer` asks for pages of more rows than this, or names
            no size.
        probability: the share of the matching requests to hit, drawn with `seed`.
        status: answer with this status, `headers` and `body`; where that is left out, with an error
            whose code says "unexpected" for 500, and "refused" for all else.
        code: of that error, with any status; `message` its words, where they are not the service's
            own for the code.
        error_form: how the error is written, one of `sandbox.faults.refusals.FORMS`.
        substitute: patterns, each with what takes the place of every match in the text of the
            service's answer, in the syntax of `re.sub`.
        in_batch: hit requests within `$batch`, and none outside.
        throttle: answer 429 for `requests`, `execution_time` or `concurrency`.
        retry_after: the `Retry-After` header's value; nothing leaves the header out.
        retry_after_is_date: tell the moment that is so many seconds ahead instead.
        delay_ms: wait before anything else.
        drop: close the connection without an answer.
        reset: reset it.
        away_ms: close all connections, and refuse new ones for so long.
        truncate: close it in the middle of the body.
        cut: end the answer in the middle of the body, as if that were its end.
        garble: put bytes in the middle of the body that can stand nowhere in it.
        dribble_ms: send the body in some pieces, and wait before each.
        repeat_next_link: give the request's own URL as nextLink.
        relative_next_link: give the nextLink relative to the service root.
        empty_page: give no rows, and a nextLink that goes on.
        html: answer 200 with a web page.
        expire_tokens: let every access token have expired just before.
        echo: answer 400, and repeat headers and body of the request, as some gateways do.
        commit: let everybody see the changes of this transaction just before, as if they came in
            the middle of a run.
    """

    path: str = ""
    method: str = ""
    count: int | None = 1
    skip: int = 0
    over_rows: int = 0
    probability: float = 1.0
    seed: int = 0
    status: int | None = None
    headers: dict[str, str] = {}
    body: Any = None
    code: str | None = None
    message: str = ""
    error_form: str = "odata"
    substitute: list[tuple[str, str]] = []
    in_batch: bool = False
    throttle: str = ""
    retry_after: str | None = None
    retry_after_is_date: bool = False
    delay_ms: int = 0
    drop: bool = False
    reset: bool = False
    away_ms: int = 0
    truncate: bool = False
    cut: bool = False
    garble: bool = False
    dribble_ms: int = 0
    repeat_next_link: bool = False
    relative_next_link: bool = False
    empty_page: bool = False
    html: bool = False
    expire_tokens: bool = False
    echo: bool = False
    commit: int | None = None

    @property
    def touches_body(self) -> bool:
        """Whether the service's answer is changed on its way."""
        links = self.repeat_next_link or self.relative_next_link
        changed = links or self.cut or self.garble or bool(self.substitute)
        return changed or self.dribble_ms > 0

    def answer(self, now: datetime) -> tuple[int, dict[str, str], bytes] | None:
        """The answer that takes the place of the service's, if there is one.

        Args:
            now: the service's time.
        """
        headers = {"Content-Type": refusals.JSON, **self.headers}
        retry_after = "1" if self.throttle and self.retry_after is None else self.retry_after
        if retry_after and self.retry_after_is_date:
            moment = now + timedelta(seconds=float(retry_after))
            headers["Retry-After"] = format_datetime(moment, usegmt=True)
        elif retry_after:
            headers["Retry-After"] = retry_after
        if self.throttle:
            return 429, headers, self._refusal(refusals.THROTTLED[self.throttle], headers)
        if self.html:
            return 200, {**headers, "Content-Type": "text/html; charset=utf-8"}, HTML
        if self.status is None:
            return None
        if isinstance(self.body, str):
            return self.status, headers, self.body.encode()
        if self.body is not None:
            return self.status, headers, msgspec.json.encode(self.body)
        own = self.status == HTTPStatus.INTERNAL_SERVER_ERROR
        default = refusals.UNEXPECTED if own else refusals.REFUSED
        code = default if self.code is None else self.code
        return self.status, headers, self._refusal(code, headers)

    def check(self, now: datetime) -> None:
        """Refuse an order that cannot be followed.

        Args:
            now: the service's time.

        Raises:
            ValueError: it is one.
        """
        given = self.code is not None or self.message or self.error_form != "odata"
        if given and self.status is None and not self.throttle:
            text = "An order of an error needs a status: code, message and error_form say which."
            raise ValueError(text)
        answer = self.answer(now)
        if self.in_batch and answer is None:
            text = "Within a batch only an answer in place of the service's can be ordered."
            raise ValueError(text)
        try:
            for pattern, replacement in self.substitute:
                re.sub(pattern, replacement, "")
        except re.error as error:
            text = f"Not to be substituted: {error}."
            raise ValueError(text) from error

    def _refusal(self, code: str, headers: dict[str, str]) -> bytes:
        """An error's body; its media type goes to the headers, unless they name another."""
        media_type, body = refusals.refusal(self.error_form, code, self.message)
        if "Content-Type" not in self.headers:
            headers["Content-Type"] = media_type
        return body


class _Order:
    """A fault with its counters."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.seen = 0
        self.hits = 0
        self.random = random.Random(fault.seed)  # noqa: S311  - repeatable by design
        self.pattern = re.compile(fault.path) if _is_pattern(fault.path) else None

    def hits_request(self, method: str, url: str, prefer: str, *, part: bool = False) -> bool:
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
    """What can be done to the connections of clients."""

    def abort(self, client: tuple[str, int], *, reset: bool = False) -> None:
        """Close the connection of a client's address."""

    async def leave(self, seconds: float) -> None:
        """Close all connections, and refuse new ones for a while."""


class FaultLayer:
    """Logs every request, and does to it what was ordered.

    Args:
        app: the service within.
        now: the service's time, for the header `Date`.
        connections: what cuts them.
        commit: commits a transaction by its number.
        expire_tokens: lets every access token have expired.
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
        """Add a fault; the first that matches a request wins.

        Raises:
            ValueError: it cannot be followed.
        """
        fault.check(self.now())
        self.orders.append(_Order(fault))

    def answer_to_part(
        self, method: str, url: str, prefer: str
    ) -> tuple[int, dict[str, str], bytes] | None:
        """The ordered answer to a request within a batch, if there is one.

        Args:
            method: its method.
            url: its address, decoded.
            prefer: its header `Prefer`.
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
            await self._spoil(order.fault, scope, receive, counted)

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

    async def _spoil(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
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
            await _send(send, status, list(_raw(headers, len(body))), body)
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
        body = bodies.rewritten(fault, scope, body)
        headers = [header for header in start["headers"] if header[0] != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        if not fault.dribble_ms:
            await _send(send, start["status"], headers, body)
            return
        await send({**start, "headers": headers})
        for piece in bodies.pieces(body):
            await asyncio.sleep(fault.dribble_ms / 1000)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _echo(scope: Scope, receive: Receive) -> bytes:
    """An error that repeats its request: in the words of the service, and of the sign-in host."""
    words = f"AADSTS9002313: Invalid request: {await bodies.repeated(scope, receive)}"
    if scope["path"].startswith("/api/data/"):
        return refusals.odata("0x80048d19", words)
    return msgspec.json.encode({"error": "invalid_request", "error_description": words})


def _raw(headers: dict[str, str], length: int) -> list[tuple[bytes, bytes]]:
    pairs = {**headers, "Content-Length": str(length)}
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs.items()]


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
