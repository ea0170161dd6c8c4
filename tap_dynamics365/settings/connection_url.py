"""The JDBC connection URL of the DataDirect driver, as settings of the tap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.settings.names import compare

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = "jdbc:datadirect:dynamics365:"

# Property of the driver, and the setting that mirrors it.
SETTINGS = {
    "AccessToken": "access_token",
    "AuthURI": "auth_uri",
    "AuthenticationMethod": "authentication_method",
    "ClientID": "client_id",
    "ClientSecret": "client_secret",
    "CreateMap": "create_map",
    "FetchSize": "fetch_size",
    "NTLMDomain": "ntlm_domain",
    "Password": "password",
    "ProxyHost": "proxy_host",
    "ProxyPassword": "proxy_password",
    "ProxyPort": "proxy_port",
    "ProxyUser": "proxy_user",
    "RefreshToken": "refresh_token",
    "SchemaMap": "schema_map",
    "Scope": "scope",
    "ServiceURL": "service_url",
    "ShowNameColumns": "show_name_columns",
    "StmtCallLimit": "stmt_call_limit",
    "StmtCallLimitBehavior": "stmt_call_limit_behavior",
    "TokenURI": "token_uri",
    "User": "user",
    "WSRetryCount": "ws_retry_count",
    "WSTimeout": "ws_timeout",
}

# Properties that mean nothing to an extractor: statement pools and batches of a JDBC
# connection, and its debug log.
WITHOUT_EFFECT = {
    "BatchUpdateChunkSize",
    "ImportStatementPool",
    "InsensitiveResultSetBufferSize",
    "MaxPooledStatements",
    "RegisterStatementPoolMonitorMBean",
    "SpyAttributes",
}

# Properties of the driver that the tap can't honour; leaving them out silently would extract
# something other than what was asked for.
NOT_SUPPORTED = {
    "CrossCompany",
}

# As the driver spells them, by lower case.
PROPERTIES = {name.lower(): name for name in (*SETTINGS, *WITHOUT_EFFECT, *NOT_SUPPORTED)}


def parse(url: str) -> tuple[dict[str, str], list[str]]:
    """Take a connection URL apart.

    Names are in any case. Only `;` ends a value; `=`, `/`, `+` and `:` are part of it. Blanks
    around a value do not count; one wrapped in curly brackets is taken as it stands between
    them. An empty value is none.

    Args:
        url: `jdbc:datadirect:dynamics365:Name=value;Name=value;…`, as the documentation of the
            driver "Progress DataDirect for JDBC for Microsoft Dynamics 365" describes it.

    Returns:
        Values by setting name, and the names of the properties that have no effect here.

    Raises:
        SettingsError: It is no such URL, or names a property that is unknown, is given twice,
            or is not supported. The message names properties, never a value.
    """
    if url[: len(PREFIX)].lower() != PREFIX:
        msg = f"connection_url must begin with {PREFIX} as the driver's connection URLs do."
        raise SettingsError(msg)

    settings: dict[str, str] = {}
    ignored: list[str] = []
    seen: list[str] = []
    for position, part in enumerate(url[len(PREFIX) :].split(";"), start=1):
        if not part.strip():
            continue
        name, equals, value = part.partition("=")
        known = _known(name.strip()) if equals else None
        if known is None:
            raise SettingsError(_unknown(position, seen))
        name = known
        if name in seen:
            msg = f"connection_url gives {name} twice: keep one of them."
            raise SettingsError(msg)
        seen.append(name)
        value = _unwrap(value.strip())
        if name in SETTINGS and value:
            settings[SETTINGS[name]] = value
        elif name in WITHOUT_EFFECT:
            ignored.append(name)
        elif name in NOT_SUPPORTED:
            msg = f"{name} in connection_url is not supported yet: take it out to go on without it."
            raise SettingsError(msg)
    return settings, ignored


def _known(name: str) -> str | None:
    """Find a property in the driver's spelling.

    Returns:
        It, or None if there is none that the name could mean.

    Raises:
        SettingsError: The name misspells one. Only then is it told: otherwise it may be a piece
            of a secret.
    """
    key = name.lower()
    if key in PROPERTIES:
        return PROPERTIES[key]
    found = compare(name, PROPERTIES.values())
    if found.is_misspelt:
        msg = f"connection_url has the unknown property {name!r}. Is {found.near} meant?"
        raise SettingsError(msg)
    return None


def _unknown(position: int, before: Sequence[str]) -> str:
    """Tell of a part that is no property."""
    told = f"Part {position} of connection_url is no property of the driver, such as ClientID=…;"
    if not before or before[-1] not in SETTINGS:
        return f"{told} Remove it, or correct its name."
    return (
        f"{told} If it belongs to the value of {before[-1]}, which then holds a ';', take "
        f"{before[-1]} out of the URL and set {SETTINGS[before[-1]]} instead."
    )


def _unwrap(value: str) -> str:
    wrapped = len(value) > 1 and value.startswith("{") and value.endswith("}")
    return value[1:-1] if wrapped else value
