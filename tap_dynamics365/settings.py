"""The settings: what they are called, what they mean, what contradicts what."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator
from singer_sdk import typing as th
from singer_sdk.helpers.capabilities import EMIT_ACTIVATE_VERSION_CONFIG

from tap_dynamics365 import connection_url
from tap_dynamics365.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

FETCH_SIZE = 5000
WS_TIMEOUT = 300
MAX_PARALLEL_REQUESTS = 8
READ_AHEAD_MB = 256

_JSON_SCHEMA = th.PropertiesList(
    th.Property(
        "service_url",
        th.URIType,
        title="Service URL",
        description=(
            "Address of the Web API with its version, such as "
            "`https://yourorg.api.crm.dynamics.com/api/data/v9.2/`. Required, here or as "
            "`ServiceURL` in `connection_url`."
        ),
    ),
    th.Property(
        "token_uri",
        th.URIType,
        title="Token URI",
        description=(
            "Address where tokens are issued, such as "
            "`https://login.microsoftonline.com/<tenant>/oauth2/v2.0/token`. Needed to sign in "
            "with `refresh_token`."
        ),
    ),
    th.Property(
        "client_id",
        th.StringType,
        title="Client ID",
        description="Application (client) ID of the app registration in Microsoft Entra ID.",
    ),
    th.Property(
        "client_secret",
        th.StringType,
        title="Client Secret",
        description="Secret of a confidential app registration; left out for a public client.",
        secret=True,
    ),
    th.Property(
        "refresh_token",
        th.StringType,
        title="Refresh Token",
        description=(
            "Exchanged at `token_uri` for access tokens as long as the run lasts. Used rather "
            "than `access_token` when both are set."
        ),
        secret=True,
    ),
    th.Property(
        "access_token",
        th.StringType,
        title="Access Token",
        description="Used as it is, for about an hour; it can't be renewed.",
        secret=True,
    ),
    th.Property(
        "scope",
        th.StringType,
        title="Scope",
        description=(
            "Scopes to ask for when signing in, separated by spaces; the sign-in host's own "
            "choice when left out."
        ),
    ),
    th.Property(
        "connection_url",
        th.StringType,
        title="Connection URL",
        description=(
            "A whole JDBC connection URL of the DataDirect driver, "
            "`jdbc:datadirect:dynamics365:ServiceURL=…;ClientID=…;`. Other settings win over it."
        ),
        secret=True,
    ),
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start Date",
        description=(
            "The first run of a table that is replicated by a date takes the rows changed "
            "since then; all rows when left out."
        ),
    ),
    th.Property(
        "tables",
        th.ArrayType(th.StringType),
        title="Tables",
        description=(
            "Names of the tables to discover, or shell-style patterns such as `new_*`, in any "
            "case; all tables when left out."
        ),
    ),
    th.Property(
        "fetch_size",
        th.IntegerType(minimum=1),
        title="Fetch Size",
        description="Rows asked for with each request. Dataverse gives 5,000 at most.",
        default=FETCH_SIZE,
    ),
    th.Property(
        "ws_timeout",
        th.IntegerType(minimum=0),
        title="Time-out",
        description="Seconds to wait for the service's answer; 0 waits for ever.",
        default=WS_TIMEOUT,
    ),
    th.Property(
        "max_parallel_requests",
        th.IntegerType(minimum=1),
        title="Parallel Requests",
        description=(
            "At most so many requests are in flight at once, over all tables; 1 sends one after "
            "the other."
        ),
        default=MAX_PARALLEL_REQUESTS,
    ),
    th.Property(
        "read_ahead_mb",
        th.IntegerType(minimum=1),
        title="Read-Ahead",
        description="Megabytes of rows that may be fetched ahead of what has been written.",
        default=READ_AHEAD_MB,
    ),
).to_dict()

JSON_SCHEMA: dict[str, Any] = {
    **_JSON_SCHEMA,
    "properties": {**_JSON_SCHEMA["properties"], **EMIT_ACTIVATE_VERSION_CONFIG["properties"]},
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings as the tap uses them: `connection_url` merged in, defaults filled in.

    Secrets stay out of its `repr`.
    """

    service_url: str
    token_uri: str | None
    client_id: str | None
    client_secret: str | None = field(repr=False)
    refresh_token: str | None = field(repr=False)
    access_token: str | None = field(repr=False)
    scope: str | None
    tables: tuple[str, ...]
    fetch_size: int
    ws_timeout: int
    max_parallel_requests: int
    read_ahead_mb: int
    #: Properties in `connection_url` that have no effect.
    ignored: tuple[str, ...] = ()

    @classmethod
    def from_config(cls, config: Mapping[str, Any], schema: Mapping[str, Any]) -> Settings:
        """Read a configuration.

        Args:
            config: Values by setting name; an empty text is none.
            schema: The JSON Schema of the settings, those of the SDK included.

        Returns:
            The settings, checked.

        Raises:
            SettingsError: A setting is missing, of a wrong type, or contradicts another. The
                message names settings, never a value, for it may be a secret.
        """
        given = {name: value for name, value in config.items() if value is not None and value != ""}
        _check_types(given, schema)
        ignored: list[str] = []
        if url := given.get("connection_url"):
            from_url, ignored = connection_url.parse(url)
            given = {**_with_numbers(from_url), **given}
        _check(given)
        return cls(
            service_url=given["service_url"].rstrip("/") + "/",
            token_uri=given.get("token_uri"),
            client_id=given.get("client_id"),
            client_secret=given.get("client_secret"),
            refresh_token=given.get("refresh_token"),
            access_token=given.get("access_token"),
            scope=given.get("scope"),
            tables=tuple(given.get("tables", ())),
            fetch_size=int(given.get("fetch_size", FETCH_SIZE)),
            ws_timeout=int(given.get("ws_timeout", WS_TIMEOUT)),
            max_parallel_requests=int(given.get("max_parallel_requests", MAX_PARALLEL_REQUESTS)),
            read_ahead_mb=int(given.get("read_ahead_mb", READ_AHEAD_MB)),
            ignored=tuple(ignored),
        )


