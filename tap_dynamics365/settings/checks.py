"""What is missing, wrong, or at odds. Settings are told by their names, never by a value."""

from __future__ import annotations

import ipaddress
import math
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.redaction import ONE_WORD
from tap_dynamics365.settings import names
from tap_dynamics365.settings.grant import NTLM, Grant
from tap_dynamics365.settings.schema import (
    CREATE_MAP,
    ERROR_ALWAYS,
    JSON_SCHEMA,
    NO_MAP,
    ON_CHANGE,
    RETURN_RESULTS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

# Numbers in a connection URL: setting, and property of the driver.
_NUMBERS = (
    ("fetch_size", "FetchSize"),
    ("ws_timeout", "WSTimeout"),
    ("ws_retry_count", "WSRetryCount"),
    ("stmt_call_limit", "StmtCallLimit"),
    ("proxy_port", "ProxyPort"),
)

# The same for what is true or false.
_SWITCHES = (("show_name_columns", "ShowNameColumns"),)

# Hosts of Dataverse in each cloud, and where its Web API is.
# https://learn.microsoft.com/power-apps/developer/data-platform/webapi/discovery-service
_DATAVERSE = re.compile(
    r"\.crm[0-9]*\.(?:dynamics\.com|dynamics\.cn|microsoftdynamics\.us|appsplatform\.us)$"
)
_WEB_API = re.compile(r"/api/data/v[0-9]+(?:\.[0-9]+)?/*$", re.IGNORECASE)

_APP = "the ID of the app registration"
# What each grant needs beside the setting that calls for it, and what that is.
_NEEDS = {
    Grant.NTLM: (
        ("ntlm_domain", "the Windows domain of the user"),
        ("user", "the name of the user"),
        ("password", "the user's password"),
    ),
    Grant.AZURE: (),
    Grant.REFRESH_TOKEN: (("client_id", f"{_APP} that the token was issued to"),),
    Grant.CLIENT_CERTIFICATE: (("client_id", f"{_APP} that the certificate was added to"),),
    Grant.CLIENT_SECRET: (("client_id", f"{_APP} that the secret was added to"),),
    Grant.ACCESS_TOKEN: (),
}


def check_names(given: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Raise if a name misspells that of a setting.

    Args:
        given: The settings that have a value.
        schema: The JSON Schema of the settings.

    Returns:
        A sentence for each other name that is no setting's, such as one of another version's.

    Raises:
        SettingsError: With all that are misspelt.
    """
    found = [*names.unknown(given, schema)]
    if misspelt := [each for each in found if each.is_misspelt]:
        raise SettingsError(
            " ".join(
                f"There is no setting {name}: rename it to {near}, or remove it."
                for name, near, _ in misspelt
            )
        )
    return tuple(
        f"There is no setting {name}: it is ignored." + (f" Is {near} meant?" if near else "")
        for name, near, _ in found
    )


def check_types(given: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Raise if a value is not of its setting's type.

    Args:
        given: The settings that have a value.
        schema: The JSON Schema of the settings.

    Raises:
        SettingsError: With all that are not.
    """
    problems = []
    for error in Draft202012Validator(schema).iter_errors(dict(given)):
        # The validator's own message repeats the value.
        name = ".".join(str(step) for step in error.absolute_path)
        if error.validator == "type":
            expected = error.validator_value
            names = [expected] if isinstance(expected, str) else expected
            wanted = " or ".join(name for name in names if name != "null")
            problems.append(f"Setting {name} must be of the type {wanted}.")
        elif error.validator == "minimum":
            problems.append(f"Setting {name} must be {error.validator_value} or more.")
        elif error.validator == "maximum":
            problems.append(f"Setting {name} must be {error.validator_value} or less.")
        elif error.validator == "enum":
            known = ", ".join(str(value) for value in error.validator_value if value is not None)
            problems.append(f"Setting {name} must be one of {known}.")
        else:
            problems.append(f"Setting {name} is not as `--about` describes it.")
    if problems:
        # A text of the wrong type is no value of a list of texts either: once is enough.
        raise SettingsError(" ".join(dict.fromkeys(problems)))


def with_types(from_url: Mapping[str, str]) -> dict[str, Any]:
    """Turn the texts of a connection URL that stand for numbers, true or false into these.

    Args:
        from_url: Values by setting name.

    Returns:
        The same in the types of the settings.

    Raises:
        SettingsError: A text is no such value.
    """
    values: dict[str, Any] = dict(from_url)
    for name, property_name in _NUMBERS:
        if name not in values:
            continue
        text = values[name]
        declared = JSON_SCHEMA["properties"][name]
        least, greatest = declared["minimum"], declared.get("maximum", math.inf)
        if not re.fullmatch("[0-9]{1,20}", text) or not least <= int(text) <= greatest:
            upper = " up" if greatest == math.inf else f" to {greatest}"
            msg = f"{property_name} in connection_url must be a whole number from {least}{upper}."
            raise SettingsError(msg)
        values[name] = int(text)
    for name, property_name in _SWITCHES:
        if name not in values:
            continue
        text = values[name].lower()
        if text not in {"true", "false"}:
            msg = f"{property_name} in connection_url must be true or false."
            raise SettingsError(msg)
        values[name] = text == "true"
    return values


def check_values(given: Mapping[str, Any]) -> None:
    """Raise if a setting is wrong in itself, or at odds with another.

    Args:
        given: The settings that have a value.

    Raises:
        SettingsError: With the first that is.
    """
    if "service_url" not in given:
        msg = (
            "Setting service_url is missing: set it to the address of the Web API, such as "
            "https://yourorg.api.crm.dynamics.com/api/data/v9.2/."
        )
        raise SettingsError(msg)
    for name in ("service_url", "token_uri", "auth_uri"):
        if name in given:
            _check_address(name, given[name])
    parts = urlsplit(given["service_url"])
    if _DATAVERSE.search(parts.hostname or "") and not _WEB_API.match(parts.path):
        msg = (
            "Setting service_url must name the Web API and its version: add /api/data/v9.2/ to "
            "the address of the organisation."
        )
        raise SettingsError(msg)
    method = str(given.get("authentication_method", "")).lower()
    if method not in {"", "oauth2", NTLM}:
        msg = "Setting authentication_method must be OAuth2 or NTLM."
        raise SettingsError(msg)
    if str(given.get("replication_method", "")).upper() not in {"", "INCREMENTAL", "LOG_BASED"}:
        msg = (
            "Setting replication_method must be INCREMENTAL or LOG_BASED; single tables can be "
            "FULL_TABLE too, in the catalog."
        )
        raise SettingsError(msg)
    _check_map(given)
    _check_call_limit_behavior(given.get("stmt_call_limit_behavior", ERROR_ALWAYS))
    if not ONE_WORD.fullmatch(given.get("access_token", "x")):
        msg = (
            "Setting access_token must be as it was issued: letters, digits and signs, without a "
            "blank or the end of a line."
        )
        raise SettingsError(msg)
    _check_proxy(given)
    if "start_date" in given:
        try:
            datetime.fromisoformat(given["start_date"])
        except ValueError:
            msg = "Setting start_date must be a date such as 2026-01-31 or 2026-01-31T08:00:00Z."
            raise SettingsError(msg) from None


def _check_map(given: Mapping[str, Any]) -> None:
    create = str(given.get("create_map", ON_CHANGE)).lower()
    if create not in {word.lower() for word in CREATE_MAP}:
        msg = f"Setting create_map must be {', '.join(CREATE_MAP[:-1])} or {CREATE_MAP[-1]}."
        raise SettingsError(msg)
    if create == NO_MAP.lower() and "schema_map" not in given:
        msg = (
            "Setting schema_map is missing: create_map is No, so that it has to name the file with "
            "the description of the service."
        )
        raise SettingsError(msg)


def check_grant(grant: Grant | None, given: Mapping[str, Any]) -> None:
    """Raise if there is no way to sign in, or if it lacks something.

    Args:
        grant: The one that the settings call for.
        given: The settings that have a value.

    Raises:
        SettingsError: With what is missing, or at odds.
    """
    if grant is None:
        raise SettingsError(_no_way_in(given))
    for other in (Grant.AZURE, Grant.CLIENT_CERTIFICATE):
        if grant in {Grant.NTLM, Grant.AZURE} and grant is not other and other.value in given:
            chosen = "authentication_method=NTLM" if grant is Grant.NTLM else grant.value
            msg = f"Settings {chosen} and {other.value} are two ways to sign in: keep one of them."
            raise SettingsError(msg)
    caller = "authentication_method=NTLM" if grant is Grant.NTLM else grant.value
    if grant is Grant.REFRESH_TOKEN and grant.value not in given:
        caller = "the token in token_store"
    for name, what in _NEEDS[grant]:
        if name not in given:
            msg = f"Setting {name} is missing: {caller} needs it, {what}."
            raise SettingsError(msg)


def _no_way_in(given: Mapping[str, Any]) -> str:
    """Tell what would be a way to sign in, given what is there."""
    if "user" in given or "password" in given:
        return (
            "There is no way to sign in: set authentication_method to NTLM to use user and "
            "password, which cloud services do not accept."
        )
    if "token_store" in given:
        return (
            "There is no way to sign in: no token is in token_store yet. Run "
            "tap-dynamics365-login to get one, or set refresh_token (with client_id)."
        )
    return (
        "There is no way to sign in: set client_id with refresh_token, client_secret or "
        "client_certificate, or else azure_credential or access_token. tap-dynamics365-login "
        "gets a refresh token."
    )


def _check_address(name: str, text: str) -> None:
    """Raise if a text is no address to which a path can be added, or one that anyone can hear."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, 0
    if (
        not host
        or port == 0
        or parts.scheme not in {"http", "https"}
        # Neither a password in the address nor a query behind it.
        or set("@?#\\ ").intersection(text)
    ):
        msg = f"Setting {name} must be a whole address such as https://host/path."
        raise SettingsError(msg)
    if parts.scheme == "http" and not _is_loopback(host):
        msg = (
            f"Setting {name} must begin with https://: over http:// everyone on the way could "
            "read tokens and rows."
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


def _check_call_limit_behavior(text: str) -> None:
    """Raise if what is to become of a table at its limit is none of the two that there are."""
    if text.lower() not in {ERROR_ALWAYS.lower(), RETURN_RESULTS.lower()}:
        msg = f"Setting stmt_call_limit_behavior must be {ERROR_ALWAYS} or {RETURN_RESULTS}."
        raise SettingsError(msg)


def _check_proxy(given: Mapping[str, Any]) -> None:
    """Raise if what is said of the proxy does not lead to one."""
    if "proxy_host" not in given:
        for name in ("proxy_user", "proxy_password"):
            if name in given:
                msg = f"Setting proxy_host is missing: {name} needs it, the name of the proxy."
                raise SettingsError(msg)
        return
    if not re.fullmatch(r"[\w.-]+|[0-9A-Fa-f:.]+", given["proxy_host"]):
        msg = (
            "Setting proxy_host must be a name or an address alone; its port belongs into "
            "proxy_port, and a user into proxy_user and proxy_password."
        )
        raise SettingsError(msg)
    if not given.get("proxy_port"):
        msg = "Setting proxy_port is missing: proxy_host needs it, a number such as 8080."
        raise SettingsError(msg)
    if "proxy_password" in given and "proxy_user" not in given:
        msg = "Setting proxy_user is missing: proxy_password needs it, the name of its user."
        raise SettingsError(msg)
