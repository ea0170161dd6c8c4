"""What a client has to bear, by names: faults of the service, a gateway or the network."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Of `sandbox.faults.fault.Fault`.
Attributes = dict[str, Any]

THROTTLED, FAILED, TOO_MUCH, HEAVY = "throttled", "failed", "too much", "heavy"
REFUSED, MISLED, FINAL, HARMLESS = "refused", "misled", "final", "harmless"

#: Codes of errors come with these: the service's own statuses, and what gateways make of them.
STATUSES = (400, 403, 404, 409, 429, 500, 501, 502, 503, 504, 520)
LIMITS = ("0x80072321", "0x80072322", "0x80072326")
# Errors of SQL such as a deadlock, the query throttled, no worker for plug-ins.
PASSING = ("0x80044150", "0x80048544", "0x8004418d")
# An unexpected error, a time-out of SQL, a query that costs too much.
TOO_LARGE = ("0x80040216", "0x80044151", "0x80048573")
# A plug-in of the customer's that refuses.
ISV_ABORTED = "0x80040265"
UNTELLING = "Wie bestellt."
DEADLOCK = (
    "Transaction (Process ID 62) was deadlocked on lock resources with another process and has "
    "been chosen as the deadlock victim. Rerun the transaction."
)


def _errors(*codes: str, **more: Any) -> Iterator[tuple[str, Attributes]]:
    for code in codes:
        for status in STATUSES:
            yield f"{code} with {status}", {"status": status, "code": code, **more}
        # The code alone says what it is.
        yield f"{code} in other words", {"status": 400, "code": code, "message": UNTELLING, **more}


def _throttlings() -> Iterator[tuple[str, Attributes]]:
    for limit in ("requests", "execution_time", "concurrency"):
        for told in ("0", "0.5", "3", "5"):
            yield f"{limit} for {told} s", {"throttle": limit, "retry_after": told}
        yield f"{limit} for a while", {"throttle": limit, "retry_after": ""}
        until = {"retry_after": "4", "retry_after_is_date": True}
        yield f"{limit} until a date", {"throttle": limit, **until}


KINDS: dict[str, dict[str, Attributes]] = {
    # What is to be waited out.
    THROTTLED: {**dict(_throttlings()), **dict(_errors(*LIMITS, retry_after="3"))},
    # What passes, so that the request is to be made again.
    FAILED: {
        "500": {"status": 500, "body": ""},
        "502": {"status": 502},
        "503": {"status": 503, "body": "<html>Unavailable</html>"},
        "503 for 0.4 s": {"status": 503, "retry_after": "0.4"},
        "503 until a date": {"status": 503, "retry_after": "2", "retry_after_is_date": True},
        "520": {"status": 520, "body": ""},
        "599": {"status": 599, "body": ""},
        "deadlock in words": {"status": 400, "error_form": "no_code", "message": DEADLOCK},
        **dict(_errors(*PASSING)),
        "dropped": {"drop": True},
        "reset": {"reset": True},
        "truncated": {"truncate": True},
        "cut": {"cut": True},
        "garbled": {"garble": True},
        "empty": {"status": 200, "body": ""},
    },
    # The same, and a page had better be smaller then.
    TOO_MUCH: {
        "408": {"status": 408, "body": ""},
        "504": {"status": 504, "body": ""},
        "413": {"status": 413, "body": ""},
        **dict(_errors(*TOO_LARGE)),
    },
    # No page of more rows comes, ever.
    HEAVY: {
        "two rows at most": {"over_rows": 2, "status": 500, "code": "0x80040216"},
        "one row at most": {"over_rows": 1, "status": 400, "code": "0x80044151"},
    },
    # A sign-in that has to be made anew.
    REFUSED: {"401": {"status": 401}, "expired": {"expire_tokens": True}},
    # A page of somebody else's, which passes where the service has answered before.
    MISLED: {"web page": {"html": True}},
    # What will not pass.
    FINAL: dict(_errors(ISV_ABORTED)),
    # What changes nothing but the time it takes.
    HARMLESS: {"slow": {"delay_ms": 3}, "in drops": {"dribble_ms": 1}},
}


def is_of_service(attributes: Attributes) -> bool:
    """Tell whether a fault is one of the service alone.

    No sign-in host has its codes and words, and what it is sent is never too large.

    Args:
        attributes: The fault.
    """
    coded = not {"code", "error_form"}.isdisjoint(attributes)
    return coded or attributes.get("status") == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
