"""The JSON Schema of the settings: what they are called, what they mean."""

from __future__ import annotations

from typing import Any

from singer_sdk import typing as th
from singer_sdk.helpers.capabilities import (
    FLATTENING_CONFIG,
    STREAM_MAPS_CONFIG,
)

FETCH_SIZE = 5000
WS_TIMEOUT = 300
WS_RETRY_COUNT = 5
WS_RETRY_WAIT_LIMIT = 1800
MAX_PARALLEL_REQUESTS = 8
READ_AHEAD_MB = 256
ON_CHANGE, NOT_EXIST, FORCE_NEW, NO_MAP, SESSION = (
    "OnChange",
    "NotExist",
    "ForceNew",
    "No",
    "Session",
)
# What the tap adds to the name of the driver's file.
OWN_MAP = ".tap-dynamics365.json"
CREATE_MAP = (ON_CHANGE, NOT_EXIST, FORCE_NEW, NO_MAP, SESSION)
STMT_CALL_LIMIT = 0
ERROR_ALWAYS, RETURN_RESULTS = "ErrorAlways", "ReturnResults"
LOOKBACK_SECONDS = 300

AZURE_CREDENTIALS = ["default", "managed_identity", "workload_identity", "azure_cli"]
HIGHEST_PORT = 65535
# Dataverse refuses more requests of one user at once: 0x80072326.
MOST_PARALLEL_REQUESTS = 52
# A socket waits with poll(), which takes milliseconds in 32 bits.
LONGEST_TIMEOUT = 2**31 // 1000

_SERVICE = (
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
)

