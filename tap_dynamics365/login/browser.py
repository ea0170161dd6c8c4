"""Browser sign-in: a person signs in in a browser, which comes back to this machine (RFC 8252)."""

from __future__ import annotations

import time
from contextlib import ExitStack
from http import HTTPStatus
from queue import Empty
from typing import TYPE_CHECKING

from tap_dynamics365.errors import Dynamics365Error, SignInError
from tap_dynamics365.login import loopback, page, terminal, web_browser
from tap_dynamics365.login.authorization import Authorization
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
    with ExitStack() as stack:
        redirect_uri, redirects = stack.enter_context(loopback.listening())
        asked = Authorization(app, redirect_uri)
        address = asked.address
        if terminal.is_interactive():
            stack.enter_context(terminal.reading_lines(lambda text: redirects.put(_pasted(text))))
        _open(address, redirect_uri)
        redirect = _wait(redirects, asked, seconds)
        try:
            who = finish(asked.redeem(redirect.parameters))
        except BaseException as error:
            ended = "The sign-in was ended."
            reason = error.message if isinstance(error, Dynamics365Error) else ended
            redirect.show(page.refused(reason))
            raise
        redirect.show(page.signed_in(who))


def _open(address: str, redirect_uri: str) -> None:
    """Open an address in the browser, and also print it."""
    if web_browser.has_browser():
        web_browser.open_address(address)
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


def _pasted(text: str) -> Redirect:
    """Convert an address that was pasted into the terminal."""
    return Redirect(loopback.parameters(text), has_browser=False)


def _wait(redirects: SimpleQueue[Redirect], asked: Authorization, seconds: float) -> Redirect:
    """Wait until the browser is redirected from this sign-in."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            redirect = redirects.get(timeout=min(left, terminal.WAIT_SECONDS))
        except Empty:
            continue
        if asked.has_sent(redirect.parameters):
            return redirect
        redirect.show(page.unexpected(), HTTPStatus.BAD_REQUEST)
        terminal.say("Ignored an address that does not belong to this sign-in.")
    msg = f"Nobody signed in within {seconds / 60:.0f} minutes. Start again when you are ready."
    raise SignInError(msg)
