"""Browser sign-in: the authorization-code grant with PKCE (RFC 6749, 7636 and 8252).

For Microsoft Entra ID, see https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from contextlib import ExitStack, suppress
from http import HTTPStatus
from queue import Empty
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from tap_dynamics365.auth import refusals
from tap_dynamics365.auth.tenant import SIGN_IN_HOSTS
from tap_dynamics365.errors import Dynamics365Error, SignInError
from tap_dynamics365.login import loopback, page, terminal
from tap_dynamics365.login.loopback import Redirect

if TYPE_CHECKING:
    from collections.abc import Callable
    from queue import SimpleQueue

    from tap_dynamics365.auth.token_endpoint import Tokens
    from tap_dynamics365.login.app import App

# How long to wait for the person: as long as a device code of Entra ID is valid.
SECONDS = 900


def sign_in(app: App, finish: Callable[[Tokens], str], seconds: float = SECONDS) -> None:
    """Sign a person in, in a browser on this machine or on another one.

    Args:
        app: The app registration.
        finish: Uses the tokens, and returns who signed in and where, for the page in the browser.
        seconds: How long to wait for the person.

    Raises:
        Dynamics365Error: The person or the host refused, nobody signed in in time, or `finish`
            failed.
    """
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    with ExitStack() as stack:
        redirect_uri, redirects = stack.enter_context(loopback.listening())
        address = _address(app, redirect_uri, state, verifier)
        if terminal.is_interactive():
            stack.enter_context(terminal.reading_lines(lambda text: redirects.put(_pasted(text))))
        _open(address, redirect_uri)
        redirect = _wait(redirects, state, seconds)
        try:
            exchange = app.service.client.retrying(app.tokens)
            tokens = exchange(
                grant_type="authorization_code",
                code=_code(redirect),
                redirect_uri=redirect_uri,
                code_verifier=verifier,
            )
            who = finish(tokens)
        except BaseException as error:
            ended = "The sign-in was ended."
            reason = error.message if isinstance(error, Dynamics365Error) else ended
            redirect.show(page.refused(reason))
            raise
        redirect.show(page.signed_in(who))


def _address(app: App, redirect_uri: str, state: str, verifier: str) -> str:
    """Build the address at which a person signs in."""
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    query = {
        "client_id": app.client_id,
        "response_type": "code",
        "response_mode": "query",
        "redirect_uri": redirect_uri,
        "scope": app.scope,
        "state": state,
        "code_challenge": challenge.decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    if urlsplit(app.tenant.authorization_uri).hostname in SIGN_IN_HOSTS:
        # The browser may already be signed in with another account. Not every other host supports
        # this parameter of OpenID Connect.
        query["prompt"] = "select_account"
    return f"{app.tenant.authorization_uri}?{urlencode(query)}"


def _open(address: str, redirect_uri: str) -> None:
    """Open an address in the browser, and also print it."""
    if _has_browser():
        # In a separate process: some browsers return only when they are closed, some write to the
        # terminal, and Ctrl-C must not end them.
        with suppress(OSError):
            opening = subprocess.Popen(  # noqa: S603 - a module of Python's own
                [sys.executable, "-m", "webbrowser", address],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            # Otherwise Python warns that the process still runs, and Meltano shows warnings.
            Thread(target=opening.wait, daemon=True).start()
        terminal.say("Your browser opens. If it does not, open this address to sign in:")
    else:
        terminal.say("Open this address in a browser to sign in:")
    terminal.say("", address, "")
    if terminal.is_interactive():
        terminal.say(
            "If the browser is on another machine, the sign-in ends on a page at",
            f"{redirect_uri} that can't be reached. Copy the address of that page, paste it here",
            "and press Enter. The address is not shown.",
        )


def _has_browser() -> bool:
    """Tell whether a browser can be opened on the person's screen.

    Without a screen, Python would open a text browser in the terminal, which the person needs.
    """
    if os.environ.get("BROWSER"):
        return True
    if sys.platform in {"darwin", "win32"}:
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _pasted(text: str) -> Redirect:
    """Convert an address that was pasted into the terminal."""
    return Redirect(loopback.parameters(text), has_browser=False)


def _wait(redirects: SimpleQueue[Redirect], state: str, seconds: float) -> Redirect:
    """Wait until the browser is redirected from this sign-in.

    A visit without the right `state` is ignored. It may belong to an earlier sign-in, or be forged
    by another page (RFC 6749, section 10.12).
    """
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            redirect = redirects.get(timeout=min(left, terminal.WAIT_SECONDS))
        except Empty:
            continue
        if secrets.compare_digest(redirect.parameters.get("state", "").encode(), state.encode()):
            return redirect
        redirect.show(page.unexpected(), HTTPStatus.BAD_REQUEST)
        terminal.say("Ignored an address that does not belong to this sign-in.")
    msg = f"Nobody signed in within {seconds / 60:.0f} minutes. Start again when you are ready."
    raise SignInError(msg)


def _code(redirect: Redirect) -> str:
    """Return the authorization code of a redirect (RFC 6749, section 4.1.2)."""
    if code := redirect.parameters.get("code"):
        return code
    refusal = refusals.read(json.dumps(redirect.parameters))
    reason = refusal.sentence if refusal else "The sign-in host sent no code."
    msg = f"Sign-in was refused: {reason}"
    raise SignInError(msg)
