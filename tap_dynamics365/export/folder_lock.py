"""Lock of a folder: two exports into the same folder would remove the files of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from tap_dynamics365.export.destination import busy

if TYPE_CHECKING:
    from pathlib import Path

#: The name of the lock file. Spark and others skip names that begin with an underscore.
NAME: Final = "_dynamics365.lock"


class FolderLock:
    """A lock that ends with the process, however that ends.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = FileLock(folder / NAME, timeout=0, thread_local=False)

    def acquire(self) -> None:
        """Lock the folder, which is created.

        Raises:
            DestinationError: Another export has locked it.
            OSError: The folder can't be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise busy(str(self._folder)) from error

    def release(self) -> None:
        """Unlock the folder."""
        self._lock.release(force=True)
