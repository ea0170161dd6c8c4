"""The JDBC connection URL of the DataDirect driver, as settings of the tap."""

from __future__ import annotations

import difflib

from tap_dynamics365.errors import SettingsError

PREFIX = "jdbc:datadirect:dynamics365:"

# Property of the driver, in lower case, and the setting that mirrors it.
SETTINGS = {
    "accesstoken": "access_token",
    "clientid": "client_id",
    "clientsecret": "client_secret",
    "fetchsize": "fetch_size",
    "refreshtoken": "refresh_token",
    "scope": "scope",
    "serviceurl": "service_url",
    "tokenuri": "token_uri",
    "wstimeout": "ws_timeout",
}

# Properties that mean nothing to an extractor: statement pools and batches of a JDBC
# connection, its debug log, and the address where a person's sign-in begins.
WITHOUT_EFFECT = {
    "authuri": "AuthURI",
    "batchupdatechunksize": "BatchUpdateChunkSize",
    "importstatementpool": "ImportStatementPool",
    "insensitiveresultsetbuffersize": "InsensitiveResultSetBufferSize",
    "maxpooledstatements": "MaxPooledStatements",
    "registerstatementpoolmonitormbean": "RegisterStatementPoolMonitorMBean",
    "spyattributes": "SpyAttributes",
}

# Properties of the driver that the tap can't honour; leaving them out silently would extract
# something other than what was asked for.
NOT_SUPPORTED = {
    "createmap": "CreateMap",
    "crosscompany": "CrossCompany",
    "ntlmdomain": "NTLMDomain",
    "password": "Password",
    "proxyhost": "ProxyHost",
    "proxypassword": "ProxyPassword",
    "proxyport": "ProxyPort",
    "proxyuser": "ProxyUser",
    "schemamap": "SchemaMap",
    "shownamecolumns": "ShowNameColumns",
    "stmtcalllimit": "StmtCallLimit",
    "stmtcalllimitbehavior": "StmtCallLimitBehavior",
    "user": "User",
    "wsretrycount": "WSRetryCount",
}

AUTHENTICATION_METHOD = "authenticationmethod"


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
    seen: set[str] = set()
    for position, part in enumerate(url[len(PREFIX) :].split(";"), start=1):
        if not part.strip():
            continue
        name, equals, value = part.partition("=")
        if not equals:
            # The part itself may be a piece of a secret: only its place is told.
            msg = f"Part {position} of connection_url has no '=': properties are Name=value;"
            raise SettingsError(msg)
        name = name.strip()
        key = name.lower()
        if key in seen:
            msg = f"connection_url gives {name} twice: keep one of them."
            raise SettingsError(msg)
        seen.add(key)
        value = _unwrap(value.strip())
        if key in SETTINGS:
            if value:
                settings[SETTINGS[key]] = value
        elif key in WITHOUT_EFFECT:
            ignored.append(WITHOUT_EFFECT[key])
        else:
            _check_rest(key, name, value)
    return settings, ignored


def _unwrap(value: str) -> str:
    wrapped = len(value) > 1 and value.startswith("{") and value.endswith("}")
    return value[1:-1] if wrapped else value


def _check_rest(key: str, name: str, value: str) -> None:
    """Raise for a property that is neither a setting nor without effect."""
    if key == AUTHENTICATION_METHOD:
        if value.lower() not in {"", "oauth2"}:
            msg = "AuthenticationMethod in connection_url must be OAuth2, the only one supported."
            raise SettingsError(msg)
        return
    if key in NOT_SUPPORTED:
        msg = (
            f"{NOT_SUPPORTED[key]} in connection_url is not supported yet: "
            "take it out to go on without it."
        )
        raise SettingsError(msg)
    known = {**SETTINGS, **WITHOUT_EFFECT, **NOT_SUPPORTED, AUTHENTICATION_METHOD: ""}
    close = difflib.get_close_matches(key, known, n=1)
    hint = f" Is {close[0]} meant?" if close else ""
    msg = f"connection_url has the unknown property {name!r}.{hint}"
    raise SettingsError(msg)
