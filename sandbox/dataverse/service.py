"""Web API at /api/data/v9.2/: from a request to a response."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import uuid
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec
from starlette.routing import Route

from sandbox.data.clock import Clock
from sandbox.data.model import TableType
from sandbox.dataverse import batch, errors, functions, user
from sandbox.dataverse.access import Access
from sandbox.dataverse.change_tracking import ChangeTracking
from sandbox.dataverse.discovery import Discovery
from sandbox.dataverse.response import response
from sandbox.dataverse.switches import Switches
from sandbox.dataverse.virtual import Provider
from sandbox.faults import refusals
from sandbox.faults.errors import (
    ServiceError,
    no_record,
    unknown_segment,
    url_too_long,
    wrong_method,
)
from sandbox.http.answer import JSON, Answer, accepts_gzip
from sandbox.http.compression import SMALLEST_COMPRESSED, compressed
from sandbox.http.page_cache import PageCache
from sandbox.http.threads import Threads
from sandbox.identity import introspection, tokens
from sandbox.metadata import document
from sandbox.metadata.definitions import Definitions
from sandbox.metadata.metadata_changes import MetadataChanges
from sandbox.query import preferences
from sandbox.query.option_values import options
from sandbox.query.pages import LARGEST_COUNT, Pages
from sandbox.query.paging import LARGEST_PAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from sandbox.data.model import Table
    from sandbox.data.store import Store
    from sandbox.identity.tokens import Authority
    from sandbox.query.preferences import Preferences

LONGEST_URL = 32_768
VERSIONS = frozenset({"v9.0", "v9.1", "v9.2"})
OK = 200
METHODS = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"]
WORKERS = 4


class Service:
    """The Web API of an organisation.

    Args:
        store: The tables and their rows.
        authority: Validates access tokens.
    """

    def __init__(self, store: Store, authority: Authority) -> None:
        self.model = model = store.model
        self.store = store
        self.authority = authority
        self.user = user.name_first(store)
        self.switches = Switches()
        self.pages = Pages(model, store)
        self.clock = Clock()
        self.changes = ChangeTracking(self.pages, self.clock)
        self.definitions = Definitions(model)
        self.metadata_changes = MetadataChanges(self.definitions, self.clock)
        self.provider = Provider(self.pages)
        self.access = Access(store, self.user)
        self.pages.restriction = self.access.condition
        self.cache = PageCache()
        self._threads = Threads(WORKERS)

    def routes(self) -> list[Route]:
        """Return the routes of the service."""
        discovery = Discovery(self.authority, self.switches)
        return [
            Route("/api/data/{rest:path}", self.respond, methods=METHODS),
            *discovery.routes(),
        ]

    def close(self) -> None:
        """Shut down the threads."""
        self._threads.close()

    async def respond(self, request: Request) -> Response:
        """Return the response to a request under /api/data/."""
        try:
            try:
                answer = await self._answer(request)
            except sqlite3.OperationalError:
                # A column was removed during the request: try again with the current model.
                answer = await self._answer(request)
        except ServiceError as error:
            answer = self._refusal(request.headers.get("prefer", ""), error)
        return response(answer, gzipped=self._gives_gzip(request))

    def _gives_gzip(self, request: Request) -> bool:
        return self.switches.compress and accepts_gzip(request)

    def _refusal(self, prefer: str, error: ServiceError) -> Answer:
        body = error.body()
        if preferences.parse(prefer).annotations == ("*",):
            body["error"] |= {
                "@Microsoft.PowerApps.CDS.HelpLink": "http://go.microsoft.com/fwlink/?LinkID=398563"
                f"&error=Microsoft.Crm.CrmException%3a{error.code}",
                "@Microsoft.PowerApps.CDS.TraceText": "",
                "@Microsoft.PowerApps.CDS.InnerError.Message": error.message,
            }
        return Answer(msgspec.json.encode(body), headers=error.headers, status=error.status)

    async def _answer(self, request: Request) -> Answer:
        raw_path = request.scope.get("raw_path", b"").decode("latin-1").partition("?")[0]
        raw_query = request.url.query
        if 0 < self.switches.longest_url < len(str(request.url)):
            status = self.switches.long_url_status
            return Answer(refusals.long_address(status), "text/html", status=status)
        if len(str(request.url)) > LONGEST_URL:
            raise url_too_long()
        origin = f"{request.url.scheme}://{request.headers.get('host', '')}"
        await self._check_caller(request.headers.get("authorization", ""), origin)
        _, _, version, path = unquote(raw_path).lstrip("/").split("/", 3)
        if version not in VERSIONS:
            raise unknown_segment(version)
        root = f"{self.switches.link_origin or origin}/api/data/{version}/"
        path = path.rstrip("/")
        if request.method == "POST" and path == "$batch":
            return await self._batch(root, request)
        if request.method != "GET":
            raise wrong_method(request.method, f"{root}{path}")
        return await self.get(
            path,
            root,
            raw_query,
            request.headers.get("prefer", ""),
            gzipped=self._gives_gzip(request),
            empty=bool(request.scope.get("sandbox.empty_page")),
        )

    async def _check_caller(self, authorization: str, origin: str) -> None:
        """Refuse callers without a valid token, and callers without an enabled user."""
        scheme, _, token = authorization.partition(" ")
        known = scheme.lower() == "bearer" and self.authority.is_valid(token, origin)
        if not known and token and self.switches.introspection_url:
            ask = partial(introspection.is_active, self.switches.introspection_url, token)
            known = await self._threads.run(ask)
            self.authority.issued.append(token)
        if not known:
            authority_url = self.switches.authority_url or origin
            resource = origin.replace(".api.", ".", 1)
            raise errors.unauthorized(tokens.TENANT, authority_url, resource)
        if self.switches.not_a_member:
            raise errors.not_a_member(self.model.user_language)
        if self.switches.disabled_user:
            raise errors.disabled_user()

    async def get(  # noqa: PLR0911, PLR0913  - a rule for each path; the parts of a request
        self, path: str, root: str, raw: str, prefer: str, *, gzipped: bool, empty: bool = False
    ) -> Answer:
        """Return the response to a GET.

        Args:
            path: Decoded path below the service root.
            root: URL of the service root.
            raw: The query string.
            prefer: Value of the `Prefer` header.
            gzipped: Whether the caller accepts gzip.
            empty: Whether to return an empty page, as a fault orders it.

        Raises:
            ServiceError: The request is refused.
        """
        preferred = preferences.parse(prefer)
        if not path:
            return Answer(msgspec.json.encode(document.service_document(self.model, root)))
        if path == "$metadata":
            annotated = options(raw).get("annotations") == "true" or bool(preferred.annotations)
            return await self._kept(
                ("$metadata", annotated),
                lambda: document.metadata_document(self.model, annotated=annotated),
                "application/xml",
                gzipped=gzipped,
            )
        if path in {"WhoAmI", "WhoAmI()"}:
            return Answer(functions.who_am_i(self.access, root))
        if match := functions.USER_PRIVILEGES.fullmatch(path):
            return Answer(self._user_privileges(match[1], root))
        if path.startswith("RetrieveTotalRecordCount"):
            return Answer(functions.total_record_count(self.pages, path, options(raw), root))
        if self.definitions.knows(path):
            describe = partial(self.definitions.get, path, root, options(raw))
            return await self._kept(
                ("definitions", root, path, raw), describe, JSON, gzipped=gzipped
            )
        if self.metadata_changes.knows(path):
            return await self._metadata_changes(path, root, raw, gzipped=gzipped)
        return await self._rows(path, root, raw, preferred, gzipped=gzipped, empty=empty)

    def _user_privileges(self, user: str, root: str) -> bytes:
        """Return the response of `RetrieveUserPrivileges`, which needs two privileges itself."""
        for name in ("organization", "systemuser"):
            if (table := self.model.by_name.get(name)) is not None:
                self._check_readable(table)
        if user.lower() != self.user:
            schema_name = "SystemUser"
            raise no_record(schema_name, user)
        return self.access.role_privileges(root, self.switches.forbidden_tables)

    async def _metadata_changes(self, path: str, root: str, raw: str, *, gzipped: bool) -> Answer:
        if status := self.switches.no_metadata_changes:
            raise errors.no_metadata_changes(status)
        arguments = self.metadata_changes.arguments(path, options(raw))
        key = ("metadata changes", root, *arguments.items(), self.clock.now().date())
        work = partial(self.metadata_changes.get, arguments, root)
        return await self._kept(key, work, JSON, gzipped=gzipped)

    async def _rows(  # noqa: PLR0913  - the parts of a request
        self,
        path: str,
        root: str,
        raw: str,
        preferred: Preferences,
        *,
        gzipped: bool,
        empty: bool,
    ) -> Answer:
        match = re.fullmatch(r"([^/(]+)(?:\((.*)\))?(/\$count)?", path)
        if not match:
            raise unknown_segment(path.partition("/")[2] or path)
        name, key, count = match.groups()
        table = self.model.by_set.get(name)
        if table is None:
            raise unknown_segment(name)
        self._check_readable(table)
        if self.switches.page_delay_ms:
            await asyncio.sleep(self.switches.page_delay_ms / 1000)
        applied = {}
        if preferred.page_size is not None and preferred.page_size <= LARGEST_PAGE:
            applied["Preference-Applied"] = f"odata.maxpagesize={preferred.page_size}"
        delta, token = "$deltatoken" in options(raw), options(raw).get("$skiptoken", "")
        if count:
            source = self.changes if delta else self.pages
            number = await self._threads.run(partial(source.count, table, raw))
            return Answer(str(min(number, LARGEST_COUNT)).encode(), "text/plain", applied)
        if key is not None:
            work = partial(self.pages.single, table, key, root, raw, preferred.annotations)
            return Answer(await self._threads.run(work), headers=applied)
        cap = self.switches.page_size_cap
        if delta or preferred.track_changes or 'istracking="True"' in token:
            is_forbidden = table.name in self.switches.forbidden_tracking
            if is_forbidden or self.access.condition(table) is not None:
                raise self._no_privilege(table)
            if preferred.track_changes:
                both = [applied.get("Preference-Applied"), "odata.track-changes"]
                applied["Preference-Applied"] = ", ".join(each for each in both if each)
            read = self.changes.changes if delta else self.changes.everything
            body = await self._threads.run(partial(read, table, root, raw, preferred, cap))
            return Answer(body, headers=applied)
        # Annotations show names from other tables.
        shown = bool(preferred.annotations)
        changes = self.store.all_changes if shown else self.store.changes(table)
        arguments = (root, raw, preferred, min(cap, table.largest_page))
        behavior = (self.pages.behavior, self.provider.behavior, self.access.behavior)
        answer = await self._kept(
            (path, *arguments, changes, empty, behavior),
            partial(self._page(table, empty=empty), *arguments),
            JSON,
            gzipped=gzipped,
        )
        answer.headers = applied
        return answer

    def _page(self, table: Table, *, empty: bool) -> Callable[..., bytes]:
        """Return the function that makes a page of a table."""
        if table.table_type is TableType.VIRTUAL:
            return partial(self.provider.page, table)
        return partial(self.pages.page, table, empty=empty)

    def _check_readable(self, table: Table) -> None:
        if not table.readable:
            raise errors.not_readable(table.name)
        if table.name in self.switches.forbidden_tables:
            raise self._no_privilege(table)

    def _no_privilege(self, table: Table) -> ServiceError:
        return errors.no_privilege(self.user, table)

    async def _kept(
        self,
        key: tuple[object, ...],
        work: Callable[[], bytes],
        content_type: str,
        *,
        gzipped: bool,
    ) -> Answer:
        """Return a response from the cache, or make it and cache it.

        Args:
            key: What the response depends on.
            work: Makes the body.
            content_type: Media type.
            gzipped: Whether the caller accepts gzip.
        """
        name = (key, gzipped, self.model.version, self.model.user_language)
        body = self.cache.get(name)
        if body is None:

            def make() -> bytes:
                body = work()
                return compressed(body) if gzipped and len(body) > SMALLEST_COMPRESSED else body

            body = await self._threads.run(make)
            self.cache.put(name, body)
        return Answer(body, content_type, gzipped=body.startswith(b"\x1f\x8b"))

    async def _part(self, root: str, part: batch.Part) -> Answer:
        path, raw = batch.relative(part.url)
        prefer = part.headers.get("prefer", "")
        return await self.get(unquote(path).rstrip("/"), root, raw, prefer, gzipped=False)

    def _ordered(self, request: Request, part: batch.Part) -> Answer | None:
        """Return the response that a fault has for a part of a batch, if there is one."""
        ask = request.scope.get("sandbox.answer_to_part")
        prefer = part.headers.get("prefer", "")
        ordered = ask(part.method, unquote(part.url), prefer) if ask else None
        if ordered is None:
            return None
        status, headers, body = ordered
        media_type = headers.pop("Content-Type")
        return Answer(body, media_type, headers, status)

    async def _batch(self, root: str, request: Request) -> Answer:
        """Return the responses of a batch; by default the first error ends the batch."""
        parts = batch.read(request.headers.get("content-type", ""), await request.body())
        keep_going = "odata.continue-on-error" in request.headers.get("prefer", "")
        results: list[batch.Result] = []
        for part in parts:
            try:
                if part.method != "GET":
                    raise wrong_method(part.method, part.url)
                answer = self._ordered(request, part) or await self._part(root, part)
            except ServiceError as error:
                answer = self._refusal(part.headers.get("prefer", ""), error)
            headers = {"Content-Type": answer.content_type, "OData-Version": "4.0"}
            if answer.status != OK:
                headers = {"REQ_ID": str(uuid.uuid4()), **headers}
            results.append(batch.Result(answer.status, headers | answer.headers, answer.body))
            if answer.status != OK and not keep_going:
                break
        failed = bool(results) and results[-1].status != OK and not keep_going
        content_type, body = batch.write(results)
        return Answer(body, content_type, status=400 if failed else OK)
