"""Ways to sign in: which settings each of them has on the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.settings.checks import REQUIRED
from tap_dynamics365.settings.choices import AuthenticationMethod
from tap_dynamics365.settings.grant import Grant, choose_grant
from tap_dynamics365.settings.table import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

# Each of them may select a way to sign in.
SELECTORS = (
    "authentication_method",
    "azure_credential",
    "refresh_token",
    "token_store",
    "client_certificate",
    "client_secret",
    "access_token",
)


@dataclass(frozen=True)
class Way:
    """A way to sign in.

    Attributes:
        name: Its name in forms.
        label: Its name on the page.
        hint: When to choose it, in one sentence.
        grant: The grant that the tap then uses.
        settings: The settings that it has on the page.
        fixed: The settings that it always has, with their values.
    """

    name: str
    label: str
    hint: str
    grant: Grant
    settings: tuple[str, ...]
    fixed: Mapping[str, str] = field(default_factory=dict)


WAYS: Mapping[str, Way] = {
    way.name: way
    for way in (
        Way(
            "person",
            "A person",
            "You sign in in a browser, and the tap uses the refresh token.",
            Grant.REFRESH_TOKEN,
            (
                "client_id",
                "client_secret",
                "token_uri",
                "refresh_token",
                "token_store",
                "scope",
                "auth_uri",
            ),
        ),
        Way(
            "secret",
            "The app, with a secret",
            "For pipelines without a person: the app is a user of the environment.",
            Grant.CLIENT_SECRET,
            ("client_id", "client_secret", "token_uri", "scope"),
        ),
        Way(
            "certificate",
            "The app, with a certificate",
            "Like a secret, and nothing secret is sent. Requires the extra certificate.",
            Grant.CLIENT_CERTIFICATE,
            (
                "client_id",
                "client_certificate",
                "client_certificate_password",
                "token_uri",
                "scope",
            ),
        ),
        Way(
            "azure",
            "Azure",
            "For machines in Azure, or an Azure CLI that is signed in. Requires the extra azure.",
            Grant.AZURE,
            ("azure_credential", "client_id", "scope"),
        ),
        Way(
            "ntlm",
            "NTLM",
            "For servers of your own, with a Windows account. Requires the extra ntlm.",
            Grant.NTLM,
            ("user", "password", "ntlm_domain"),
            {"authentication_method": AuthenticationMethod.NTLM.value},
        ),
        Way(
            "basic",
            "User and password",
            "For servers of your own that accept Basic authentication.",
            Grant.BASIC,
            ("user", "password"),
            {"authentication_method": AuthenticationMethod.BASIC.value},
        ),
        Way(
            "token",
            "An access token",
            "For a quick look: it is valid for about an hour.",
            Grant.ACCESS_TOKEN,
            ("access_token",),
        ),
    )
}
PERSON = WAYS["person"]
_BY_GRANT = {way.grant: way for way in WAYS.values()}


def way_of(values: Mapping[str, Any]) -> Way:
    """Return the way to sign in that settings select; that of a person if they select none.

    Args:
        values: Values by setting name.
    """
    grant = _grant(values)
    return _BY_GRANT[grant] if grant else PERSON


def _grant(values: Mapping[str, Any]) -> Grant | None:
    """Return the grant that settings select, whatever the spelling of its name is."""
    method = values.get("authentication_method")
    if isinstance(method, str):
        known = SETTINGS["authentication_method"].choice(method)
        values = {**values, "authentication_method": known}
    return choose_grant(values)


def check(way: Way, values: Mapping[str, Any]) -> None:
    """Check that the settings select a way to sign in, if they have a service.

    Args:
        way: The way to sign in that is chosen.
        values: Values by setting name.

    Raises:
        SettingsError: They select none. The message names what the chosen way lacks.
    """
    if "service_url" not in values or _grant(values) is not None:
        return
    needed = [name for name, _ in REQUIRED[way.grant]]
    if way is not PERSON:
        needed.append(way.grant.value)
    missing = [name for name in needed if name not in values]
    if missing:
        plural = len(missing) > 1
        names = " and ".join(missing)
        problem = f"Settings {names} are missing" if plural else f"Setting {names} is missing"
        step = f"enter {' and '.join(SETTINGS[name].title for name in missing)}"
    else:
        problem, step = "Nobody has signed in", "choose Sign in with Microsoft"
    msg = f"{problem}: on Connect, {step}, or choose another way to sign in."
    raise SettingsError(msg)


def left_out(way: Way, values: Mapping[str, Any]) -> list[str]:
    """Name the settings that select another way to sign in, which has precedence or is refused.

    Args:
        way: The way to sign in.
        values: Values by setting name.
    """
    return [
        name
        for name in SELECTORS
        if name in values and name not in way.settings and name not in way.fixed
    ]
