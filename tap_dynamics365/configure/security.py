"""Security: ASGI middleware that refuses what is not the person's own browser on this page.

It checks the header `Host` exactly, which ends DNS rebinding; `Origin` and `Sec-Fetch-Site`, which
end requests from other pages; the cookie; and the CSRF token of each form. It adds the headers that
browsers need to keep the page to itself.

https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

from tap_dynamics365.configure import failure

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tap_dynamics365.configure.access import Access

#: The first page, which also receives the redirect of the sign-in host.
FIRST = "/"
#: Takes the key.
START = "/start"
STATIC = "/static/"
#: The form of a request, by name.
FORM = "form"

READS = {"GET", "HEAD"}
FORM_TYPE = "application/x-www-form-urlencoded"
# Bytes of a form. A form that chooses thousands of tables has their names.
LARGEST = 4_000_000
MOST_FIELDS = 100_000

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # With no-referrer, browsers would send `Origin: null` with the page's own forms
    # (https://fetch.spec.whatwg.org/#append-a-request-origin-header). Other hosts learn nothing.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class _RefusedError(Exception):
    """A request is refused.

    Args:
        status: The HTTP status.
        message: Why, in one sentence.
    """

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Guard:
    """Middleware around the whole page.

    Args:
        app: The page.
        access: Who may use it.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def send_guarded(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            self._check(scope)
            if scope["method"] not in READS:
                scope.setdefault("state", {})[FORM] = await self._form(scope, receive)
            await self._app(scope, receive, send_guarded)
        except _RefusedError as error:
            await PlainTextResponse(error.message, error.status)(scope, receive, send_guarded)
        except Exception as error:  # noqa: BLE001 - the server goes on
            words = failure.sentence(error)
            if not has_begun:
                answer = PlainTextResponse(words, HTTPStatus.INTERNAL_SERVER_ERROR)
                await answer(scope, receive, send_guarded)

    def _check(self, scope: Scope) -> None:
        """Raise if a request does not come from the page, by its headers."""
        headers, path, is_read = Headers(scope=scope), scope["path"], scope["method"] in READS
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0] not in self._access.hosts:
            raise _RefusedError(
                HTTPStatus.MISDIRECTED_REQUEST, "This is not the address of the page."
            )
        if not is_read and scope["method"] != "POST":
            raise _RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, "The page knows GET and POST.")
        site = headers.get("sec-fetch-site", "same-origin")
        if is_read:
            # The address is opened from outside, and the sign-in host leads back to it.
            is_foreign = site not in {"same-origin", "none"} and path != FIRST
        else:
            is_foreign = site != "same-origin" or headers.getlist("origin") != [
                f"http://{hosts[0]}"
            ]
        if is_foreign:
            raise _RefusedError(HTTPStatus.FORBIDDEN, "The request comes from another page.")
        is_public = path in {FIRST, START} or (is_read and path.startswith(STATIC))
        if self._access.is_open("; ".join(headers.getlist("cookie"))):
            self._access.touch()
        elif not is_public:
            raise _RefusedError(
                HTTPStatus.FORBIDDEN,
                "This browser has not opened the page. Open the address that the command printed; "
                "if it was used already, run the command again.",
            )

    async def _form(self, scope: Scope, receive: Receive) -> dict[str, list[str]]:
        """Read a form, and raise if it is not one of this server's."""
        headers = Headers(scope=scope)
        if headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
            raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The page knows forms only.")
        body = await _body(receive)
        try:
            form = parse_qs(
                body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"
            )
        except ValueError:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "The form can't be read.") from None
        token = form.pop("csrf", [""])
        # The first page has no token yet: the key does the same.
        if scope["path"] != START and not (len(token) == 1 and self._access.is_own(token[0])):
            raise _RefusedError(
                HTTPStatus.FORBIDDEN, "The form is not one of this page: load the page again."
            )
        return form


async def _body(receive: Receive) -> bytes:
    """Read the body of a request."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "The form is not complete.")
        body += message.get("body", b"")
        if len(body) > LARGEST:
            raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The form is too large.")
        if not message.get("more_body"):
            return bytes(body)
