"""Interruption: Ctrl-C and SIGTERM end the reading of rows, so that what arrived is committed."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Stop(BaseException):
    """Ends a wait for rows. It is no `Exception`, which would be the failure of one table."""


class Interruption:
    """Receives Ctrl-C and SIGTERM while its block runs. The second signal ends the process.

    Attributes:
        number: The signal that was received; None if there was none.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._is_waiting = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        """Receive signals."""
        self._before = {number: signal.signal(number, self._receive) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        """Treat signals as before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # as it was returned

    def until(self, items: Iterator[T]) -> Iterator[T]:
        """Yield items until a signal arrives, also while the next one is waited for.

        Args:
            items: The items. What an iterator has changed for an item that was not yielded is not
                undone.
        """
        while self.number is None:
            try:
                self._is_waiting = True
                item = next(items)
            except (StopIteration, _Stop):
                return
            finally:
                self._is_waiting = False
            yield item

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self.number is not None:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.number = number
        if self._is_waiting:
            self._is_waiting = False
            raise _Stop
