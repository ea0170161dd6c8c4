"""Checks of a run with faults: waits, repeated requests, log lines, states, exit code."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sandbox.faults.mishaps import (
    FAILED,
    FINAL,
    HARMLESS,
    HEAVY,
    MISLED,
    REFUSED,
    THROTTLED,
    TOO_MUCH,
)
from tests.storms.schedule import RETRIES

if TYPE_CHECKING:
    from tests.storms.schedule import Fault, Schedule
    from tests.tap import Message, Run

WAIT = re.compile(r"Trying again in (\d+) s(?: \(retry (\d+) of \d+\))?\.$")
# The tap's own waits are 1, 2, 4, … s with a jitter of up to 50 %; the log rounds them to seconds.
FIRST, SPREAD = 1.0, 1.5


@dataclass
class Requests:
    """The requests of a run, as the sandbox has logged them.

    Attributes:
        log: The requests.
        schedule: The faults of the run.
        speed: The number of the tap's seconds that pass in one second.
        parallel: The maximum number of parallel requests.
        first_wait: The seconds of the first wait when the service does not say how long to wait.
    """

    log: list[Message]
    schedule: Schedule
    speed: float
    parallel: int
    first_wait: float = FIRST

    def fault(self, request: Message) -> Fault | None:
        """Return the fault that hit a request, or None."""
        order = request["order"]
        return None if order is None else self.schedule.faults[order]

    def hitting_faults(self) -> list[Fault]:
        """Return the fault of each request that was hit."""
        found = (self.fault(request) for request in self.log)
        return [fault for fault in found if fault is not None]

    def failed(self, request: Message) -> bool:
        """Return whether a request failed."""
        fault = self.fault(request)
        ordered = fault is not None and fault.sort != HARMLESS
        # A fault that revokes access tokens does not affect the token endpoint.
        spared = fault is not None and fault.sort == REFUSED and request["status"] < 400
        return (ordered and not spared) or request["status"] >= 400

    def failures(self, *sorts: str) -> list[Message]:
        """Return the requests that failed by faults of these sorts."""
        found = []
        for request in self.log:
            fault = self.fault(request)
            if self.failed(request) and fault is not None and fault.sort in sorts:
                found.append(request)
        return found

    def check_waits(self) -> None:
        """Check that no request is sent before the time of Retry-After."""
        for place, refused in enumerate(self.log):
            fault = self.fault(refused)
            if fault is None or not fault.retry_after:
                continue
            free_at = float(refused["answered_at"]) + fault.retry_after / self.speed
            early = [
                request
                for request in self.log[place + 1 :]
                if refused["answered_at"] < request["at"] < free_at
            ]
            if fault.sort == THROTTLED:
                # Only requests that were in flight may arrive.
                assert len(early) < self.parallel, (refused, early)
            elif is_for_token(refused):
                # When one request gives up, the next one requests a token of its own.
                continue
            assert identity(refused) not in {identity(request) for request in early}, self.log

    def check_retries(self, needed: int, *, complete: bool) -> None:
        """Check that a request is repeated if and only if it failed.

        Args:
            needed: The number of requests of a sequential run without faults, without those for
                tokens.
            complete: Whether the run succeeded.
        """
        succeeded = Counter(
            identity(request)
            for request in self.log
            if not self.failed(request) and not is_for_token(request)
        )
        assert set(succeeded.values()) <= {1}, succeeded
        # A failed request for metadata does not necessarily end the run.
        if complete and self.parallel == 1 and self.must_succeed():
            # Smaller pages need more requests.
            smaller = self.failures(TOO_MUCH, HEAVY)
            assert len(succeeded) == needed or (smaller and len(succeeded) > needed), succeeded

    def check_logged_waits(self, run: Run) -> None:
        """Check that each wait is logged once per failure and is no longer than the rule allows."""
        throttled = self.failures(THROTTLED)
        waits = [match for line in run.logged("WARNING") if (match := WAIT.search(line))]
        expected = len(throttled) + len(self.failures(FAILED, TOO_MUCH, HEAVY, MISLED))
        if self.parallel > 1:
            # Requests that are throttled together share a log line. A failed sign-in fails each
            # request that waits for it, and one that learns of it late logs it again.
            shared = sum(map(is_for_token, self.failures(THROTTLED, FAILED, TOO_MUCH)))
            assert len(waits) <= expected + (self.parallel - 1) * shared, run.log
        elif self.must_succeed():
            assert len(waits) == expected, run.log
        asked = max(fault.retry_after for fault in self.schedule.faults)
        for wait in waits:
            times = int(wait[2]) if wait[2] else max(len(throttled), 1)
            first = FIRST if wait[2] else self.first_wait
            assert int(wait[1]) <= max(asked, SPREAD * first * 2 ** (times - 1)) + 0.5, run.log

    def must_succeed(self) -> bool:
        """Return whether the failures are so few that the run has to succeed."""
        if self.failures(FINAL) or any(map(self.may_be_first, self.failures(MISLED))):
            return False
        # A request for a heavy page fails once; the next one is for a page that is small enough.
        heavy = 1 if self.failures(HEAVY) else 0
        return len(self.failures(FAILED, TOO_MUCH, MISLED)) + heavy <= RETRIES

    def may_be_first(self, request: Message) -> bool:
        """Return whether a request may have been answered before any request had succeeded."""
        before = [
            other
            for other in self.log
            if not (self.failed(other) or is_for_token(other))
            # A run that ends does not wait for requests in flight.
            and other["answered_at"] is not None
            and other["answered_at"] < request["at"]
        ]
        # Answers to other requests in flight may not have arrived.
        return len(before) < self.parallel

    def must_fail(self) -> bool:
        """Return whether a request failed more often than it is retried."""
        faults = enumerate(self.schedule.faults)
        endless = {n for n, fault in faults if fault.count is None and fault.sort == FAILED}
        hits = Counter(request["order"] for request in self.log)
        return any(hits[order] > RETRIES * self.parallel for order in endless)


def is_for_token(request: Message) -> bool:
    """Return whether a request goes to the token endpoint."""
    return "/token" in request["path"]


def identity(request: Message) -> tuple[str, ...]:
    """Return what distinguishes a request: method, URL and page size."""
    query = sorted(request["query"].items())
    prefer = request["headers"].get("prefer", "")
    return (request["method"], request["path"], str(query), prefer)


def check_states(run: Run) -> None:
    """Check that bookmarks only advance, and never beyond the records that were written."""
    reached: dict[str, Any] = {}
    sent: dict[str, Any] = {}
    keys = {name: schema.get("bookmark_properties") for name, schema in run.schemas.items()}
    for message in run.messages:
        if message["type"] == "RECORD" and (key := keys[message["stream"]]):
            value = comparable(message["record"].get(key[0]))
            if value is not None:
                sent[message["stream"]] = value
        if message["type"] != "STATE":
            continue
        for stream, bookmark in message["value"].get("bookmarks", {}).items():
            value = comparable(bookmark.get("replication_key_value"))
            if value is None:
                continue
            assert stream not in reached or reached[stream] <= value, run.output
            assert value <= sent[stream], run.output
            reached[stream] = value


def comparable(value: Any) -> Any:  # noqa: ANN401 - a replication key
    """Convert a value of a replication key to one that can be compared."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value
