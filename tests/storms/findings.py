"""What must be true of a run, whatever goes wrong in it."""

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
# A wait that the tap chooses itself is 1, 2, 4, … s and up to half as much more, so it is told as
# one of at most so many whole seconds.
FIRST, SPREAD = 1.0, 1.5


@dataclass
class Requests:
    """The requests of a run, as the service saw them.

    Attributes:
        log: The sandbox's log of them.
        schedule: What was ordered.
        speed: How many of the tap's seconds pass in one.
        parallel: How many requests there may be at once.
    """

    log: list[Message]
    schedule: Schedule
    speed: float
    parallel: int

    def fault(self, request: Message) -> Fault | None:
        """Find the fault that hit a request."""
        order = request["order"]
        return None if order is None else self.schedule.faults[order]

    def that_hit(self) -> list[Fault]:
        """Find the faults that hit a request."""
        found = (self.fault(request) for request in self.log)
        return [fault for fault in found if fault is not None]

    def failed(self, request: Message) -> bool:
        """Tell whether a request brought nothing."""
        fault = self.fault(request)
        ordered = fault is not None and fault.sort != HARMLESS
        # The token endpoint does not ask for the tokens that expire.
        spared = fault is not None and fault.sort == REFUSED and request["status"] < 400
        return (ordered and not spared) or request["status"] >= 400

    def failures(self, *sorts: str) -> list[Message]:
        """Find the requests that failed, by faults of some sorts."""
        found = []
        for request in self.log:
            fault = self.fault(request)
            if self.failed(request) and fault is not None and fault.sort in sorts:
                found.append(request)
        return found

    def check_waits(self) -> None:
        """No request is sent before the time that the service named."""
        for place, refused in enumerate(self.log):
            fault = self.fault(refused)
            if fault is None or not fault.asked:
                continue
            free_at = float(refused["answered_at"]) + fault.asked / self.speed
            early = [
                request
                for request in self.log[place + 1 :]
                if refused["answered_at"] < request["at"] < free_at
            ]
            if fault.sort == THROTTLED:
                # Those that were on their way may come, and no others.
                assert len(early) < self.parallel, (refused, early)
            elif is_for_token(refused):
                # Each request asks for a token anew when the one before has given up.
                continue
            assert identity(refused) not in {identity(request) for request in early}, self.log

    def check_repetitions(self, needed: int, *, complete: bool) -> None:
        """A request is made again if it failed, and only then.

        Args:
            needed: How many requests, tokens apart, a run makes in fine weather, one by one.
            complete: Whether the run came to its end.
        """
        fulfilled = Counter(
            identity(request)
            for request in self.log
            if not self.failed(request) and not is_for_token(request)
        )
        assert set(fulfilled.values()) <= {1}, fulfilled
        # What is read before rows may be given up without an end to the run.
        if complete and self.parallel == 1 and self.must_succeed():
            # More pages come of it where they have to be smaller.
            smaller = self.failures(TOO_MUCH, HEAVY)
            assert len(fulfilled) == needed or (smaller and len(fulfilled) > needed), fulfilled

    def check_announcements(self, run: Run) -> None:
        """Waits are announced, one for each failure, and none is longer than the rule allows."""
        throttled = self.failures(THROTTLED)
        waits = [match for line in run.logged("WARNING") if (match := WAIT.search(line))]
        told = len(throttled) + len(self.failures(FAILED, TOO_MUCH, HEAVY, MISLED))
        if self.parallel > 1:
            # Of those that were refused together, one is news; a sign-in that failed is the failure
            # of each that waited for it, and news again to one that comes to know of it late.
            shared = sum(map(is_for_token, self.failures(THROTTLED, FAILED, TOO_MUCH)))
            assert len(waits) <= told + (self.parallel - 1) * shared, run.log
        elif self.must_succeed():
            assert len(waits) == told, run.log
        asked = max(fault.asked for fault in self.schedule.faults)
        for wait in waits:
            times = int(wait[2]) if wait[2] else max(len(throttled), 1)
            assert int(wait[1]) <= max(asked, SPREAD * FIRST * 2 ** (times - 1)) + 0.5, run.log

    def must_succeed(self) -> bool:
        """Tell whether so little failed that the run has to come to its end."""
        if self.failures(FINAL) or any(map(self.may_be_first, self.failures(MISLED))):
            return False
        # Of what is heavy, a request fails once, and is then for a page that is small enough.
        heavy = 1 if self.failures(HEAVY) else 0
        return len(self.failures(FAILED, TOO_MUCH, MISLED)) + heavy <= RETRIES

    def may_be_first(self, request: Message) -> bool:
        """Tell whether the tap may have had no good answer yet when it had that to a request."""
        before = [
            other
            for other in self.log
            if not (self.failed(other) or is_for_token(other))
            # A run that ends does not wait for what is in flight.
            and other["answered_at"] is not None
            and other["answered_at"] < request["at"]
        ]
        # Those of the other requests in flight may have been on their way.
        return len(before) < self.parallel

    def must_fail(self) -> bool:
        """Tell whether some request failed until the end."""
        faults = enumerate(self.schedule.faults)
        endless = {n for n, fault in faults if fault.count is None and fault.sort == FAILED}
        hits = Counter(request["order"] for request in self.log)
        return any(hits[order] > RETRIES * self.parallel for order in endless)


def is_for_token(request: Message) -> bool:
    """Tell whether a request goes to the sign-in host."""
    return "/token" in request["path"]


def identity(request: Message) -> tuple[str, ...]:
    """Tell requests apart: for a page of so many rows, at this address."""
    query = sorted(request["query"].items())
    prefer = request["headers"].get("prefer", "")
    return (request["method"], request["path"], str(query), prefer)


def check_states(run: Run) -> None:
    """Bookmarks move forward, and never beyond the rows that were sent."""
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
    """Make a value of a replication key one that compares with others."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value
