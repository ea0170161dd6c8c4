"""Checks of settings: names, types, values, and contradictions.

A message names settings and the way out. It never contains a value, because the value may be a
secret.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator

from tap_dynamics365.errors import LOGIN, SettingsError
from tap_dynamics365.redaction import ONE_WORD
from tap_dynamics365.settings import filters, names
from tap_dynamics365.settings.access import ENVIRONMENT_URL
from tap_dynamics365.settings.choices import CreateMap
from tap_dynamics365.settings.grant import Grant
from tap_dynamics365.settings.table import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jsonschema import ValidationError

_APP = "the ID of the app registration"
#: The settings that a grant requires besides the one that selects it, and what they are.
REQUIRED = {
    Grant.NTLM: (
        ("ntlm_domain", "the Windows domain of the user"),
        ("user", "the name of the user"),
        ("password", "the password of the user"),
    ),
    Grant.BASIC: (
        ("user", "the name of the user"),
        ("password", "the password or web service access key of the user"),
    ),
    Grant.AZURE: (),
    Grant.REFRESH_TOKEN: (("client_id", f"{_APP} that the token was issued to"),),
    Grant.CLIENT_CERTIFICATE: (("client_id", f"{_APP} that has the certificate"),),
    Grant.CLIENT_SECRET: (("client_id", f"{_APP} that has the secret"),),
    Grant.ACCESS_TOKEN: (),
}
_URLS = tuple(name for name, setting in SETTINGS.items() if setting.format == "uri")


def check_names(given: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Check the names of settings.

    Args:
        given: The settings that are set.
        schema: JSON Schema of the settings.

    Returns:
        A sentence for each unknown name that is not a misspelling, such as a setting of another
        version of the tap.

    Raises:
        SettingsError: Names are misspellings of settings. The message has all of them.
    """
    found = [*names.find_unknown(given, schema)]
    if misspelt := [each for each in found if each.is_misspelt]:
        raise SettingsError(
            " ".join(
                f"Unknown setting {name}: rename it to {near}, or remove it."
                for name, near, _ in misspelt
            )
        )
    return tuple(
        f"Unknown setting {name} is ignored." + (f" Did you mean {near}?" if near else "")
        for name, near, _ in found
    )


