"""Process of a sandbox, as a program that starts one sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

PROJECT = Path(__file__).resolve().parent.parent


class Process(Protocol):
    """A process that serves, with the part of the interface of `subprocess.Popen` that is used."""

    @property
    def stdout(self) -> IO[bytes] | None:
        """Standard output, where the process announces that it is ready."""

    @property
    def returncode(self) -> int | None:
        """Exit code, once `wait` has returned."""

    def send_signal(self, sig: int, /) -> None:
        """Send a signal."""

    def terminate(self) -> None:
        """Ask the process to end."""

    def kill(self) -> None:
        """Kill the process."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait until the process ends."""


def start(arguments: Sequence[str]) -> Process:
    """Start `python -m sandbox`, with a pipe for its standard output."""
    command = [sys.executable, "-m", "sandbox", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT)  # noqa: S603  - our own