_SIGN_IN = (
    th.Property(
        "authentication_method",
        th.StringType,
        title="Authentication Method",
        description=(
            "`OAuth2`, or `NTLM` for servers on-premises, in any case; `OAuth2` when left out."
        ),
    ),
    th.Property(
        "token_uri",
        th.URIType,
        title="Token URI",
        description=(
            "Address where tokens are issued, such as "
            "`https://login.microsoftonline.com/<tenant>/oauth2/v2.0/token`. When left out, the "
            "service is asked for it, and Microsoft's own sign-in hosts are accepted."
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
        description=(
            "Secret of a confidential app registration; left out for a public client. Without "
            "`refresh_token`, the app signs in as itself."
        ),
        secret=True,
    ),
    th.Property(
        "client_certificate",
        th.StringType,
        title="Client Certificate",
        description=(
            "Certificate of the app registration with its private key, instead of "
            "`client_secret`: the path of a PEM file, or its text. Needs the extra `certificate`."
        ),
        secret=True,
    ),
    th.Property(
        "client_certificate_password",
        th.StringType,
        title="Client Certificate Password",
        description="Passphrase of the private key in `client_certificate`, if it has one.",
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
        "token_store",
        th.StringType,
        title="Token Store",
        description=(
            "Path of a file in which new refresh tokens are kept for the next run. "
            "`tap-dynamics365-login` writes it too."
        ),
    ),
    th.Property(
        "access_token",
        th.StringType,
        title="Access Token",
        description="Used as it is, for about an hour; it can't be renewed.",
        secret=True,
    ),
    th.Property(
        "azure_credential",
        th.StringType(allowed_values=AZURE_CREDENTIALS),
        title="Azure Credential",
        description=(
            "Sign in with what Azure gives: `managed_identity`, `workload_identity`, "
            "`azure_cli`, or `default`, which tries them in turn. Needs the extra `azure`."
        ),
    ),
    th.Property(
        "scope",
        th.StringType,
        title="Scope",
        description=(
            "Scopes to ask for when signing in, separated by spaces; the sign-in host's own "
            "choice when left out, or `<service>/.default` where an app signs in as itself."
        ),
    ),
    th.Property(
        "auth_uri",
        th.URIType,
        title="Authorization URI",
        description=(
            "Address where a person's sign-in begins. Used by `tap-dynamics365-login` alone; "
            "made from `token_uri` when left out."
        ),
    ),
    th.Property(
        "ntlm_domain",
        th.StringType,
        title="NTLM Domain",
        description="Windows domain of `user`, to sign in with NTLM. Needs the extra `ntlm`.",
    ),
    th.Property(
        "user",
        th.StringType,
        title="User",
        description="Name of the user to sign in with NTLM.",
    ),
    th.Property(
        "password",
        th.StringType,
        title="Password",
        description="Password of `user`.",
        secret=True,
    ),
)

_PROXY = (
    th.Property(
        "proxy_host",
        th.StringType,
        title="Proxy Host",
        description=(
            "Name of the HTTP proxy that every request goes through; it wins over variables "
            "such as `HTTPS_PROXY`."
        ),
    ),
    th.Property(
        "proxy_port",
        th.IntegerType(minimum=0, maximum=HIGHEST_PORT),
        title="Proxy Port",
        description="Port of `proxy_host`.",
    ),
    th.Property(
        "proxy_user",
        th.StringType,
        title="Proxy User",
        description="User name for `proxy_host`, if it asks for one.",
    ),
    th.Property(
        "proxy_password",
        th.StringType,
        title="Proxy Password",
        description="Password of `proxy_user`.",
        secret=True,
    ),
)

_CONNECTION_URL = (
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
)

_EXTRACTION = (
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
        "replication_method",
        th.StringType,
        title="Replication Method",
        description=(
            "How tables are replicated for which the catalog does not say otherwise: "
            "`INCREMENTAL`, or `LOG_BASED` where the service tracks a table's changes, deletes "
            "included; in any case. Those that can do neither are read in full."
        ),
        default="INCREMENTAL",
    ),
    th.Property(
        "lookback_seconds",
        th.IntegerType(minimum=0),
        title="Look-Back",
        description=(
            "Each incremental run reads the rows of so many seconds before its bookmark again, "
            "for those that were committed late; 0 reads none again."
        ),
        default=LOOKBACK_SECONDS,
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
        "schema_map",
        th.StringType,
        title="Schema Map",
        description=(
            "Path of a file in which the service's description of its tables is kept for the next "
            "run."
        ),
    ),
    th.Property(
        "create_map",
        th.StringType,
        title="Create Map",
        description=(
            "When `schema_map` is made anew: `OnChange` if the service says that it has changed, "
            "`NotExist` if there is none, `ForceNew` always, `No` never, which fails without one; "
            "`Session` keeps none. In any case."
        ),
        default=ON_CHANGE,
    ),
    th.Property(
        "metadata_streams",
        th.BooleanType,
        title="Metadata Streams",
        description=(
            "Adds streams that describe the tables: labels of choices, states and status in all "
            "languages, targets of lookups, tables and columns. Dataverse alone has them."
        ),
        default=False,
    ),
    th.Property(
        "show_name_columns",
        th.BooleanType,
        title="Name Columns",
        description=(
            "Discovers a text column beside each choice, yes/no and lookup column: its label, or "
            "the name and the table of the row it leads to. Dataverse alone has them."
        ),
        default=False,
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
        th.IntegerType(minimum=0, maximum=LONGEST_TIMEOUT),
        title="Time-out",
        description="Seconds to wait for the service's answer; 0 waits for ever.",
        default=WS_TIMEOUT,
    ),
    th.Property(
        "ws_retry_count",
        th.IntegerType(minimum=0),
        title="Repetitions",
        description=(
            "How many times a request is repeated that got no answer, a broken one, or one that "
            "says it is for now; 0 repeats none. Requests that are throttled do not count."
        ),
        default=WS_RETRY_COUNT,
    ),
    th.Property(
        "ws_retry_wait_limit",
        th.IntegerType(minimum=0, maximum=LONGEST_TIMEOUT),
        title="Longest Wait",
        description=(
            "Seconds that one request may wait in sum because the service is throttling or asks "
            "to come again later."
        ),
        default=WS_RETRY_WAIT_LIMIT,
    ),
    th.Property(
        "stmt_call_limit",
        th.IntegerType(minimum=0),
        title="Call Limit",
        description=(
            "At most so many calls of the service are made for one table in one run, those that "
            "are repeated included; 0 is no limit."
        ),
        default=STMT_CALL_LIMIT,
    ),
    th.Property(
        "stmt_call_limit_behavior",
        th.StringType,
        title="Call Limit Behavior",
        description=(
            "What becomes of a table that takes more calls than `stmt_call_limit`: `ErrorAlways` "
            "fails it, `ReturnResults` keeps what was read and goes on from there at the next "
            "run; in any case."
        ),
        default=ERROR_ALWAYS,
    ),
    th.Property(
        "max_parallel_requests",
        th.IntegerType(minimum=1, maximum=MOST_PARALLEL_REQUESTS),
        title="Parallel Requests",
        description=(
            "At most so many requests are in flight at once, over all tables; 1 sends one after "
            f"the other, {MOST_PARALLEL_REQUESTS} are as many as Dataverse accepts."
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
    th.Property(
        "emit_activate_version_messages",
        th.BooleanType,
        title="Emit ACTIVATE_VERSION Messages",
        description=(
            "Whether records carry a table version, and an `ACTIVATE_VERSION` message tells the "
            "target to drop the rows of older versions once a table was read anew. When left out, "
            "it is on for tables that are replicated `LOG_BASED`, and off for all others."
        ),
    ),
)

_JSON_SCHEMA = th.PropertiesList(
    *_SERVICE, *_SIGN_IN, *_PROXY, *_CONNECTION_URL, *_EXTRACTION
).to_dict()

JSON_SCHEMA: dict[str, Any] = {
    **_JSON_SCHEMA,
    "properties": {
        **_JSON_SCHEMA["properties"],
        **STREAM_MAPS_CONFIG["properties"],
        **FLATTENING_CONFIG["properties"],
    },
}
