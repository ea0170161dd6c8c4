"""Device sign-in: the device authorization grant, for a browser on any device (RFC 8628).

For Microsoft Entra ID, see https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class DeviceCode:
    """A code that a person enters on another device.

    Attributes:
        app: The app registration.
        code: The code that the app redeems.
        user_code: The code that the person enters.
        address: Where the person enters it.
        interval: Seconds between two requests for the tokens.
        seconds: How long the codes are valid.
    """

    app: App
    code: str = field(repr=False)
    user_code: str
    address: str
    interval: float
    seconds: float

    @classmethod
    def request(cls, app: App) -> DeviceCode:
        """Request a code.

        Args:
            app: The app registration.

        Returns:
            The code. Its texts are safe to show.

        Raises:
            SignInError: The host refused, or was not reached.
        """
        answer = app.request_device_code()
        code, user_code, address = (
            _text(answer, name) for name in ("device_code", "user_code", "verification_uri")
        )
        return cls(
            app,
            code,
            printable(user_code),
            printable(address),
            lifetime(answer.get("interval")) or INTERVAL_SECONDS,
            lifetime(answer.get("expires_in")) or LIFETIME_SECONDS,
        )

    def redeem(self, wait: Callable[[float], object] = time.sleep) -> Tokens:
        """Wait until the person has entered the code.

        Args:
            wait: Waits for some seconds. It may raise to give up.

        Returns:
            The tokens.

        Raises:
            SignInError: The person or the host refused, or nobody entered the code in time.
        """
        interval, end = self.interval, time.monotonic() + self.seconds
        while True:
            # Not for longer than the code is valid, even if the host asks for long intervals.
            wait(max(0.0, min(interval, end - time.monotonic())))
            try:
                return self.app.tokens(grant_type=GRANT, device_code=self.code)
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
            if time.monotonic() > end:
                raise _expired()


def sign_in(app: App, finish: Callable[[Tokens], str]) -> None:
    """Sign a person in who enters a code in a browser on any device.

    Args:
        app: The app registration.
        finish: Uses the tokens.

    Raises:
        Dynamics365Error: The person or the host refused, nobody entered the code in time, or
            `finish` failed.
    """
    code = DeviceCode.request(app)
    terminal.say("To sign in, open this address in a browser, on any device:")
    terminal.say("", code.address, "")
    terminal.say("and enter the code:", "", code.user_code, "")
    finish(code.redeem())


def _expired() -> SignInError:
    return SignInError("Nobody entered the code before it expired. Start again when you are ready.")


def _text(answer: dict[str, object], name: str) -> str:
    """Read a text in the host's response."""
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        msg = f"The response of the sign-in host contains no {name}. Check token_uri."
        raise SignInError(msg)
    return value
