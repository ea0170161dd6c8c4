"""Runs of the tap with a clock of their own, and with an end by SIGKILL where one is wanted."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.simulation.interruption import watched
from tests.tap import Run, Tap

if TYPE_CHECKING:
    from tests.tap import Message


def run(
    *arguments: str,
    config: Message,
    lines: int | None = None,
    ahead: float = 0,
    speed: float = 1,
    change: int | None = None,
    **files: Message | None,
) -> Run:
    """Run the tap.

    Args:
        *arguments: Options of its command line.
        config: Its settings.
        lines: After how many lines of output to kill it; None lets it come to its end.
        ahead: By how many seconds its clock is ahead.
        speed: How many of its seconds pass in one.
        change: At which change of its state to send it a signal; 0 sends none, and has it write
            each state at the moment at which it comes to be.
        **files: What is in the files that options name: `catalog`, `state`.
    """
    clock = {"ahead": ahead, "speed": speed}
    tap = Tap(config, clock=clock) if change is None else watched(config, clock, change)
    output = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "log"
        with log.open("wb") as errors:
            process = tap.start(folder, *arguments, stderr=errors.fileno(), **files)
        with process:
            for line in process.stdout or ():
                output.append(line)
                if len(output) == lines:
                    process.kill()
                    break
        return Run(process.wait(), b"".join(output).decode(), log.read_text())
