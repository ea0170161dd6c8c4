"""Pending sign-in: what a person has begun, in this browser or with a code on another device."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tap_dynamics365.login.app import App
    from tap_dynamics365.login.authorization import Authorization
    from tap_dynamics365.login.device import DeviceCode


@dataclass
class SignIn:
    """A sign-in that a person has begun.

    Attributes:
        app: The app registration.
        address: Where the person signs in, or enters the code.
        asked: The request in this browser; None with a code.
        code: The code for another device; None without one.
        given_up: Set when another sign-in has begun.
        is_taken: Whether the redirect of the sign-in host was taken.
    """

    app: App
    address: str
    asked: Authorization | None = None
    code: DeviceCode | None = None
    given_up: Event = field(default_factory=Event)
    is_taken: bool = False

    @property
    def host(self) -> str:
        """The host that signs the person in."""
        return urlsplit(self.address).netloc
