"""Catalogue of the faults that a client must survive, by name.

The faults are those of the service, of a gateway in front of it, and of the network.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Attributes of `sandbox.faults.fault.Fault`.
Attributes = dict[str, Any]

THROTTLED, FAILED, TOO_MUCH, HEAVY = "throttled", "failed", "too much", "heavy"
REFUSED, MISLED, FINAL, HARMLESS = "refused", "misled", "final", "harmless"

#: Statuses that error codes come with: those of the service, and those that gateways make of them.
STATUSES = (400, 403, 404, 409, 429, 500, 501, 502, 503, 504, 520)
LIMITS = ("0x80072321", "0x80072322", "0x80072326")
# Transient: SQL errors such as a deadlock, throttled queries, no worker for plug-ins.
TRANSIENT = ("0x80044150", "0x80048544", "0x8004418d")
# Too large: unexpected error, SQL timeout, a query that costs too much.
TOO_LARGE = ("0x80040216", "0x80044151", "0x80048573")
# A plug-in of the customer refuses the request.
ISV_ABORTED = "0x80040265"
OTHER_WORDS = "Wie bestellt."
DEADLOCK = (
    "Transaction (Process ID 62) was deadlocked on lock resources with another process and has "
    "been chosen as the deadlock victim. Rerun the transaction."
)


def _errors(*codes: str, **more: Any) -> Iterator[tuple[str, Attributes]]:
    for code in codes:
        for status in STATUSES:
            yield f"{code} with {status}", {"status": status, "code": code, **more}
        # The code alone classifies the error.
        yield (
            f"{code} in other words",
            {"status": 400, "code": code, "message": OTHER_WORDS, **more},
        )


def _throttlings() -> Iterator[tuple[str, Attributes]]:
    for limit in ("requests", "execution_time", "concurrency"):
        for told in ("0", "0.5", "3", "5"):
            yield f"{limit} for {told} s", {"throttle": limit, "retry_after": told}
        yield f"{limit} for a while", {"throttle": limit, "retry_after": ""}
        until = {"retry_after": "4", "retry_after_is_date": True}
        yield f"{limit} until a date", {"throttle": limit, **until}


KINDS: dict[str, dict[str, Attributes]] = {
    # The client must wait.
    THROTTLED: {**dict(_throttlings()), **dict(_errors(*LIMITS, retry_after="3"))},
    # Transient: the client must repeat the request.
    FAILED: {
        "500": {"status": 500, "body": ""},
        "502": {"status": 502},
        "503": {"status": 503, "body": "<html>Unavailable</html>"},
        "503 for 0.4 s": {"status": 503, "retry_after": "0.4"},
        "503 until a date": {"status": 503, "retry_after": "2", "retry_after_is_date": True},
        "520": {"status": 520, "body": ""},
        "599": {"status": 599, "body": ""},
        "deadlock in words": {"status": 400, "error_form": "no_code", "message": DEADLOCK},
        **dict(_errors(*TRANSIENT)),
        "dropped": {"drop": True},
        "reset": {"reset": True},
        "truncated": {"truncate": True},
        "cut": {"cut": True},
        "garbled": {"garble": True},
        "empty": {"status": 200, "body": ""},
    },
    # Transient, and a smaller page helps.
    TOO_MUCH: {
        "408": {"status": 408, "body": ""},
        "504": {"status": 504, "body": ""},
        "413": {"status": 413, "body": ""},
        **dict(_errors(*TOO_LARGE)),
    },
    # No larger page is ever returned.
    HEAVY: {
        "two rows at most": {"over_rows": 2, "status": 500, "code": "0x80040216"},
        "one row at most": {"over_rows": 1, "status": 400, "code": "0x80044151"},
    },
    # The client must sign in again.
    REFUSED: {"401": {"status": 401}, "expired": {"expire_tokens": True}},
    # A web page of something else, which is transient once the service has answered before.
    MISLED: {"web page": {"html": True}},
    # Permanent.
    FINAL: dict(_errors(ISV_ABORTED)),
    # Harmless: only the duration changes.
    HARMLESS: {"slow": {"delay_ms": 3}, "in drops": {"dribble_ms": 1}},
}

# Failures of the network and of a gateway, which pass, and which any service has.
_ANYWHERE = (
    *("502", "503", "503 for 0.4 s", "503 until a date", "520", "599"),
    *("dropped", "reset", "truncated", "cut", "garbled", "empty"),
)
FAILED_ANYWHERE = {name: KINDS[FAILED][name] for name in _ANYWHERE}


def is_of_service(attributes: Attributes) -> bool:
    """Return whether a fault can only come from the service, not from the sign-in host.

    The sign-in host has other codes and messages, and requests to it are never too large.

    Args:
        attributes: Attributes of the fault.
    """
    coded = not {"code", "error_form"}.isdisjoint(attributes)
    return coded or attributes.get("status") == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
