"""Writer: writes commits in a thread of its own, while the next rows are read."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from tap_dynamics365.export.destination import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_dynamics365.export.destination import Commit, Destination


class Writer:
    """Writes one commit after the other.

    Args:
        destination: Where to.
        on_written: Called after each commit, in the thread that calls the writer.

    Attributes:
        refused: Why the destination refused rows, by table.
    """

    def __init__(self, destination: Destination, on_written: Callable[[Commit], None]) -> None:
        self._destination = destination
        self._on_written = on_written
        # One, because a second commit in memory would only wait for the first.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="export")
        self._writing: tuple[Commit, Future[None]] | None = None
        self.refused: dict[str, RefusedError] = {}

    def write(self, commit: Commit) -> None:
        """Begin to write a commit, after the one before is written.

        Args:
            commit: The commit.

        Raises:
            DestinationError: The destination can't be written.
        """
        self.wait()
        if commit.table.name not in self.refused:
            self._writing = commit, self._thread.submit(self._destination.write, commit)

    def wait(self) -> None:
        """Wait until everything is written.

        Raises:
            DestinationError: The destination can't be written.
        """
        if self._writing is None:
            return
        (commit, written), self._writing = self._writing, None
        try:
            written.result()
        except RefusedError as error:
            self.refused[commit.table.name] = error
        else:
            self._on_written(commit)

    def close(self) -> None:
        """End the thread, and close the destination."""
        self._thread.shutdown()
        self._destination.close()
