"""Sign-in of a person: in the browser that shows the page, or with a code on another device."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

from starlette.responses import Response

from tap_dynamics365.configure import failure, pages
from tap_dynamics365.configure.pending import SignIn
from tap_dynamics365.configure.session import Notice
from tap_dynamics365.connection import read_directory
from tap_dynamics365.errors import SettingsError
from tap_dynamics365.login import token_output
from tap_dynamics365.login.app import App
from tap_dynamics365.login.authorization import Authorization
from tap_dynamics365.login.choice import no_refresh_token
from tap_dynamics365.login.device import DeviceCode
from tap_dynamics365.login.identity import identify, use

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from tap_dynamics365.auth.token_endpoint import Tokens
    from tap_dynamics365.configure.access import Access
    from tap_dynamics365.configure.session import Session
    from tap_dynamics365.services.directory import Environment
    from tap_dynamics365.services.kind import Identity

CONNECT, SIGN_IN = "/connect", "/sign-in"
# What to do with a token store that can't be written.
ADVICE = "Enter another file as Token Store, or none: the page then keeps the token until it ends."


class _GivenUpError(Exception):
    """Another sign-in has begun."""


class _Seen(NamedTuple):
    """Where a sign-in led to.

    Attributes:
        refresh_token: The refresh token.
        identity: Who signed in; None if the service is the list of environments.
        environments: The environments of that list.
    """

    refresh_token: str
    identity: Identity | None = None
    environments: Sequence[Environment] = ()


def begin(session: Session, access: Access) -> None:
    """Begin a sign-in in this browser, which comes back to this server.

    Args:
        session: The session, with the settings of the app registration.
        access: Has the port of the server.

    Raises:
        Dynamics365Error: A setting is missing or wrong, or the sign-in host is not known.
    """
    app = _app(session)
    # For `http://localhost`, Entra ID ignores the port. A path would have to be registered:
    # https://learn.microsoft.com/entra/identity-platform/reply-url#localhost-exceptions
    asked = Authorization(app, f"http://localhost:{access.port}")
    _replace(session, SignIn(app, asked.address, asked=asked))


def begin_with_code(session: Session) -> None:
    """Begin a sign-in with a code, and wait in a thread until the person has entered it.

    Args:
        session: As for `begin`.

    Raises:
        Dynamics365Error: As for `begin`, or the host issued no code.
    """
    app = _app(session)
    code = DeviceCode.request(app)
    found = SignIn(app, code.address, code=code)
    _replace(session, found)

    def wait(seconds: float) -> None:
        if found.given_up.wait(seconds):
            raise _GivenUpError

    Thread(target=_end, args=(session, found, partial(code.redeem, wait)), daemon=True).start()


def _app(session: Session) -> App:
    """Return the app registration, once nothing is missing that a person would sign in in vain for.

    Raises:
        Dynamics365Error: A setting is missing or wrong.
    """
    settings = session.settings(for_login=True)
    if not settings.client_id:
        msg = (
            "Setting client_id is missing: enter the Client ID of your app registration. How do I "
            "get these? has the steps."
        )
        raise SettingsError(msg)
    if settings.token_store:
        token_output.check(settings, ADVICE)
    return App(settings)


def _replace(session: Session, found: SignIn | None) -> None:
    with session.lock:
        if session.sign_in is not None:
            session.sign_in.given_up.set()
        session.sign_in = found


def _end(session: Session, found: SignIn, redeem: Callable[[], Tokens]) -> None:
    """Redeem and use the tokens, unless another sign-in has begun."""
    try:
        seen = _see(found.app, redeem())
        with session.lock:
            if session.sign_in is found:
                session.notices = [_keep(session, found.app, seen)]
    except _GivenUpError:
        return
    except Exception as error:  # noqa: BLE001 - any failure ends in a sentence
        words = failure.sentence(error)
        with session.lock:
            if session.sign_in is found:
                session.notices = [Notice("error", words)]
    with session.lock:
        # Last, because a page that waits for the end then shows what it led to.
        if session.sign_in is found:
            session.sign_in = None


def _see(app: App, tokens: Tokens) -> _Seen:
    """See where a sign-in leads to."""
    if tokens.refresh_token is None:
        raise no_refresh_token()
    if app.directory is None:
        return _Seen(tokens.refresh_token, identity=identify(app.service, tokens))
    use(app.service, tokens)
    return _Seen(tokens.refresh_token, environments=read_directory(app.service, app.directory))


def _keep(session: Session, app: App, seen: _Seen) -> Notice:
    """Keep what a sign-in led to, and the refresh token where the settings say."""
    if seen.identity is None:
        session.environments = seen.environments
        words = "Signed in. Choose an environment."
    else:
        words = f"Signed in as {seen.identity.user}. Organization: {seen.identity.organization}."
    settings = session.settings(for_login=True)
    session.forget()
    if settings.token_store:
        token_output.save_token(settings, app, seen.refresh_token, ADVICE)
        session.change({k: v for k, v in session.values.items() if k != "refresh_token"}, "")
        words = f"{words} The refresh token is in {settings.token_store}."
    else:
        session.change({**session.values, "refresh_token": seen.refresh_token}, "sign-in")
    session.identity = seen.identity
    return Notice("ok", words)


def returned(request: Request) -> Response:
    """Take the redirect of the sign-in host, which comes without the cookie.

    It is taken once, if it has the `state` of the sign-in that goes on. What it led to is shown
    only to the browser that has the cookie.
    """
    session, parameters = pages.session_of(request), dict(request.query_params)
    with session.lock:
        found = session.sign_in
        asked = found.asked if found else None
        if found is None or asked is None or found.is_taken or not asked.has_sent(parameters):
            heading = "This is not the current sign-in"
            return pages.render(request, "returned.html", HTTPStatus.BAD_REQUEST, heading=heading)
        found.is_taken = True
    _end(session, found, partial(asked.redeem, parameters))
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