def check_types(given: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Check the types and bounds of values.

    Args:
        given: The settings that are set.
        schema: JSON Schema of the settings.

    Raises:
        SettingsError: Values do not fit the schema. The message has all of them.
    """
    errors = Draft202012Validator(schema).iter_errors(dict(given))
    if problems := [_type_problem(error) for error in errors]:
        raise SettingsError(" ".join(problems))


def _type_problem(error: ValidationError) -> str:
    """Describe a validation error. The validator's own message would repeat the value."""
    name = ".".join(str(step) for step in error.absolute_path)
    expected: Any = error.validator_value
    match error.validator:
        case "type":
            types = [expected] if isinstance(expected, str) else expected
            listed = " or ".join(each for each in types if each != "null")
            return f"Setting {name} must be of type {listed}."
        case "minimum":
            return f"Setting {name} must be {expected} or more."
        case "maximum":
            return f"Setting {name} must be {expected} or less."
        case "enum":
            return f"Setting {name} must be {_list([each for each in expected if each])}."
        case _:
            return f"Setting {name} does not match its description in tap-dynamics365 --about."


def _list(words: Sequence[str]) -> str:
    """Join words: `a or b`, `a, b, or c`."""
    *first, last = words
    comma = "," if len(first) > 1 else ""
    return f"{', '.join(first)}{comma} or {last}"


def check_values(given: Mapping[str, Any]) -> None:
    """Check the values of settings, and that they do not contradict each other.

    Args:
        given: The settings that are set, of the right types.

    Raises:
        SettingsError: A value is wrong, or contradicts another one. The message has the first
            that is found.
    """
    if "service_url" not in given:
        msg = (
            "Setting service_url is missing: set it to the URL of the environment, such as "
            f"{ENVIRONMENT_URL}. To list your environments, run dynamics365 environments."
        )
        raise SettingsError(msg)
    for name in _URLS:
        if name in given:
            _check_url(name, given[name])
    _check_choices(given)
    if not ONE_WORD.fullmatch(given.get("access_token", "x")):
        msg = (
            "Setting access_token must contain only printable ASCII characters, without spaces and "
            "line breaks."
        )
        raise SettingsError(msg)
    _check_proxy(given)
    _check_filters(given.get("filters", {}))
    if "start_date" in given:
        try:
            datetime.fromisoformat(given["start_date"])
        except ValueError:
            msg = "Setting start_date must be a date such as 2026-01-31 or 2026-01-31T08:00:00Z."
            raise SettingsError(msg) from None


def check_grant(grant: Grant | None, given: Mapping[str, Any]) -> None:
    """Check that there is a way to sign in, and that it is complete.

    Args:
        grant: The grant that the settings select, or None.
        given: The settings that are set.

    Raises:
        SettingsError: No grant is selected, or two are, or a setting is missing.
    """
    if grant is None:
        raise SettingsError(_no_grant(given))
    selected_by = grant.value
    by_name = {Grant.NTLM, Grant.BASIC, Grant.AZURE}
    for other in (Grant.AZURE, Grant.CLIENT_CERTIFICATE):
        if grant in by_name and grant is not other and other.value in given:
            msg = (
                f"Settings {selected_by} and {other.value} select two ways to sign in: keep one of "
                "them."
            )
            raise SettingsError(msg)
    if grant is Grant.REFRESH_TOKEN and grant.value not in given:
        selected_by = "the token in token_store"
    for name, what in REQUIRED[grant]:
        if name not in given:
            msg = f"Setting {name} is missing: {selected_by} requires {what}."
            raise SettingsError(msg)
    if grant is Grant.BASIC and ":" in given["user"]:
        # RFC 7617, section 2: the first colon ends the name.
        msg = f"Setting user must not contain a colon with {selected_by}."
        raise SettingsError(msg)


def _no_grant(given: Mapping[str, Any]) -> str:
    """Describe what to set to sign in."""
    if "user" in given or "password" in given:
        return (
            "No way to sign in is configured: to use user and password, set authentication_method "
            "to NTLM or Basic. Cloud services accept neither."
        )
    if "token_store" in given:
        return (
            "No way to sign in is configured: token_store does not contain a token yet. Get one "
            f"with {LOGIN}, or set client_id and refresh_token."
        )
    return (
        "No way to sign in is configured: set client_id with refresh_token, client_secret, or "
        "client_certificate, or set azure_credential or access_token. Get a refresh token with "
        f"{LOGIN}."
    )


def _check_url(name: str, url: str) -> None:
    """Check that a text is a URL that a path can be appended to, and that it is encrypted.

    Args:
        name: The setting.
        url: Its value.

    Raises:
        SettingsError: It is not.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, 0
    if (
        not host
        or port == 0
        or parts.scheme not in {"http", "https"}
        # Neither credentials nor a query nor a fragment. The kind of the service decides about
        # the query of its URL.
        or set("@#\\ " if name == "service_url" else "@?#\\ ").intersection(url)
    ):
        msg = (
            f"Setting {name} must be an absolute URL such as https://host/path, without "
            "credentials and query."
        )
        raise SettingsError(msg)
    if parts.scheme == "http" and not _is_loopback(host):
        msg = f"Setting {name} must start with https://: http:// sends tokens and rows in clear."
        if name == "service_url":
            msg += (
                " If a server of your own has no HTTPS, its administrator can add it: a binding of "
                "type https, with a certificate, in Internet Information Services."
            )
        raise SettingsError(msg)


def _is_loopback(host: str) -> bool:
    """Tell whether a host is this machine (RFC 6761, section 6.3; RFC 1122; RFC 4291)."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_choices(given: Mapping[str, Any]) -> None:
    for name, setting in SETTINGS.items():
        if setting.choices and name in given and setting.choice(given[name]) is None:
            msg = f"Setting {name} must be {_list(setting.choices)}."
            if name == "replication_method":
                msg += " For FULL_TABLE, set the replication method of a table in the catalog."
            raise SettingsError(msg)
    create_map = SETTINGS["create_map"].convert(given.get("create_map"))
    if create_map is CreateMap.NO and "schema_map" not in given:
        msg = (
            "Setting schema_map is missing: create_map=No requires the path of a file with the "
            "metadata of the service."
        )
        raise SettingsError(msg)


def _check_filters(given: Mapping[str, str]) -> None:
    """Check that each filter can be joined to other conditions."""
    names = [name.lower() for name in given]
    for name, expression in given.items():
        if names.count(name.lower()) > 1:
            msg = f"Setting filters has {name!r} more than once: names are case-insensitive."
            raise SettingsError(msg)
        if flaw := filters.flaw(expression):
            msg = f"The expression for {name!r} in the setting filters {flaw}."
            raise SettingsError(msg)


def _check_proxy(given: Mapping[str, Any]) -> None:
    if "proxy_host" not in given:
        for name in ("proxy_user", "proxy_password"):
            if name in given:
                msg = f"Setting proxy_host is missing: {name} requires the host name of the proxy."
                raise SettingsError(msg)
        return
    if not re.fullmatch(r"[\w.-]+|[0-9A-Fa-f:.]+", given["proxy_host"]):
        msg = (
            "Setting proxy_host must be only a host name or an IP address: set the port in "
            "proxy_port, and credentials in proxy_user and proxy_password."
        )
        raise SettingsError(msg)
    if not given.get("proxy_port"):
        msg = "Setting proxy_port is missing: proxy_host requires a port, such as 8080."
        raise SettingsError(msg)
    if "proxy_password" in given and "proxy_user" not in given:
        msg = "Setting proxy_user is missing: proxy_password requires a user name."
        raise SettingsError(msg)
