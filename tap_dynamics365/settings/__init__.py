"""Settings: declared in one table (`table.py`), checked, and read into `Settings`.

settings = Settings.from_config({"service_url": "https://…", "access_token": "…"}, JSON_SCHEMA)
settings.fetch_size  # 5000
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tap_dynamics365.settings import checks, connection_url
from tap_dynamics365.settings.choices import AzureCredential, CallLimitBehavior, CreateMap
from tap_dynamics365.settings.grant import Grant, choose_grant
from tap_dynamics365.settings.schema import JSON_SCHEMA
from tap_dynamics365.settings.table import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["DEFAULT_PORTS", "JSON_SCHEMA", "CreateMap", "Grant", "Settings", "without_method"]

DEFAULT_PORTS = {"http": 80, "https": 443}

# `from_config` merges the first two into other fields. The streams read the last one from the
# configuration.
NOT_A_FIELD = {"authentication_method", "connection_url", "emit_activate_version_messages"}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings that the tap works with: checked, with `connection_url` and defaults merged in.

    The fields are the settings of the table. Secrets are not in the `repr`.

    Attributes:
        grant: The way to sign in. None only for the login command, which needs none yet.
        url_options: The options in the query of `service_url`, encoded as they are written there.
            `service_url` itself has no query.
        ignored: Properties in `connection_url` that have no effect.
        unknown: A sentence for each name that no setting has.
        is_completed: Whether `service_url` was incomplete in the configuration.
    """

    service_url: str
    token_uri: str | None
    client_id: str | None
    client_secret: str | None = field(repr=False)
    client_certificate: str | None = field(repr=False)
    client_certificate_password: str | None = field(repr=False)
    refresh_token: str | None = field(repr=False)
    token_store: str | None
    access_token: str | None = field(repr=False)
    azure_credential: AzureCredential | None
    scope: str | None
    auth_uri: str | None
    ntlm_domain: str | None
    user: str | None
    password: str | None = field(repr=False)
    proxy_host: str | None
    proxy_port: int | None
    proxy_user: str | None
    proxy_password: str | None = field(repr=False)
    start_date: str | None
    replication_method: str
    lookback_seconds: int
    tables: tuple[str, ...]
    filters: Mapping[str, str]
    cross_company: bool | None
    companies: tuple[str, ...]
    sorted_tables: tuple[str, ...]
    api_routes: tuple[str, ...]
    keep_blank_dates: bool
    keep_encoded_names: bool
    schema_map: str | None
    create_map: CreateMap
    metadata_streams: bool
    show_name_columns: bool
    fetch_size: int
    ws_timeout: int
    ws_retry_count: int
    ws_retry_wait_limit: int
    stmt_call_limit: int
    stmt_call_limit_behavior: CallLimitBehavior
    max_parallel_requests: int | None
    read_ahead_mb: int
    metrics_log_level: str
    grant: Grant | None
    url_options: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    is_completed: bool = False

    @property
    def origin(self) -> str:
        """Origin of the service (RFC 6454, section 6.1), which is its name at the sign-in host.

        In lower case and without the default port, however `service_url` is written.
        """
        parts = urlsplit(self.service_url)
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        has_port = parts.port not in {None, DEFAULT_PORTS.get(parts.scheme)}
        return f"{parts.scheme}://{host}{f':{parts.port}' if has_port else ''}"

    @property
    def address(self) -> str:
        """`service_url` with its options."""
        options = "&".join(f"{name}={value}" for name, value in self.url_options.items())
        return f"{self.service_url}?{options}" if options else self.service_url

    @property
    def returns_results(self) -> bool:
        """Whether a table that was read in part, up to `stmt_call_limit`, is no failure."""
        return self.stmt_call_limit_behavior is CallLimitBehavior.RETURN_RESULTS

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, Any],
        schema: Mapping[str, Any],
        *,
        complete_url: Callable[[str], str] = str,
        for_login: bool = False,
    ) -> Settings:
        """Check a configuration and read the settings from it.

        Args:
            config: Values by setting name. An empty text or None means that a setting is not set.
            schema: JSON Schema of the settings that the configuration may have: `JSON_SCHEMA`, or
                that of the command line, which includes the settings of the Meltano SDK.
            complete_url: Returns the URL of the API for an incomplete `service_url`. The services
                know it: `services.registry.complete_url`.
            for_login: Whether the settings are for the login command, which works without a way to
                sign in.

        Returns:
            The settings.

        Raises:
            SettingsError: A setting is missing, misspelt, of a wrong type, or contradicts another
                one. The message names settings. It never contains a value, because the value may be
                a secret.
        """
        given = {name: value for name, value in config.items() if value is not None and value != ""}
        unknown = checks.check_names(given, schema)
        checks.check_types(given, schema)
        ignored: list[str] = []
        if url := given.get("connection_url"):
            from_url, ignored = connection_url.read(url)
            given = {**from_url, **given}
        written = given.get("service_url", "")
        if written:
            given["service_url"] = complete_url(written)
        is_completed = written.strip() != given.get("service_url", "")
        if "token_uri" in given:
            given["token_uri"] = without_method(given["token_uri"])
        checks.check_values(given)
        given = {n: SETTINGS[n].convert(value) for n, value in given.items() if n in SETTINGS}
        grant = choose_grant(given)
        if not for_login:
            checks.check_grant(grant, given)
        root, _, query = given["service_url"].partition("?")
        given["service_url"] = root.rstrip("/") + "/"
        options = dict(part.partition("=")[::2] for part in query.split("&") if part)
        defaults = {name: setting.convert(setting.default) for name, setting in SETTINGS.items()}
        values = {n: value for n, value in (defaults | given).items() if n not in NOT_A_FIELD}
        return cls(
            **values,
            grant=grant,
            url_options=options,
            ignored=tuple(ignored),
            unknown=unknown,
            is_completed=is_completed,
        )


def without_method(token_uri: str) -> str:
    """Remove the HTTP method that the driver requires before the URL: `POST https://…`.

    Args:
        token_uri: The value of `token_uri`.
    """
    method, _, url = token_uri.strip().partition(" ")
    return url.strip() if method.upper() == "POST" else token_uri
