"""Runs of the tap with a clock of their own, which may be killed after some messages."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.simulation.interruption import traced
from tests.tap import Run, Tap

if TYPE_CHECKING:
    from tests.tap import Message


def discover(config: Message) -> Message:
    """Discover the catalog with these settings."""
    discovery = run("--discover", config=config)
    assert discovery.status == 0, discovery.log
    catalog: Message = json.loads(discovery.output)
    return catalog


def run(  # noqa: PLR0913 - what a run depends on
    *arguments: str,
    config: Message,
    lines: int | None = None,
    stop: int = signal.SIGKILL,
    ahead: float = 0,
    speed: float = 1,
    change: int | None = None,
    **files: Message | None,
) -> Run:
    """Run the tap.

    Args:
        *arguments: Options of the command line.
        config: The settings.
        lines: The number of lines of output after which the run is stopped; None means never.
        stop: The signal that stops it.
        ahead: The seconds by which its clock is ahead.
        speed: The number of its seconds that pass in one second.
        change: The number of the change of the state at which SIGTERM is sent; 0 sends no signal
            and writes each state as a message; None does not trace the state.
        **files: The contents of the files that options name: `catalog`, `state`.

    Returns:
        The exit code, the output and the log.
    """
    clock = {"ahead": ahead, "speed": speed}
    tap = Tap(config, clock=clock) if change is None else traced(config, clock, change)
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
                    process.send_signal(stop)
                    if stop == signal.SIGKILL:
                        break
        return Run(process.wait(), b"".join(output).decode(), log.read_text())
