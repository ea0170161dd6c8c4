"""Progress while a run lasts: lines in the log, or a bar at the foot of a terminal."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, TextIO

from tap_dynamics365.progress import bar
from tap_dynamics365.progress.row_counts import RowCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_dynamics365.progress.progress import Progress
    from tap_dynamics365.services.kind import Service

#: Seconds from one line to the next, and from one look of the bar to the next.
LINES_EVERY, BAR_EVERY = 30.0, 1.0

logger = logging.getLogger("tap-dynamics365.progress")


@contextmanager
def shown(progress: Progress, service: Service, lines_every: float) -> Iterator[None]:
    """Show progress for a while, whatever the run waits for.

    Args:
        progress: How far the run is.
        service: What it reads from; asked for the number of rows when there is something to show.
        lines_every: Seconds from one line to the next.
    """
    counts = RowCounts(service)
    # Messages on the same terminal would be garbled.
    if _is_terminal(sys.stderr) and not _is_terminal(sys.stdout):
        with bar.at(sys.stderr) as drawn:

            def draw() -> None:
                counts.ask(progress.under_way)
                drawn.draw(progress.bar(time.monotonic(), drawn.width))

            with _repeated(draw, BAR_EVERY):
                yield
    else:

        def log() -> None:
            counts.ask(progress.under_way)
            for line in progress.lines(time.monotonic()):
                logger.info("%s", line)

        with _repeated(log, lines_every):
            yield


def _is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a stream leads to a person; there is none where it was closed from the start."""
    return stream is not None and stream.isatty()


@contextmanager
def _repeated(work: Callable[[], None], seconds: float) -> Iterator[None]:
    """Do something again and again, in a thread that does nothing else."""
    ended = Event()

    def repeat() -> None:
        while not ended.wait(seconds):
            try:
                work()
            except Exception:
                logger.debug("Progress can't be shown.", exc_info=True)

    thread = Thread(target=repeat, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
