"""The settings: what they are called, what they mean, what contradicts what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tap_dynamics365.settings import checks, connection_url
from tap_dynamics365.settings.grant import Grant, choose
from tap_dynamics365.settings.schema import (
    CREATE_MAP,
    ERROR_ALWAYS,
    FETCH_SIZE,
    JSON_SCHEMA,
    LOOKBACK_SECONDS,
    MAX_PARALLEL_REQUESTS,
    ON_CHANGE,
    OWN_MAP,
    READ_AHEAD_MB,
    RETURN_RESULTS,
    STMT_CALL_LIMIT,
    WS_RETRY_COUNT,
    WS_RETRY_WAIT_LIMIT,
    WS_TIMEOUT,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["JSON_SCHEMA", "Grant", "Settings"]

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings as the tap uses them: `connection_url` merged in, defaults filled in.

    Secrets stay out of its `repr`.
    """

    service_url: str
    #: How to sign in; None where that is what the login command is to change.
    grant: Grant | None
    token_uri: str | None
    auth_uri: str | None
    client_id: str | None
    client_secret: str | None = field(repr=False)
    client_certificate: str | None = field(repr=False)
    client_certificate_password: str | None = field(repr=False)
    refresh_token: str | None = field(repr=False)
    token_store: str | None
    access_token: str | None = field(repr=False)
    azure_credential: str | None
    scope: str | None
    ntlm_domain: str | None
    user: str | None
    password: str | None = field(repr=False)
    proxy_host: str | None
    proxy_port: int
    proxy_user: str | None
    proxy_password: str | None = field(repr=False)
    start_date: str | None
    replication_method: str
    lookback_seconds: int
    tables: tuple[str, ...]
    schema_map: str | None
    create_map: str
    metadata_streams: bool
    show_name_columns: bool
    fetch_size: int
    ws_timeout: int
    ws_retry_count: int
    ws_retry_wait_limit: int
    stmt_call_limit: int
    stmt_call_limit_behavior: str
    max_parallel_requests: int
    read_ahead_mb: int
    #: Properties in `connection_url` that have no effect.
    ignored: tuple[str, ...] = ()
    #: What is to be said of names that are no setting's.
    unknown: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """The origin of the service, by which the sign-in host knows it (RFC 6454, section 6.1).

        In lower case and without the default port, however `service_url` spells it.
        """
        parts = urlsplit(self.service_url)
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        has_port = parts.port not in {None, DEFAULT_PORTS.get(parts.scheme)}
        return f"{parts.scheme}://{host}{f':{parts.port}' if has_port else ''}"

    @property
    def returns_results(self) -> bool:
        """Whether a table that was read in part, up to `stmt_call_limit`, is no failure."""
        return self.stmt_call_limit_behavior.lower() == RETURN_RESULTS.lower()

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], schema: Mapping[str, Any], *, for_login: bool = False
    ) -> Settings:
        """Read a configuration.

        Args:
            config: Values by setting name; an empty text is none.
            schema: The JSON Schema of the settings, those of the SDK included.
            for_login: Whether they are the login command's, for which there need be no way to
                sign in yet.

        Returns:
            The settings, checked.

        Raises:
            SettingsError: A setting is missing, misspelt, of a wrong type, or contradicts another.
                The message names settings, never a value, for it may be a secret.
        """
        given = {name: value for name, value in config.items() if value is not None and value != ""}
        unknown = checks.check_names(given, schema)
        checks.check_types(given, schema)
        ignored: list[str] = []
        if url := given.get("connection_url"):
            from_url, ignored = connection_url.parse(url)
            if "schema_map" in from_url:
                # There the driver keeps a file of its own, in another format.
                from_url["schema_map"] += OWN_MAP
            given = {**checks.with_types(from_url), **given}
        if "token_uri" in given:
            given["token_uri"] = _without_method(given["token_uri"])
        checks.check_values(given)
        grant = choose(given)
        if not for_login:
            checks.check_grant(grant, given)
        return cls(
            service_url=given["service_url"].rstrip("/") + "/",
            grant=grant,
            token_uri=given.get("token_uri"),
            auth_uri=given.get("auth_uri"),
            client_id=given.get("client_id"),
            client_secret=given.get("client_secret"),
            client_certificate=given.get("client_certificate"),
            client_certificate_password=given.get("client_certificate_password"),
            refresh_token=given.get("refresh_token"),
            token_store=given.get("token_store"),
            access_token=given.get("access_token"),
            azure_credential=given.get("azure_credential"),
            scope=given.get("scope"),
            ntlm_domain=given.get("ntlm_domain"),
            user=given.get("user"),
            password=given.get("password"),
            proxy_host=given.get("proxy_host"),
            proxy_port=int(given.get("proxy_port", 0)),
            proxy_user=given.get("proxy_user"),
            proxy_password=given.get("proxy_password"),
            start_date=given.get("start_date"),
            replication_method=given.get("replication_method", "INCREMENTAL").upper(),
            lookback_seconds=int(given.get("lookback_seconds", LOOKBACK_SECONDS)),
            tables=tuple(given.get("tables", ())),
            schema_map=given.get("schema_map"),
            create_map=_spelt(given.get("create_map", ON_CHANGE), CREATE_MAP),
            metadata_streams=bool(given.get("metadata_streams", False)),
            show_name_columns=bool(given.get("show_name_columns", False)),
            fetch_size=int(given.get("fetch_size", FETCH_SIZE)),
            ws_timeout=int(given.get("ws_timeout", WS_TIMEOUT)),
            ws_retry_count=int(given.get("ws_retry_count", WS_RETRY_COUNT)),
            ws_retry_wait_limit=int(given.get("ws_retry_wait_limit", WS_RETRY_WAIT_LIMIT)),
            stmt_call_limit=int(given.get("stmt_call_limit", STMT_CALL_LIMIT)),
            stmt_call_limit_behavior=given.get("stmt_call_limit_behavior", ERROR_ALWAYS),
            max_parallel_requests=int(given.get("max_parallel_requests", MAX_PARALLEL_REQUESTS)),
            read_ahead_mb=int(given.get("read_ahead_mb", READ_AHEAD_MB)),
            ignored=tuple(ignored),
            unknown=unknown,
        )


def _spelt(word: str, words: Collection[str]) -> str:
    """Spell a word, which is in any case, as it is spelt among others."""
    return next((each for each in words if each.lower() == word.lower()), word)


def _without_method(token_uri: str) -> str:
    """Take off the word that the driver wants before the address: `POST https://…`."""
    method, _, address = token_uri.strip().partition(" ")
    return address.strip() if method.upper() == "POST" else token_uri
