"""Progress display: a progress bar on a terminal, otherwise lines in the log."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, TextIO

from tap_dynamics365.progress.row_counts import RowCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_dynamics365.progress.progress import Progress
    from tap_dynamics365.services.kind import Service

#: Seconds between two log lines, and between two updates of the bar.
LINES_EVERY, BAR_EVERY = 30.0, 1.0

logger = logging.getLogger("tap-dynamics365.progress")


@contextmanager
def shown(
    progress: Progress, service: Service, lines_every: float, *, has_messages: bool = True
) -> Iterator[None]:
    """Show the progress while the block runs.

    Args:
        progress: How far the run is.
        service: The service, which is asked for row counts at the first update.
        lines_every: Seconds between two log lines.
        has_messages: Whether messages are written to standard output.
    """
    counts = RowCounts(service)
    # A bar would garble messages on the same terminal.
    if _is_terminal(sys.stderr) and not (has_messages and _is_terminal(sys.stdout)):
        # Imported only when needed, because importing tqdm is slow.
        from tap_dynamics365.progress.bar import below_log  # noqa: PLC0415

        with below_log(sys.stderr) as bar:

            def draw() -> None:
                counts.ask(progress.in_progress)
                bar.draw(*progress.bar(time.monotonic()))

            with _repeated(draw, BAR_EVERY):
                yield
    else:

        def log() -> None:
            counts.ask(progress.in_progress)
            for line in progress.lines(time.monotonic()):
                logger.info("%s", line)

        with _repeated(log, lines_every):
            yield


def _is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a stream is a terminal. It is None if it was closed before the start."""
    return stream is not None and stream.isatty()


@contextmanager
def _repeated(work: Callable[[], None], seconds: float) -> Iterator[None]:
    """Call a function at intervals, in another thread, while the block runs."""
    ended = Event()

    def repeat() -> None:
        while not ended.wait(seconds):
            try:
                work()
            except Exception:
                logger.debug("The progress can't be shown.", exc_info=True)

    thread = Thread(target=repeat, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
