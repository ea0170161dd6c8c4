"""Set-up: what people do once, so that a service accepts the sign-in of a person or of an app."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SetUp:
    """What a service needs before a sign-in works.

    In the texts, `*…*` marks what to click, and backticks mark a value.

    Attributes:
        api: The API of the service, as app registrations list it; empty if it is not known.
        person: How a person becomes a user of the service, in one step.
        app: How an app becomes a user of the service, one step each.
    """

    api: str = ""
    person: str = "An administrator of the service makes you a user who may read the tables."
    app: tuple[str, ...] = (
        "An administrator of the service makes the app a user who may read the tables.",
    )
