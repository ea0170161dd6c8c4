"""Table of settings: each setting of the tap is declared here, and nowhere else.

Derived from the table: the JSON Schema (`schema.py`), the defaults and types of `Settings`, the
properties of `connection_url`, and the names that misspellings are compared with. Tests compare
the fields of `Settings`, meltano.yml, and docs/settings.md with it.

    SETTINGS["fetch_size"].default  # 5000
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from tap_dynamics365.settings.choices import (
    AuthenticationMethod,
    AzureCredential,
    CallLimitBehavior,
    CreateMap,
)
from tap_dynamics365.settings.setting import Setting

if TYPE_CHECKING:
    from collections.abc import Mapping

EXAMPLE_URL = "https://yourorg.api.crm.dynamics.com/api/data/v9.2/"
MAX_PORT = 65535
# Rows in a page of Dataverse.
MAX_PAGE_SIZE = 5000
# Dataverse refuses more concurrent requests of one user with 0x80072326.
MAX_PARALLEL_REQUESTS = 52
# poll() takes milliseconds as a 32-bit integer.
MAX_WAIT_SECONDS = 2**31 // 1000

_SERVICE = (
    Setting(
        "service_url",
        "Service URL",
        f"URL of the Web API, including its version, such as `{EXAMPLE_URL}`. Required, "
        "unless `connection_url` contains `ServiceURL`.",
        driver_property="ServiceURL",
        format="uri",
    ),
)

_SIGN_IN = (
    Setting(
        "authentication_method",
        "Authentication Method",
        "`OAuth2`, or `NTLM` for on-premises servers. Case-insensitive. If not set, the tap uses "
        "`OAuth2`.",
        driver_property="AuthenticationMethod",
        without_value="OAuth2",
        choices=tuple(AuthenticationMethod),
        ignores_case=True,
    ),
    Setting(
        "token_uri",
        "Token URI",
        "URL of the token endpoint, such as "
        "`https://login.microsoftonline.com/<tenant>/oauth2/v2.0/token`. If not set, the tap asks "
        "the service for it and accepts only the sign-in hosts of Microsoft.",
        driver_property="TokenURI",
        format="uri",
        without_value="from the service",
    ),
    Setting(
        "client_id",
        "Client ID",
        "Application (client) ID of the app registration in Microsoft Entra ID.",
        driver_property="ClientID",
    ),
    Setting(
        "client_secret",
        "Client Secret",
        "Client secret of the app registration. Leave it out for a public client. Without "
        "`refresh_token`, the app signs in as itself.",
        driver_property="ClientSecret",
        is_secret=True,
    ),
    Setting(
        "client_certificate",
        "Client Certificate",
        "Certificate of the app registration and its private key, instead of `client_secret`: the "
        "path of a PEM file, or its text. Requires the extra `certificate`.",
        is_secret=True,
    ),
    Setting(
        "client_certificate_password",
        "Client Certificate Password",
        "Passphrase of the private key in `client_certificate`, if the key is encrypted.",
        is_secret=True,
    ),
    Setting(
        "refresh_token",
        "Refresh Token",
        "Refresh token, which the tap exchanges for access tokens at `token_uri`. Takes precedence "
        "over `access_token`.",
        driver_property="RefreshToken",
        is_secret=True,
    ),
    Setting(
        "token_store",
        "Token Store",
        "Path of the file in which the tap keeps new refresh tokens for the next run. "
        "`tap-dynamics365-login` writes to it too.",
    ),
    Setting(
        "access_token",
        "Access Token",
        "Access token, which the tap uses as it is. It is valid for about an hour and can't be "
        "renewed.",
        driver_property="AccessToken",
        is_secret=True,
    ),
    Setting(
        "azure_credential",
        "Azure Credential",
        "Credential of the Azure environment to sign in with: `managed_identity`, "
        "`workload_identity`, `azure_cli`, or `default`, which tries them one after another. "
        "Requires the extra `azure`.",
        choices=tuple(AzureCredential),
    ),
    Setting(
        "scope",
        "Scope",
        "Scopes to request at sign-in, separated by spaces. If not set, the sign-in host chooses. "
        "An app that signs in as itself requests `<service>/.default`.",
        driver_property="Scope",
        without_value="depends on the way to sign in",
    ),
    Setting(
        "auth_uri",
        "Authorization URI",
        "URL of the authorization endpoint, where a person signs in. Used only by "
        "`tap-dynamics365-login`. If not set, it is derived from `token_uri`.",
        driver_property="AuthURI",
        format="uri",
        without_value="derived from `token_uri`",
    ),
    Setting(
        "ntlm_domain",
        "NTLM Domain",
        "Windows domain of `user`, for NTLM. Requires the extra `ntlm`.",
        driver_property="NTLMDomain",
    ),
    Setting("user", "User", "User name for NTLM.", driver_property="User"),
    Setting(
        "password",
        "Password",
        "Password of `user`.",
        driver_property="Password",
        is_secret=True,
    ),
)

_PROXY = (
    Setting(
        "proxy_host",
        "Proxy Host",
        "Host name or IP address of the HTTP proxy for all requests. Takes precedence over "
        "environment variables such as `HTTPS_PROXY`.",
        driver_property="ProxyHost",
    ),
    Setting(
        "proxy_port",
        "Proxy Port",
        "Port of `proxy_host`.",
        driver_property="ProxyPort",
        type="integer",
        minimum=0,
        maximum=MAX_PORT,
    ),
    Setting(
        "proxy_user",
        "Proxy User",
        "User name for `proxy_host`, if the proxy requires one.",
        driver_property="ProxyUser",
    ),
    Setting(
        "proxy_password",
        "Proxy Password",
        "Password of `proxy_user`.",
        driver_property="ProxyPassword",
        is_secret=True,
    ),
)

_CONNECTION_URL = (
    Setting(
        "connection_url",
        "Connection URL",
        "Connection URL of the DataDirect JDBC driver: "
        "`jdbc:datadirect:dynamics365:ServiceURL=…;ClientID=…;`. Other settings take precedence "
        "over its properties.",
        is_secret=True,
    ),
)

_REPLICATION = (
    Setting(
        "start_date",
        "Start Date",
        "Date from which the first run of a table reads changed rows, if the replication key of "
        "the table is a date. If not set, the first run reads all rows.",
        format="date-time",
        without_value="all rows",
    ),
    Setting(
        "replication_method",
        "Replication Method",
        "Replication method of tables for which the catalog sets none: `INCREMENTAL`, or "
        "`LOG_BASED`, which includes deletes and requires change tracking. Case-insensitive. "
        "Tables that support neither are read in full.",
        default="INCREMENTAL",
        choices=("INCREMENTAL", "LOG_BASED"),
        ignores_case=True,
    ),
    Setting(
        "lookback_seconds",
        "Lookback Seconds",
        "Seconds before the bookmark from which an incremental run reads rows again, to include "
        "rows that were committed late. `0` turns this off.",
        type="integer",
        default=300,
        minimum=0,
    ),
    Setting(
        "tables",
        "Tables",
        "Names of the tables to discover, or shell-style patterns such as `new_*`. "
        "Case-insensitive. If not set, all tables are discovered.",
        type="array",
        without_value="all tables",
    ),
    Setting(
        "filters",
        "Filters",
        "OData expressions by the name of a table, or by a shell-style pattern such as `new_*`: "
        "the tap reads only rows that fulfil the expression, as in "
        '`{"account": "statecode eq 0"}`. Case-insensitive. Not for `LOG_BASED` tables.',
        type="object",
        without_value="all rows",
    ),
)

_METADATA = (
    Setting(
        "schema_map",
        "Schema Map",
        "Path of the file in which the tap caches the metadata of the service for the next run.",
        driver_property="SchemaMap",
        without_value="no cache",
    ),
    Setting(
        "create_map",
        "Create Map",
        "When `schema_map` is rebuilt: `OnChange` if the metadata has changed, `NotExist` if there "
        "is no file, `ForceNew` always, `No` never, which fails without a file. `Session` keeps no "
        "file. Case-insensitive.",
        driver_property="CreateMap",
        default=CreateMap.ON_CHANGE.value,
        choices=tuple(CreateMap),
        ignores_case=True,
    ),
    Setting(
        "metadata_streams",
        "Metadata Streams",
        "Whether to add streams that describe the tables: labels of choices, states, and statuses "
        "in all languages, targets of lookups, tables, and columns. Dataverse only.",
        type="boolean",
        default=False,
    ),
    Setting(
        "show_name_columns",
        "Show Name Columns",
        "Whether to discover a text column for each choice, yes/no, and lookup column: the label, "
        "or the name and the table of the row that a lookup refers to. Dataverse only.",
        driver_property="ShowNameColumns",
        type="boolean",
        default=False,
    ),
)

_REQUESTS = (
    Setting(
        "fetch_size",
        "Fetch Size",
        f"Rows to request per page. Dataverse returns up to {MAX_PAGE_SIZE:,}.",
        driver_property="FetchSize",
        type="integer",
        default=5000,
        minimum=1,
    ),
    Setting(
        "ws_timeout",
        "Request Timeout",
        "Seconds to wait for a response of the service. `0` waits without a limit.",
        driver_property="WSTimeout",
        type="integer",
        default=300,
        minimum=0,
        maximum=MAX_WAIT_SECONDS,
    ),
    Setting(
        "ws_retry_count",
        "Retry Count",
        "Number of retries of a request that gets no response, an incomplete response, or a "
        "transient error. `0` turns retries off. Throttled requests don't count.",
        driver_property="WSRetryCount",
        type="integer",
        default=5,
        minimum=0,
    ),
    Setting(
        "ws_retry_wait_limit",
        "Retry Wait Limit",
        "Total seconds that a request may wait because the service throttles or asks to retry "
        "later.",
        type="integer",
        default=1800,
        minimum=0,
        maximum=MAX_WAIT_SECONDS,
    ),
    Setting(
        "stmt_call_limit",
        "Call Limit",
        "Maximum number of service calls per table and run, including retries. `0` means no limit.",
        driver_property="StmtCallLimit",
        type="integer",
        default=0,
        minimum=0,
    ),
    Setting(
        "stmt_call_limit_behavior",
        "Call Limit Behavior",
        "What happens to a table that reaches `stmt_call_limit`: `ErrorAlways` fails it. "
        "`ReturnResults` keeps the rows that were read, and the next run continues after them. "
        "Case-insensitive.",
        driver_property="StmtCallLimitBehavior",
        default=CallLimitBehavior.ERROR_ALWAYS.value,
        choices=tuple(CallLimitBehavior),
        ignores_case=True,
    ),
    Setting(
        "max_parallel_requests",
        "Maximum Parallel Requests",
        "Maximum number of concurrent requests over all tables. `1` sends one request at a time. "
        f"Dataverse accepts up to {MAX_PARALLEL_REQUESTS}.",
        type="integer",
        default=8,
        minimum=1,
        maximum=MAX_PARALLEL_REQUESTS,
    ),
    Setting(
        "read_ahead_mb",
        "Read-Ahead Buffer",
        "Size in megabytes of the buffer for rows that are fetched and not written yet.",
        type="integer",
        default=256,
        minimum=1,
    ),
)

_MESSAGES = (
    Setting(
        "emit_activate_version_messages",
        "Emit ACTIVATE_VERSION Messages",
        "Whether records have a table version, and an `ACTIVATE_VERSION` message after a full read "
        "lets the target remove rows of older versions. If not set, this is on for `LOG_BASED` "
        "tables and off for all others.",
        type="boolean",
        without_value="on for `LOG_BASED`, otherwise off",
    ),
)

#: The settings by group, in the order of the documentation.
GROUPS: Mapping[str, tuple[Setting, ...]] = MappingProxyType(
    {
        "Service": _SERVICE,
        "Sign-in": _SIGN_IN,
        "Proxy": _PROXY,
        "Connection URL": _CONNECTION_URL,
        "Tables and replication": _REPLICATION,
        "Metadata": _METADATA,
        "Requests": _REQUESTS,
        "Singer messages": _MESSAGES,
    }
)

#: The settings by name.
SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {setting.name: setting for group in GROUPS.values() for setting in group}
)
