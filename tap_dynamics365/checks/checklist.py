"""Checklist: runs named checks in order, and keeps what each found."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from tap_dynamics365.errors import Dynamics365Error
from tap_dynamics365.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("tap-dynamics365.checks")


class Status(Enum):
    """How a check ended.

    Attributes:
        OK: A run is not hindered.
        WARNING: A run works, and may not do all that is wanted.
        FAILED: A run would fail.
        NOT_RUN: There is no answer: a check before it failed, or the service does not tell.
    """

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        message: One or two sentences, without secrets.
        status: How the check ended.
        remedy: What to do instead of what the check itself advises.
    """

    message: str
    status: Status = Status.OK
    remedy: str = ""


@dataclass(frozen=True)
class Result:
    """A check that ended.

    Attributes:
        name: The name of the check.
        status: How it ended.
        message: One or two sentences, without secrets.
        remedy: What to do, in one sentence; empty if there is nothing to do.
    """

    name: str
    status: Status
    message: str
    remedy: str = ""


@dataclass
class Checklist:
    """The checks so far.

    Attributes:
        report: Called with each check that ended.
        results: All checks that ended.
    """

    report: Callable[[Result], None]
    results: list[Result] = field(default_factory=list)

    @property
    def has_failed(self) -> bool:
        """Whether a check failed."""
        return any(result.status is Status.FAILED for result in self.results)

    def run(
        self,
        name: str,
        check: Callable[[], Finding],
        remedy: str,
        *,
        after: tuple[str, ...] = (),
        on_error: Status = Status.FAILED,
    ) -> None:
        """Run a check, unless one that it needs has failed.

        Args:
            name: The name of the check.
            check: The check. It may raise, which is the same as a finding with `on_error`.
            remedy: What to do if the check does not succeed.
            after: The names of the checks that it needs.
            on_error: How the check ends if it raises.
        """
        ended = {result.name: result.status for result in self.results}
        missing = [each for each in after if ended.get(each) in {Status.FAILED, Status.NOT_RUN}]
        if missing:
            verb = "failed" if ended[missing[0]] is Status.FAILED else "was not run"
            self.add(
                Result(name, Status.NOT_RUN, f"Not run, because the check {missing[0]} {verb}.")
            )
            return
        try:
            found = check()
        except Dynamics365Error as error:
            found = Finding(error.message, on_error)
        except Exception as error:
            logger.debug("The check %s has failed.", name, exc_info=error)
            words = f"Unexpected {type(error).__name__}: {printable(str(error)).rstrip('.')}."
            found = Finding(words, on_error)
        advice = "" if found.status is Status.OK else found.remedy or remedy
        self.add(Result(name, found.status, found.message, advice))

    def add(self, result: Result) -> None:
        """Add a check that ended.

        Args:
            result: The check.
        """
        self.results.append(result)
        self.report(result)