def _check_types(given: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Raise if a value is not of its setting's type."""
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
        else:
            problems.append(f"Setting {name} is not as `--about` describes it.")
    if problems:
        raise SettingsError(" ".join(problems))


def _with_numbers(from_url: Mapping[str, str]) -> dict[str, Any]:
    """Turn the texts of a connection URL that stand for numbers into numbers."""
    values: dict[str, Any] = dict(from_url)
    for name, property_name, minimum in (
        ("fetch_size", "FetchSize", 1),
        ("ws_timeout", "WSTimeout", 0),
    ):
        if name not in values:
            continue
        text = values[name]
        if not re.fullmatch("[0-9]{1,9}", text) or int(text) < minimum:
            msg = f"{property_name} in connection_url must be a whole number from {minimum} up."
            raise SettingsError(msg)
        values[name] = int(text)
    return values


def _check(given: Mapping[str, Any]) -> None:
    """Raise if a setting is missing or at odds with another."""
    if "service_url" not in given:
        msg = (
            "Setting service_url is missing: set it to the address of the Web API, such as "
            "https://yourorg.api.crm.dynamics.com/api/data/v9.2/."
        )
        raise SettingsError(msg)
    for name in ("service_url", "token_uri"):
        if name in given and not _is_web_address(given[name]):
            msg = f"Setting {name} must be a whole address such as https://host/path."
            raise SettingsError(msg)
    if "refresh_token" in given:
        for name, what in (
            ("client_id", "the ID of the app registration that the token was issued to"),
            (
                "token_uri",
                "an address such as https://login.microsoftonline.com/<tenant>/oauth2/v2.0/token",
            ),
        ):
            if name not in given:
                msg = f"Setting {name} is missing: refresh_token needs it, {what}."
                raise SettingsError(msg)
    elif "access_token" not in given:
        msg = (
            "There is no way to sign in: set refresh_token (with client_id and token_uri), "
            "or access_token."
        )
        raise SettingsError(msg)
    if "start_date" in given:
        try:
            datetime.fromisoformat(given["start_date"])
        except ValueError:
            msg = "Setting start_date must be a date such as 2026-01-31 or 2026-01-31T08:00:00Z."
            raise SettingsError(msg) from None


def _is_web_address(text: str) -> bool:
    """Tell whether a text is an address to which a path can be added."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and port != 0
        # Neither a password in the address nor a query behind it.
        and not set("@?# ").intersection(text)
    )
