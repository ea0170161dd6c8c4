"""Business Central: from a request to a response."""

from __future__ import annotations

import asyncio
import base64
import binascii
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from starlette.routing import Route

from sandbox.business_central import addresses, errors
from sandbox.business_central.broken import Breakages
from sandbox.business_central.companies import Companies
from sandbox.business_central.csdl import ODATA
from sandbox.business_central.gate import Gate
from sandbox.business_central.pages import Pages, View
from sandbox.business_central.replica import Replica
from sandbox.business_central.resources import Resources
from sandbox.business_central.response import STREAMED, response
from sandbox.business_central.switches import Switches
from sandbox.data.clock import Clock
from sandbox.faults import refusals
from sandbox.faults.errors import ServiceError
from sandbox.http.answer import Answer, accepts_gzip
from sandbox.http.threads import Threads
from sandbox.query import bodies, preferences
from sandbox.query.option_values import options

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from sandbox.business_central.addresses import Address
    from sandbox.business_central.csdl import CentralModel
    from sandbox.business_central.resources import Resource
    from sandbox.data.store import Store
    from sandbox.identity.tokens import Authority

METHODS = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"]
WORKERS = 6
# Resource of the service in the cloud, valid besides the local one.
CLOUD = "https://api.businesscentral.dynamics.com"
VERSIONS = ("v1.0", "v1.1", "v1.2")
PICTURE = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\xff\xd9"


