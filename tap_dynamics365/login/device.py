"""Sign-in on another device: the device authorization grant (RFC 8628).

Described for Entra ID at https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
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

# Between two questions, where the host does not say, and how much longer if it is too often.
INTERVAL_SECONDS = 5
SLOWER_SECONDS = 5
LIFETIME_SECONDS = 900


def sign_in(app: App, finish: Callable[[Tokens], str]) -> None:
    """Have a person sign in, in a browser anywhere, where they type a code.

    Args:
        app: The app registration.
        finish: Makes use of the tokens, and tells who signed in, and where.

    Raises:
        Dynamics365Error: The person or the host refused, nobody came, or `finish` failed.
    """
    answer = app.device()
    device_code, user_code, address = (
        _text(answer, name) for name in ("device_code", "user_code", "verification_uri")
    )
    terminal.say("To sign in, open this address in a browser, on any device:")
    terminal.say("", printable(address), "")
    terminal.say("and enter the code:", "", printable(user_code), "")
    interval = lifetime(answer.get("interval")) or INTERVAL_SECONDS
    end = time.monotonic() + (lifetime(answer.get("expires_in")) or LIFETIME_SECONDS)
    while True:
        # Not for longer than the code is good, however seldom the host wants to be asked.
        time.sleep(max(0.0, min(interval, end - time.monotonic())))
        try:
            tokens = app.tokens(grant_type=GRANT, device_code=device_code)
        except TransientSignInError:
            # It is asked again anyway, but less often (RFC 8628, section 3.5).
            interval *= 2
        except SignInError as error:
            if error.error == "slow_down":
                interval += SLOWER_SECONDS
            elif error.error == "expired_token":
                raise _nobody_came() from None
            elif error.error != "authorization_pending":
                raise
        else:
            finish(tokens)
            return
        if time.monotonic() > end:
            raise _nobody_came()


def _nobody_came() -> SignInError:
    return SignInError("Nobody entered the code before it ended: start again when you are ready.")


def _text(answer: dict[str, object], name: str) -> str:
    """Take a text out of the host's answer."""
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        msg = f"The sign-in host's answer has no {name} in it: check token_uri."
        raise SignInError(msg)
    return value
