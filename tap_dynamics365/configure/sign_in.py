"""Sign-in of a person: in the browser that shows the page, or with a code on another device."""

from __future__ import annotations

from http import HTTPStatus
from threading import Thread
from typing import TYPE_CHECKING

from starlette.responses import Response

from tap_dynamics365.configure import pages
from tap_dynamics365.configure.pending import SignIn
from tap_dynamics365.configure.session import Notice
from tap_dynamics365.connection import read_directory
from tap_dynamics365.errors import Dynamics365Error
from tap_dynamics365.login import token_output
from tap_dynamics365.login.app import App
from tap_dynamics365.login.authorization import Authorization
from tap_dynamics365.login.choice import no_refresh_token
from tap_dynamics365.login.device import DeviceCode
from tap_dynamics365.login.identity import identify, use

if TYPE_CHECKING:
    from starlette.requests import Request

    from tap_dynamics365.auth.token_endpoint import Tokens
    from tap_dynamics365.configure.access import Access
    from tap_dynamics365.configure.session import Session

CONNECT, SIGN_IN = "/connect", "/sign-in"


class _GivenUpError(Exception):
    """Another sign-in has begun."""


def begin(session: Session, access: Access) -> None:
    """Begin a sign-in in this browser, which comes back to this server.

    Args:
        session: The session, with the settings of the app registration.
        access: Has the port of the server.

    Raises:
        Dynamics365Error: A setting is missing or wrong, or the sign-in host is not known.
    """
    app = App(session.settings(for_login=True))
    # For `http://localhost`, Entra ID ignores the port. A path would have to be registered:
    # https://learn.microsoft.com/entra/identity-platform/reply-url#localhost-exceptions
    asked = Authorization(app, f"http://localhost:{access.port}")
    _replace(session, SignIn(asked.address, asked=asked))


def begin_with_code(session: Session) -> None:
    """Begin a sign-in with a code, and wait in a thread until the person has entered it.

    Args:
        session: As for `begin`.

    Raises:
        Dynamics365Error: As for `begin`, or the host issued no code.
    """
    app = App(session.settings(for_login=True))
    code = DeviceCode.request(app)
    found = SignIn(code.address, code=code)
    _replace(session, found)

    def wait(seconds: float) -> None:
        if found.given_up.wait(seconds):
            raise _GivenUpError

    def redeem() -> None:
        try:
            tokens = code.redeem(wait)
        except _GivenUpError:
            return
        except Dynamics365Error as error:
            _end(session, found, error)
        else:
            _end(session, found, tokens)

    Thread(target=redeem, daemon=True).start()


def _replace(session: Session, found: SignIn | None) -> None:
    if session.sign_in is not None:
        session.sign_in.given_up.set()
    session.sign_in = found


def _end(session: Session, found: SignIn, outcome: Tokens | Dynamics365Error) -> None:
    """Use the tokens, unless another sign-in has begun."""
    with session.lock:
        if session.sign_in is not found:
            return
        begun = found.asked or found.code
        try:
            if isinstance(outcome, Dynamics365Error):
                raise outcome
            if begun is not None:
                session.notices = [_use(session, begun.app, outcome)]
        except Dynamics365Error as error:
            session.notices = [Notice("error", error.message)]
        # Last, because a page that waits for the end then shows what it led to.
        session.sign_in = None


def _use(session: Session, app: App, tokens: Tokens) -> Notice:
    """Keep the refresh token, and see where it leads to."""
    if tokens.refresh_token is None:
        raise no_refresh_token()
    if app.directory is None:
        found = identify(app.service, tokens)
        words = f"Signed in as {found.user}. Organization: {found.organization}."
    else:
        use(app.service, tokens)
        session.environments = read_directory(app.service, app.directory)
        words = "Signed in. Choose an environment."
    settings = session.settings(for_login=True)
    session.forget()
    if settings.token_store:
        token_output.save_token(settings, app, tokens.refresh_token)
        session.change({k: v for k, v in session.values.items() if k != "refresh_token"}, "")
        return Notice("ok", f"{words} The refresh token is in {settings.token_store}.")
    session.change({**session.values, "refresh_token": tokens.refresh_token}, "sign-in")
    return Notice("ok", words)


def returned(request: Request) -> Response:
    """Take the redirect of the sign-in host, which comes without the cookie.

    It is taken once, if it has the `state` of the sign-in that goes on. What it led to is shown
    only to the browser that has the cookie.
    """
    session, parameters = pages.session_of(request), dict(request.query_params)
    with session.lock:
        found = session.sign_in
        if found is None or found.asked is None or not found.asked.has_sent(parameters):
            heading = "This is not the current sign-in"
            return pages.render(request, "returned.html", HTTPStatus.BAD_REQUEST, heading=heading)
        try:
            _end(session, found, found.asked.redeem(parameters))
        except Dynamics365Error as error:
            _end(session, found, error)
    return pages.render(request, "returned.html", heading="The sign-in has ended")


def _sign_in(request: Request) -> Response:
    """Lead to the sign-in host, or show the code; back to Connect once the sign-in has ended."""
    found = pages.session_of(request).sign_in
    if found is not None:
        template = "code.part.html" if pages.is_partial(request) else "sign_in.html"
        return pages.render(request, template, sign_in=found)
    if pages.is_partial(request):
        return Response(headers={"HX-Redirect": CONNECT})
    return pages.lead(CONNECT)


def _cancel(request: Request) -> None:
    _replace(pages.session_of(request), None)


ROUTES = [
    pages.page(SIGN_IN, _sign_in),
    pages.action("/sign-in/cancel", CONNECT, _cancel),
]
