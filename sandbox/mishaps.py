"""What a client has to bear, by names: faults of the service, a gateway or the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Of `sandbox.faults.Fault`.
Attributes = dict[str, Any]

THROTTLED, FAILED, TOO_MUCH, HEAVY = "throttled", "failed", "too much", "heavy"
REFUSED, HARMLESS = "refused", "harmless"


def _error(code: str) -> Attributes:
    return {"status": 500, "body": {"error": {"code": code, "message": "As ordered."}}}


def _throttlings() -> Iterator[tuple[str, Attributes]]:
    for limit in ("requests", "execution_time", "concurrency"):
        for told in ("0", "0.5", "3", "5"):
            yield f"{limit} for {told} s", {"throttle": limit, "retry_after": told}
        yield f"{limit} for a while", {"throttle": limit, "retry_after": ""}
        until = {"retry_after": "4", "retry_after_is_date": True}
        yield f"{limit} until a date", {"throttle": limit, **until}


KINDS: dict[str, dict[str, Attributes]] = {
    # What is to be waited out.
    THROTTLED: dict(_throttlings()),
    # What passes, so that the request is to be made again.
    FAILED: {
        "502": {"status": 502},
        "503": {"status": 503, "body": "<html>Unavailable</html>"},
        "503 for 0.4 s": {"status": 503, "retry_after": "0.4"},
        "503 until a date": {"status": 503, "retry_after": "2", "retry_after_is_date": True},
        "error of SQL": _error("0x80044150"),
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
        "unexpected error": _error("0x80040216"),
        "time-out of SQL": _error("0x80044151"),
        "costly query": _error("0x80048573"),
    },
    # No page of more rows comes, ever.
    HEAVY: {
        "two rows at most": {"over_rows": 2, **_error("0x80040216")},
        "one row at most": {"over_rows": 1, **_error("0x80044151")},
    },
    # A sign-in that has to be made anew.
    REFUSED: {"401": {"status": 401}, "expired": {"expire_tokens": True}},
    # What changes nothing but the time it takes.
    HARMLESS: {"slow": {"delay_ms": 3}, "in drops": {"dribble_ms": 1}},
}
