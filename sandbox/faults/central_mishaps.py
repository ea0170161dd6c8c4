"""Catalogue of the faults of Business Central that a client must survive, by name."""

from __future__ import annotations

from sandbox.faults.central_forms import DEADLOCK, TOO_MANY, TRY_LATER
from sandbox.faults.mishaps import (
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

#: Words of the refusal of a table, which is no fault that passes.
NO_PERMISSION = (
    "Sorry, the current permissions prevented the action. "
    "(TableData 18 Customer Read: Base Application)"
)


def _error(status: int, code: str, message: str = "", **more: object) -> Attributes:
    return {"status": status, "code": code, "message": message, "error_form": "central", **more}


CENTRAL_KINDS: dict[str, dict[str, Attributes]] = {
    # The service has no `Retry-After` with 429.
    THROTTLED: {"429": _error(429, TOO_MANY)},
    FAILED: {
        **FAILED_ANYWHERE,
        "503 of a full queue": _error(503, "Unknown", retry_after="0.4"),
        "500": _error(500, "Internal_ServerError"),
        "try later": _error(400, "Unknown", TRY_LATER),
        "deadlock": _error(409, "Internal_ServerError", DEADLOCK),
        "changed by another user": _error(409, "Request_EntityChanged"),
        "update under way": _error(503, "Internal_TenantUnavailable"),
    },
    TOO_MUCH: {name: KINDS[TOO_MUCH][name] for name in ("408", "413", "504")},
    HEAVY: {
        "two rows at most": {"over_rows": 2, "status": 504, "body": ""},
        "one row at most": {"over_rows": 1, "status": 408, "body": ""},
    },
    REFUSED: KINDS[REFUSED],
    MISLED: KINDS[MISLED],
    FINAL: {"no permission": _error(403, "Internal_ServerError", NO_PERMISSION)},
    HARMLESS: KINDS[HARMLESS],
}
