"""OData service at /data: from a request to a response."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec
from starlette.routing import Route

from sandbox.data.clock import Clock
from sandbox.faults import refusals
from sandbox.faults.errors import ServiceError
from sandbox.finance_operations import errors
from sandbox.finance_operations.companies import Access
from sandbox.finance_operations.pages import Pages
from sandbox.finance_operations.response import response
from sandbox.finance_operations.switches import Switches
from sandbox.http.answer import Answer, accepts_gzip
from sandbox.http.threads import Threads
from sandbox.identity import tokens
from sandbox.query import bodies, preferences

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from sandbox.data.model import Table
    from sandbox.data.store import Store
    from sandbox.finance_operations.pages import Page
    from sandbox.identity.tokens import Authority

BOM = b"\xef\xbb\xbf"
METHODS = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"]
WORKERS = 4
# Seconds of the first `Retry-After`, which doubles with each refusal, and of the last one.
FIRST_WAIT, LAST_WAIT = 5, 60
ROWS_OF_SKIP_DELAY = 1_000
_RESOURCE = re.compile(r"(\w+)(?:\((.*)\))?(/\$count)?", re.DOTALL)


class Service:
    """The OData service of an environment.

    Args:
        store: The tables and their rows.
        authority: Issues and validates access tokens.
    """

    def __init__(self, store: Store, authority: Authority) -> None:
        self.model = store.model
        self.store = store
        self.authority = authority
        self.clock = Clock()
        self.switches = Switches()
        self.access = Access(store)
        self.pages = Pages(store, self.access)
        self._threads = Threads(WORKERS)
        self._refused = 0

    def routes(self) -> list[Route]:
        """Return the routes of the service: every path that nothing else has."""
        return [Route("/{rest:path}", self.respond, methods=METHODS)]

    def close(self) -> None:
        """Shut down the threads."""
        self._threads.close()

    async def respond(self, request: Request) -> Response:
        """Return the response to a request."""
        try:
            answer = await self._answer(request)
        except ServiceError as error:
            found = errors.in_own_shape(error)
            answer = Answer(found.content, found.media_type, found.headers, found.status)
        gzipped = self.switches.compress and accepts_gzip(request)
        return await self._threads.run(partial(response, answer, gzipped=gzipped))

    async def _answer(self, request: Request) -> Answer:
        url = str(request.url)
        if 0 < self.switches.longest_url < len(url):
            status = self.switches.long_url_status
            return Answer(refusals.long_address(status), "text/html", status=status)
        origin = f"{request.url.scheme}://{request.headers.get('host', '')}"
        path = unquote(request.scope["raw_path"].decode("latin-1").partition("?")[0])
        first, _, path = path.lstrip("/").partition("/")
        if first.lower() != "data":
            raise errors.no_resource(url)
        self._check_caller(request.headers.get("authorization", ""), origin)
        self._check_load()
        if request.method not in {"GET", "HEAD"}:
            raise errors.wrong_method(request.method)
        root = f"{self.switches.link_origin or origin}/data/"
        return await self._get(path.rstrip("/"), root, request)

    def _check_caller(self, authorization: str, origin: str) -> None:
        """Refuse callers without a valid token for exactly this service, and unlisted apps."""
        if self.switches.sign_in_redirect:
            asked = f"response_type=code&client_id={tokens.PUBLIC_CLIENT}"
            place = f"{origin}/{tokens.TENANT}/oauth2/v2.0/authorize?{asked}"
            raise errors.sign_in(place)
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or self.authority.audience(token) != origin:
            raise errors.unauthorized()
        if self.switches.app_not_listed:
            raise errors.not_listed()

    def _check_load(self) -> None:
        """Refuse a request because of the load; each refusal in a row asks for a longer wait."""
        if not self.switches.throttled_requests:
            self._refused = 0
            return
        self.switches.throttled_requests -= 1
        wait = min(FIRST_WAIT * 2**self._refused, LAST_WAIT)
        self._refused += 1
        raise errors.busy(str(wait) if self.switches.throttle_header else "")

    async def _get(self, path: str, root: str, request: Request) -> Answer:
        if not path:
            return Answer(msgspec.json.encode(bodies.service_document(root, self.model.by_set)))
        if path == "$metadata":
            delay, self.switches.metadata_delay_ms = self.switches.metadata_delay_ms, 0
            await asyncio.sleep(delay / 1000)
            return Answer(self.model.document or b"", "application/xml")
        match = _RESOURCE.fullmatch(path)
        table = self.model.by_set.get(match[1]) if match else None
        if match is None or table is None:
            raise errors.no_resource(str(request.url))
        if table.name in self.switches.forbidden_tables:
            raise errors.no_right(table.name)
        raw = request.url.query
        self.pages.guid_order = self.switches.guid_comparison == "understood"
        if match[3]:
            number = await self._threads.run(partial(self.pages.count, table, raw))
            return Answer(BOM + str(number).encode(), "text/plain; charset=utf-8")
        if match[2] is not None:
            page = await self._threads.run(partial(self.pages.single, table, match[2], root, raw))
            return Answer(page.body)
        empty = bool(request.scope.get("sandbox.empty_page"))
        wish = preferences.parse(request.headers.get("prefer", "")).page_size
        largest, headers = self.switches.page_size_cap, {}
        if wish and self.switches.honours_page_size:
            largest = min(largest, wish)
            headers["Preference-Applied"] = f"odata.maxpagesize={wish}"
        page = await self._threads.run(
            partial(self.pages.page, table, root, raw, largest, empty=empty)
        )
        await asyncio.sleep(self._delay(table, page) / 1000)
        return Answer(page.body, headers=headers)

    def _delay(self, table: Table, page: Page) -> float:
        """Return the delay of a page in milliseconds."""
        query, switches = page.query, self.switches
        names = {column.property_name for column in query.select or table.columns}
        of_row = sum(
            delay
            for place, delay in switches.slow_columns.items()
            if place.partition("/")[0] == table.name and place.partition("/")[2] in names
        )
        skipped = query.skip / ROWS_OF_SKIP_DELAY * switches.skip_delay_ms
        return switches.page_delay_ms + skipped + of_row * page.rows