class Service:
    """The services of an environment.

    Args:
        store: The tables and their rows.
        authority: Issues and validates access tokens.
    """

    def __init__(self, store: Store, authority: Authority) -> None:
        self.model: CentralModel = store.model  # type: ignore[assignment]  # as `filling` makes it
        self.store = store
        self.authority = authority
        self.clock = Clock()
        self.switches = Switches()
        self.gate = Gate()
        self.companies = Companies()
        self.breakages = Breakages()
        self.replica = Replica(store)
        self.pages = Pages(self.breakages)
        self._threads = Threads(WORKERS)

    def routes(self) -> list[Route]:
        """Return the routes of the service: every path that nothing else has."""
        return [Route("/{rest:path}", self.respond, methods=METHODS)]

    def close(self) -> None:
        """Shut down the threads."""
        self._threads.close()
        self.replica.close()

    async def respond(self, request: Request) -> Response:
        """Return the response to a request."""
        try:
            answer = await self._answer(request)
        except ServiceError as error:
            found = errors.in_own_shape(error)
            body = found.content(request.headers.get("accept-language", ""))
            kind = "text/html" if isinstance(found, errors.BareError) else "application/json"
            answer = Answer(body, kind, found.headers, found.status)
        gzipped = self.switches.compress and accepts_gzip(request)
        return await self._threads.run(partial(response, answer, gzipped=gzipped))

    async def _answer(self, request: Request) -> Answer:
        origin = f"{request.url.scheme}://{request.headers.get('host', '')}"
        path = request.scope["raw_path"].decode("latin-1").partition("?")[0]
        authorization = request.headers.get("authorization", "")
        on_premises = addresses.is_on_premises(path)
        self._check_length(len(request.url.query), on_premises=on_premises)
        if on_premises:
            self._check_password(authorization)
        else:
            self._check_token(authorization, origin)
        async with self.gate.entered():
            if request.method not in {"GET", "HEAD"}:
                raise errors.wrong_method(request.method)
            if path.startswith("/environments/"):
                return self._environments(path, self.switches.link_origin or origin)
            address = addresses.find(self.model.apis, path)
            if on_premises and self.switches.odata_off and address.api.path == ODATA:
                raise errors.BareError(405)
            root = f"{self.switches.link_origin or origin}{address.root}"
            return await self._get(address, root, request)

    def _check_length(self, length: int, *, on_premises: bool) -> None:
        """Refuse a query string that is too long."""
        switches = self.switches
        most = switches.longest_query_on_premises if on_premises else switches.longest_query
        if length > most:
            status = 400 if on_premises else 414
            raise errors.BareError(status, refusals.long_address(status))

    def _check_token(self, authorization: str, origin: str) -> None:
        """Refuse callers without a valid token for this service, and unknown apps."""
        scheme, _, token = authorization.partition(" ")
        audience = self.authority.audience(token).rstrip("/")
        if scheme.lower() != "bearer" or audience not in {origin, CLOUD}:
            raise errors.unauthorized()
        if self.switches.app_not_registered:
            raise errors.unauthorized()

    def _check_password(self, authorization: str) -> None:
        """Refuse callers without the user and the web service access key."""
        scheme, _, given = authorization.partition(" ")
        try:
            found = base64.b64decode(given, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            found = ""
        if scheme.lower() != "basic" or found != f"{addresses.USER}:{addresses.ACCESS_KEY}":
            raise errors.wrong_password()

    def _environments(self, path: str, origin: str) -> Answer:
        if path.strip("/").partition("/")[2] not in VERSIONS:
            raise errors.unknown_segment(path.strip("/"))
        body = msgspec.json.encode({"value": addresses.environments(origin)})
        supported = {"api-supported-versions": ", ".join(VERSIONS).replace("v", "")}
        return Answer(body, "application/json; charset=utf-8", supported)

    async def _get(self, address: Address, root: str, request: Request) -> Answer:
        api, segments = address.api, [part for part in address.segments if part]
        given = options(request.url.query)
        if address.on_premises and given.get("tenant", addresses.TENANT) != addresses.TENANT:
            message = f"The tenant '{given['tenant']}' is not found."
            raise errors.CentralError(404, "Internal_TenantNotFound", message)
        if not segments:
            return Answer(msgspec.json.encode(bodies.service_document(root, api.sets)), STREAMED)
        if segments == ["$metadata"]:
            delay, self.switches.metadata_delay_ms = self.switches.metadata_delay_ms, 0
            await asyncio.sleep(delay / 1000)
            return Answer(api.document, "application/xml")
        intent = request.headers.get("data-access-intent", "")
        store = self.replica.store("ReadWrite" if address.on_premises else intent)
        self.pages.guid_order = self.switches.guid_comparison == "understood"
        resources = Resources(store, self.companies)
        try:
            found = await self._threads.run(
                partial(resources.find, api, segments, given.get("company", ""))
            )
        except errors.CentralError as error:
            if address.on_premises and api.path == ODATA and error.status == 404:  # noqa: PLR2004
                raise errors.BareError(404) from None
            raise
        self._check_access(found, intent, on_premises=address.on_premises)
        if "$expand" in given and request.headers.get("if-match") != "*":
            self._check_conflict()
        return await self._read(found, store, address, root, request)

    def _check_access(self, found: Resource, intent: str, *, on_premises: bool) -> None:
        """Refuse tables and companies without permission, and pages that write."""
        switches, name = self.switches, found.shape.table.name
        if name in switches.forbidden_tables:
            raise errors.no_permission(switches.permission_status, name)
        if found.company and self.companies.is_closed(found.company):
            raise errors.no_permission(switches.permission_status, "Company Information")
        if name in switches.writing_pages and intent.lower() == "readonly" and not on_premises:
            raise errors.read_only()

    def _check_conflict(self) -> None:
        """Refuse a read as if another user had changed the record, if that was ordered."""
        if self.switches.expand_conflicts:
            self.switches.expand_conflicts -= 1
            raise errors.changed()

    async def _read(
        self, found: Resource, store: Store, address: Address, root: str, request: Request
    ) -> Answer:
        raw = request.url.query
        if found.stream:
            if not await self._threads.run(partial(self.pages.exists, store, found)):
                raise errors.no_row()
            return Answer(PICTURE, "image/jpeg")
        if found.counts:
            number = await self._threads.run(partial(self.pages.count, store, found, raw))
            return Answer(str(number).encode(), "text/plain; charset=utf-8")
        if found.is_row:
            view = View(root, 1, {})
            body = await self._threads.run(partial(self.pages.single, store, found, raw, view))
            return Answer(body, STREAMED)
        largest, headers = self._page_size(request.headers.get("prefer", ""), address.on_premises)
        given = options(raw)
        added = {"tenant": given["tenant"]} if "tenant" in given else {}
        added |= {} if address.on_premises else {"aid": "FIN"}
        empty = bool(request.scope.get("sandbox.empty_page"))
        view = View(root, largest, added, empty)
        body = await self._threads.run(partial(self.pages.page, store, found, raw, view))
        await asyncio.sleep(self.switches.page_delay_ms / 1000)
        if found.company:
            # A company that was removed meanwhile may have lost a part of the rows.
            self.companies.find(found.company.id)
        return Answer(body, STREAMED, headers)

    def _page_size(self, prefer: str, on_premises: bool) -> tuple[int, dict[str, str]]:  # noqa: FBT001  - of `Address`
        """Return the largest number of rows, and the header that says so."""
        switches = self.switches
        largest = switches.on_premises_page_size_cap if on_premises else switches.page_size_cap
        wish = preferences.parse(prefer).page_size
        if not wish:
            return largest, {}
        if wish > largest and switches.oversized_page == "refused":
            raise errors.page_too_large(largest)
        size = min(wish, largest)
        return size, {"Preference-Applied": f"odata.maxpagesize={size}"}
