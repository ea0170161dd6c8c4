"""Table of settings: each setting of the tap is declared here or in access.py, and nowhere else.

Derived from the table: the JSON Schema (`schema.py`), the defaults and types of `Settings`, the
properties of `connection_url`, and the names that misspellings are compared with. Tests compare
the fields of `Settings`, meltano.yml, and docs/settings.md with it.

    SETTINGS["fetch_size"].default  # 5000
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from tap_dynamics365.settings.access import CONNECTION_URL, PROXY, SERVICE, SIGN_IN
from tap_dynamics365.settings.choices import CallLimitBehavior, CreateMap
from tap_dynamics365.settings.setting import Setting

if TYPE_CHECKING:
    from collections.abc import Mapping

# Rows in a page of Dataverse.
MAX_PAGE_SIZE = 5000
# Dataverse refuses more concurrent requests of one user with 0x80072326.
MAX_PARALLEL_REQUESTS = 52
# poll() takes milliseconds as a 32-bit integer.
MAX_WAIT_SECONDS = 2**31 // 1000

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
        "Case-insensitive. If not set, all tables are discovered. In Finance & Operations, all are "
        "discovered then, but none is selected.",
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
    Setting(
        "cross_company",
        "Cross-Company",
        "Whether to extract the rows of all companies that the user may read. If `false`, only "
        "those of the user's default company are extracted; if not set, a warning says so. Finance "
        "& Operations only.",
        driver_property="CrossCompany",
        type="boolean",
        without_value="`false`, with a warning",
    ),
    Setting(
        "companies",
        "Companies",
        "Names or ids of the companies to extract, or shell-style patterns of names such as "
        "`CRONUS*`. Case-insensitive. If not set, all companies are extracted. Business Central "
        "only.",
        type="array",
        without_value="all companies",
    ),
    Setting(
        "sorted_tables",
        "Sorted Tables",
        "Names of the tables that are read in the order of their replication key, or shell-style "
        "patterns. Choose tables that have an index on it: an interrupted read then continues at "
        "the last row. Case-insensitive. Business Central only; other services sort all tables.",
        type="array",
        without_value="tables with `systemRowVersion`",
    ),
    Setting(
        "api_routes",
        "API Routes",
        "Further APIs of the environment to discover, such as `contoso/warehouse/v1.0`: publisher, "
        "group, and version. Business Central only.",
        type="array",
        without_value="only the API of `service_url`",
    ),
    Setting(
        "keep_blank_dates",
        "Keep Blank Dates",
        "Whether dates without a value stay `0001-01-01` and `0001-01-01T00:00:00Z`, as the "
        "service sends them. If `false`, they are null, except in key columns. Business Central "
        "only.",
        type="boolean",
        default=False,
    ),
    Setting(
        "keep_encoded_names",
        "Keep Encoded Names",
        "Whether the names of enumeration members stay as the service sends them, such as "
        "`Non_x002D_Inventory`. If `false`, they are decoded: `Non-Inventory`, and a blank for "
        "`_x0020_`. Business Central only.",
        type="boolean",
        default=False,
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
        f"Rows to request per page. Dataverse returns up to {MAX_PAGE_SIZE:,}, Finance & "
        "Operations up to 10,000, and Business Central up to 20,000.",
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
        f"Dataverse accepts up to {MAX_PARALLEL_REQUESTS}. In Business Central, more than 5 count "
        "as 5. If not set, the tap sends up to 8, in Business Central 4.",
        type="integer",
        without_value="8, in Business Central 4",
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

_LOG = (
    Setting(
        "metrics_log_level",
        "Metrics Log Level",
        "Lowest level of the metrics in the log: one line per request, and a few per table. "
        "`WARNING` drops them and keeps all other lines, because metrics have the level `INFO`. "
        "Case-insensitive.",
        default="INFO",
        choices=("INFO", "WARNING"),
        ignores_case=True,
    ),
)

#: The settings by group, in the order of the documentation.
GROUPS: Mapping[str, tuple[Setting, ...]] = MappingProxyType(
    {
        "Service": SERVICE,
        "Sign-in": SIGN_IN,
        "Proxy": PROXY,
        "Connection URL": CONNECTION_URL,
        "Tables and replication": _REPLICATION,
        "Metadata": _METADATA,
        "Requests": _REQUESTS,
        "Singer messages": _MESSAGES,
        "Log": _LOG,
    }
)

#: The settings by name.
SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {setting.name: setting for group in GROUPS.values() for setting in group}
)
