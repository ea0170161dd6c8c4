"""Catalogue of the faults of Finance & Operations that a client must survive, by name."""

from __future__ import annotations

from sandbox.faults.finance_forms import BUSY
from sandbox.faults.mishaps import (
    DEADLOCK,
    FAILED,
    FAILED_ANYWHERE,
    FINAL,
    HARMLESS,
    HEAVY,
    KINDS,
    MISLED,
    REFUSED,
    THROTTLED,
    TOO_MUCH,
    Attributes,
)

TIMEOUT = "Execution Timeout Expired. The timeout period elapsed prior to completion."
CONFLICT = "An update conflict occurred due to another user process deleting the record."
#: Words of an exception in the code of an entity, which comes again each time.
BROKEN = "The dimension value of the record does not exist."


def _throttling(**more: object) -> Attributes:
    return {"status": 429, "error_form": "web_api", "message": BUSY, **more}


def _exception(message: str) -> Attributes:
    return {"status": 500, "error_form": "finance", "message": message}


def _page(status: int, message: str) -> Attributes:
    return {"status": status, "error_form": "html", "message": message}


FINANCE_KINDS: dict[str, dict[str, Attributes]] = {
    THROTTLED: {
        **{f"for {told} s": _throttling(retry_after=told) for told in ("0", "3", "5")},
        "until a date": _throttling(retry_after="4", retry_after_is_date=True),
    },
    FAILED: {
        **FAILED_ANYWHERE,
        "503 of maintenance": _page(503, "The environment is in maintenance mode."),
        "500 without an exception": {"status": 500, "error_form": "web_api", "message": "Error."},
        "deadlock": _exception(DEADLOCK),
        "update conflict": _exception(CONFLICT),
    },
    TOO_MUCH: {
        **{name: KINDS[TOO_MUCH][name] for name in ("408", "413")},
        "504": _page(504, "504 Gateway Time-out"),
        "timeout": _exception(TIMEOUT),
    },
    HEAVY: {
        "two rows at most": {"over_rows": 2, **_page(504, "504 Gateway Time-out")},
        "one row at most": {"over_rows": 1, **_exception(TIMEOUT)},
    },
    REFUSED: KINDS[REFUSED],
    MISLED: KINDS[MISLED],
    FINAL: {"exception": _exception(BROKEN)},
    HARMLESS: KINDS[HARMLESS],
}
