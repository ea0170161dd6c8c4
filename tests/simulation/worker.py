"""Runs of the tap with a clock of their own, and with an end by SIGKILL where one is wanted."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.singer import Run, Tap

if TYPE_CHECKING:
    from tests.singer import Message


def run(
    *arguments: str,
    config: Message,
    lines: int | None = None,
    ahead: float = 0,
    speed: float = 1,
    **files: Message | None,
) -> Run:
    """Run the tap.

    Args:
        *arguments: Options of its command line.
        config: Its settings.
        lines: After how many lines of output to kill it; None lets it come to its end.
        ahead: By how many seconds its clock is ahead.
        speed: How many of its seconds pass in one.
        **files: What is in the files that options name: `catalog`, `state`.
    """
    tap = Tap(config, clock={"ahead": ahead, "speed": speed})
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
