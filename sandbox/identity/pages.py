"""Sign-in pages: where people sign in, and where they enter the code of a device.

Sources: Microsoft Learn, "OAuth 2.0 authorization code flow", "OAuth 2.0 device authorization grant
flow".
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.identity.errors import (
    INVALID_REQUEST,
    UNSUPPORTED_RESPONSE_TYPE,
    TokenError,
    require,
)
from sandbox.identity.person import PERSON
from sandbox.identity.sign_ins import CodeSignIn

if TYPE_CHECKING:
    from starlette.requests import Request

    from sandbox.identity.sign_ins import DeviceSignIn
    from sandbox.identity.tokens import Authority

STYLE = "body{font-family:sans-serif;max-width:28em;margin:4em auto}"
DECLINED = "AADSTS65004: User declined to consent to access the app."
CHOICE = (
    f'<p>You are <strong>{PERSON}</strong>.</p><form method="post">%s'
    '<button name="answer" value="sign-in">Sign in</button> '
    '<button name="answer" value="cancel">Cancel</button></form>'
)
TYPE_CODE = (
    '<form method="post"><label>Code <input name="user_code" value="%s" autofocus></label> '
    "<button>Next</button></form>"
)


def _page(title: str, content: str, status: int = 200) -> Response:
    page = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{content}</body></html>"
    )
    return HTMLResponse(page, status, {"Cache-Control": "no-store, no-cache"})


def _refusal(error: TokenError) -> Response:
    """Show an error to the person, because a redirect to the app would not be safe."""
    return _page("Sign in", f"<p>AADSTS{error.code}: {escape(error.text)}</p>", error.status)


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))


class SignInPages:
    """The sign-in pages of an authority.

    Args:
        authority: The authority.
    """

    def __init__(self, authority: Authority) -> None:
        self.authority = authority

    def routes(self) -> list[Route]:
        """Return the routes."""
        both = ["GET", "POST"]
        return [
            Route("/{tenant}/oauth2/v2.0/authorize", self._authorize, methods=both),
            Route("/devicelogin", self._device, methods=both),
        ]

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        client, redirect_uri = asked.get("client_id", ""), asked.get("redirect_uri", "")
        try:
            self.authority.check_tenant(request.path_params["tenant"])
            self.authority.check_client(client)
            self.authority.sign_ins.check_redirect(client, redirect_uri)
        except TokenError as error:
            return _refusal(error)
        try:
            self._check(asked, f"{request.url.scheme}://{request.headers.get('host', '')}")
        except TokenError as error:
            body = error.body()
            answer = {name: body[name] for name in ("error", "error_description", "error_uri")}
            return _lead(redirect_uri, asked, answer)
        if request.method == "GET":
            return _page("Sign in", CHOICE % "")
        if (await _form(request)).get("answer") != "sign-in":
            declined = {"error_subcode": "cancel", "error_description": DECLINED}
            return _lead(redirect_uri, asked, {"error": "access_denied", **declined})
        challenge = asked.get("code_challenge", "")
        signed_in = CodeSignIn(client, asked["scope"], redirect_uri, challenge)
        return _lead(redirect_uri, asked, {"code": self.authority.sign_ins.authorized(signed_in)})

    def _check(self, asked: dict[str, str], origin: str) -> None:
        require(asked, "response_type", "scope")
        if asked["response_type"] != "code":
            text = "The app requested a response type that it is not configured for."
            raise TokenError(UNSUPPORTED_RESPONSE_TYPE, 700051, text)
        if asked.get("response_mode", "query") != "query":
            text = "The provided value for the input parameter 'response_mode' is not allowed."
            raise TokenError(INVALID_REQUEST, 70007, text)
        if "code_challenge" in asked and asked.get("code_challenge_method") != "S256":
            text = "The provided value for 'code_challenge_method' is not supported."
            raise TokenError(INVALID_REQUEST, 9002313, text)
        self.authority.resource_of(asked["scope"], origin)

    async def _device(self, request: Request) -> Response:
        title = "Sign in to a device"
        if request.method == "GET":
            return _page(title, TYPE_CODE % "")
        form = await _form(request)
        typed = form.get("user_code", "")
        device = self.authority.sign_ins.waiting(typed)
        if device is None:
            wrong = "<p>That code didn't work. Check the code and try again.</p>"
            return _page(title, wrong + TYPE_CODE % escape(typed))
        if "answer" not in form:
            return _page(title, CHOICE % _hidden(device))
        device.approved = form["answer"] == "sign-in"
        done = "You have signed in." if device.approved else "You have cancelled."
        return _page(title, f"<p>{done} You may now close this window.</p>")


def _hidden(device: DeviceSignIn) -> str:
    return f'<input type="hidden" name="user_code" value="{device.user_code}">'


def _lead(redirect_uri: str, asked: dict[str, str], answer: dict[str, str]) -> Response:
    """Redirect the browser to the app; an address without a path gets a slash."""
    state = {"state": asked["state"]} if "state" in asked else {}
    parts = urlsplit(redirect_uri)
    query = urlencode({**answer, **state})
    return RedirectResponse(urlunsplit(parts._replace(path=parts.path or "/", query=query)), 302)
