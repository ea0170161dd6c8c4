"""Error classification: the error codes of Dataverse, and the failure that each one means.

https://learn.microsoft.com/power-apps/developer/data-platform/reference/web-service-error-codes

A code may come with any status, so the code decides. Versions of the service have different codes,
and gateways drop them. Then the words of the message decide.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from tap_dynamics365.errors import Failure
from tap_dynamics365.odata import errors as odata_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_dynamics365.http.refusal import Refusal

# Service protection limits of the user: number of requests, execution time, concurrent requests;
# limits of the database. Elastic tables pass on the code of their store.
# https://learn.microsoft.com/power-apps/developer/data-platform/api-limits
THROTTLED = ("0x80072321", "0x80072322", "0x80072326", "0x80072323", "0x80072324", "429")

# The query takes too long, or its response is too large. With fewer rows it may succeed.
TOO_LARGE = (
    # SQL timeouts, with and without a known cause.
    # https://learn.microsoft.com/power-apps/developer/data-platform/query-antipatterns
    *("0x80044151", "0x80048573", "0x80048574", "0x80048575"),
    # Unexpected errors, which include a response of more than 100 MB; out of memory.
    *("0x80040216", "0x80040222"),
    # A plug-in took too long: one that runs on reads, or a virtual table's data provider.
    *("0x80044171", "0x80044172", "0x80044173", "0x80081111", "0x80048d07", "0x80048d10"),
    # The store of an elastic table, or Finance & Operations behind a virtual table, timed out.
    *("0x80061635", "0x80097502"),
)

TRANSIENT = (
    # The query was throttled.
    # https://learn.microsoft.com/power-apps/developer/data-platform/query-throttling
    *("0x80048544", "0x80048644", "0x80048744", "0x80048745", "0x80050544"),
    # A generic SQL error, such as a deadlock; a rolled-back transaction.
    # https://learn.microsoft.com/troubleshoot/power-platform/dataverse/bulk-operation-errors
    *("0x80044150", "0x80040255"),
    # The database: connections, locks, transactions, an upgrade or an import in progress.
    *("0x80048543", "0x80048553", "0x80048554", "0x80048551", "0x80048559", "0x80048560"),
    *("0x80048561", "0x80048562", "0x80048563", "0x80048542", "0x8004a001", "0x80073000"),
    *("0x80042300", "0x80044339", "0x8004ed47", "0x8004026c", "0x80048411"),
    # The metadata changed while rows were read.
    "0x80072494",
    # The environment: temporarily disabled, being migrated or updated, or unreachable.
    *("0x8004a104", "0x8004a107", "0x8004b044", "0x8004b059", "0x8004b065"),
    *("0x80072300", "0x80072301", "0x80097622"),
    # Plug-ins: no sandbox worker or host is available; a status that a plug-in passes on.
    *("0x8004418d", "0x8004418e", "0x80044174", "0x80081116", "0x8004419e"),
    *("0x80048d03", "0x80048d04", "0x80048d0f", "0x80048d0a"),
    # Finance & Operations behind a virtual table; the data lake; indexes for change tracking that
    # are still being built.
    *("0x80097503", "0x80097504", "0x8009752e", "0x80097530", "0x80097533", "0x80090203"),
    "0x80044358",
)

DENIED = (
    # A missing privilege, or no access to the row.
    *("0x80040220", "0x80048306", "0x80048405", "0x80040231", "0x80040299", "0x80040277"),
    *("0x80040204", "0x8004020d", "0x80040256", "0x80090304", "0x80090305", "0x80097531"),
    *("0x80048d05", "0x80048d06"),
    # The license does not cover this table.
    "0x80050304",
    # The table does not support RetrieveMultiple, so it can't be listed at all.
    *("0x80040800", "0x80100008"),
)

# Problems of the caller or of the query. No table can be read until an administrator acts.
FATAL = (
    # The caller is not a user of the environment, is disabled, or has no role or license.
    *("0x80072560", "0x80040225", "0x8004a112", "0x8004d24d", "0x80044507"),
    *("0x80042f09", "0x80042f0a", "0x8004d24b", "0x80050301"),
    # Administration mode, conditional access, the IP firewall, a blocked application.
    *("0x8004a113", "0x80072561", "0x80095ffe", "0x80095ffc", "0x80095ffb"),
    # A plug-in refused: one that runs on reads, or a virtual table's data provider.
    *("0x80040265", "0x80040224"),
    # The platform has blocked the query, because it harmed the database.
    *("0x80049544", "0x80049545"),
)

FAILURES: dict[str, Failure] = {
    **dict.fromkeys(THROTTLED, Failure.THROTTLED),
    **dict.fromkeys(TOO_LARGE, Failure.TOO_LARGE),
    **dict.fromkeys(TRANSIENT, Failure.TRANSIENT),
    **dict.fromkeys(DENIED, Failure.DENIED),
    **dict.fromkeys(FATAL, Failure.FATAL),
    # The delta token is too old, or the table's definition has changed since.
    "0x80044352": Failure.TOKEN_EXPIRED,
    # Change tracking is not enabled for the table, or for a table that an intersect table joins.
    "0x80072491": Failure.NOT_TRACKED,
    "0x80072492": Failure.NOT_TRACKED,
    # A virtual table's data provider does not support the query.
    "0x80044822": Failure.NOT_UNDERSTOOD,
    "0x80041147": Failure.NOT_UNDERSTOOD,
}

# Permanent SQL errors: a query that SQL Server can't parse, or an object that does not exist.
FINAL_SQL = re.compile(r"Sql Number: (?:156|208)\b")

WORDS: tuple[tuple[re.Pattern[str], Failure], ...] = (
    (
        re.compile(
            r"\bnumber of (?:concurrent )?requests exceeded"
            r"|\bexecution time of incoming requests exceeded",
            re.IGNORECASE,
        ),
        Failure.THROTTLED,
    ),
    (
        re.compile(r"\b(?:sql|execution|query) time-?out\b|\btimed out\b", re.IGNORECASE),
        Failure.TOO_LARGE,
    ),
    (
        re.compile(
            r"\bgeneric sql error|\bdeadlock|\bwas throttled|\bserver is (?:too )?busy",
            re.IGNORECASE,
        ),
        Failure.TRANSIENT,
    ),
    (
        re.compile(r"version stamp\b.*\bexpired|perform a full sync", re.IGNORECASE | re.DOTALL),
        Failure.TOKEN_EXPIRED,
    ),
    # A token of another environment is handled like an expired token.
    (
        re.compile(r"\bdelta ?token\b.*\b(?:invalid|not valid)\b", re.IGNORECASE | re.DOTALL),
        Failure.TOKEN_EXPIRED,
    ),
    (
        re.compile(r"n[o']t enabled for change tracking|cannot be retrieved for intersect entity"),
        Failure.NOT_TRACKED,
    ),
    (re.compile(r"'RetrieveMultiple' method does not support"), Failure.DENIED),
    # "SecLib::AccessCheckEx failed" and similar messages come from v8.2 and on-premises servers.
    (re.compile(r"SecLib::|\bmissing (?:prv\w+ privilege|\w*Access rights)"), Failure.DENIED),
)

# A plug-in's refusal that concerns the query: a virtual table's data provider can't sort or filter.
QUERY_REFUSED = re.compile(
    r"\b(?:order ?by|sort|filter)\w*\b.*\bnot (?:supported|implemented|allowed)"
    r"|\bnot (?:supported|implemented|allowed)\b.*\b(?:order ?by|sort|filter)",
    re.IGNORECASE | re.DOTALL,
)

# What to do if there is no metadata document.
NO_METADATA = (
    "Check service_url: it is the address of the Web API with its version, such as "
    "https://yourorg.api.crm.dynamics.com/api/data/v9.2/."
)
# What to do about a refusal, by its code.
ADVICE: Mapping[str, str] = {
    "0x80072560": (
        "The account that signs in is not a user of this environment. For an app (client_id), add "
        "an application user with a security role in the Power Platform admin center under "
        "Environments > the environment > Settings > Users + permissions > Application users. For "
        "a person, add a user under Users."
    ),
    "0x80040225": (
        "The account that signs in is a disabled user of this environment. Enable the user in the "
        "Power Platform admin center under Environments > the environment > Settings > Users + "
        "permissions, or sign in as another user."
    ),
}


CORRELATION_HEADERS = odata_errors.CORRELATION_HEADERS
unknown_column = odata_errors.unknown_column
is_transient = odata_errors.is_transient


def classify(said: Refusal, status: int) -> Failure | None:
    """Classify a refusal. A code may come with any status but 401, which is about the sign-in.

    Args:
        said: The error code, in lower-case hexadecimal, and the messages, outer and inner.
        status: The status.

    Returns:
        The failure; None if neither code nor words decide, so that the status has to.
    """
    if status == HTTPStatus.UNAUTHORIZED:
        return None
    known = FAILURES.get(said.code)
    if known is Failure.FATAL and said.code not in ADVICE and QUERY_REFUSED.search(said.words):
        return Failure.NOT_UNDERSTOOD
    if known is Failure.TRANSIENT and FINAL_SQL.search(said.words):
        return Failure.FATAL
    if known is not None:
        return known
    found = next((failure for pattern, failure in WORDS if pattern.search(said.words)), None)
    return found or odata_errors.classify(said, status)


def advice(failure: Failure, code: str) -> str:
    """Say what the user can do about a refusal.

    Args:
        failure: How the refusal is classified.
        code: The error code.

    Returns:
        One or two sentences; empty if nothing is known.
    """
    return "" if failure is Failure.UNAUTHORIZED else ADVICE.get(code, "")
