"""Device sign-in: the device authorization grant, for a browser on any device (RFC 8628).

For Microsoft Entra ID, see https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tap_dynamics365.auth.token_endpoint import lifetime
from tap_dynamics365.errors import SignInError, TransientSignInError
from tap_dynamics365.login import terminal
from tap_dynamics365.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_dynamics365.auth.token_endpoint import Tokens
    from tap_dynamics365.login.app import App

GRANT = "urn:ietf:params:oauth:grant-type:device_code"

# The default seconds between two requests for the tokens, what "slow_down" adds to them, and the
# default lifetime of a code.
INTERVAL_SECONDS = 5
SLOWER_SECONDS = 5
LIFETIME_SECONDS = 900


def sign_in(app: App, finish: Callable[[Tokens], str]) -> None:
    """Sign a person in who enters a code in a browser on any device.

    Args:
        app: The app registration.
        finish: Uses the tokens.

    Raises:
        Dynamics365Error: The person or the host refused, nobody entered the code in time, or
            `finish` failed.
    """
    answer = app.request_device_code()
    device_code, user_code, address = (
        _text(answer, name) for name in ("device_code", "user_code", "verification_uri")
    )
    terminal.say("To sign in, open this address in a browser, on any device:")
    terminal.say("", printable(address), "")
    terminal.say("and enter the code:", "", printable(user_code), "")
    interval = lifetime(answer.get("interval")) or INTERVAL_SECONDS
    end = time.monotonic() + (lifetime(answer.get("expires_in")) or LIFETIME_SECONDS)
    while True:
        # Not for longer than the code is valid, even if the host asks for long intervals.
        time.sleep(max(0.0, min(interval, end - time.monotonic())))
        try:
            tokens = app.tokens(grant_type=GRANT, device_code=device_code)
        except TransientSignInError:
            # The next request follows anyway, but later (RFC 8628, section 3.5).
            interval *= 2
        except SignInError as error:
            if error.error == "slow_down":
                interval += SLOWER_SECONDS
            elif error.error == "expired_token":
                raise _expired() from None
            elif error.error != "authorization_pending":
                raise
        else:
            finish(tokens)
            return
        if time.monotonic() > end:
            raise _expired()


def _expired() -> SignInError:
    return SignInError("Nobody entered the code before it expired. Start again when you are ready.")


def _text(answer: dict[str, object], name: str) -> str:
    """Read a text in the host's response."""
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        msg = f"The response of the sign-in host contains no {name}. Check token_uri."
        raise SignInError(msg)
    return value
