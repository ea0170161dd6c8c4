"""What a signal would leave behind at any step of a run.

A signal is obeyed between two steps of the interpreter, and the state of that moment is the last
that is sent. So each state that there is for the length of one step counts, and a process that
watches itself finds them all: a line of tests is not enough, for one line may change a state twice.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.tap import Tap
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from tests.tap import Message

    Step = Callable[[FrameType, str, Any], Any]

# Whose steps are looked at: all of the tap, and what the SDK does to a state.
WATCHED = {"tap_dynamics365": ("",), "singer_sdk": ("helpers/_state.py", "streams/_state.py")}
# While it writes, nothing else happens, and no other line may come in between.
WRITER = "singer/writer.py"
PROGRAM = """
import runpy, sys
sys.path.append({folder!r})
from tests.simulation.interruption import watch
watch({change})
runpy.run_module("tap_dynamics365", run_name="__main__", alter_sys=True)
"""


def watched(config: Message, clock: dict[str, float], change: int) -> Tap:
    """Set up a tap that watches itself.

    Args:
        config: Its settings.
        clock: Its clock.
        change: As of `watch`.
    """
    program = PROGRAM.format(folder=str(REPOSITORY), change=change)
    return Tap(config, command=("-c", program), clock=clock)


def watch(change: int) -> None:
    """Watch this process for states, from the moment on at which it begins to sync.

    Args:
        change: Which change of the state the process is sent a signal at; 0 sends none: each state
            is then written as a STATE message at the moment at which it comes to be, with the
            number of the change.
    """
    folders = {name: Path(sys.modules[name].__file__ or "").parent for name in WATCHED}
    watched = tuple(str(folders[name] / part) for name in WATCHED for part in WATCHED[name])
    tap: Any = None
    seen = ""
    changes = 0

    def step(_frame: FrameType, event: str, _argument: object) -> Step:
        nonlocal seen, changes
        if event == "opcode" and (state := json.dumps(tap.state)) != seen:
            seen = state
            changes += 1
            if changes == change:
                os.kill(os.getpid(), signal.SIGTERM)
            elif not change:
                line = f'{{"type":"STATE","value":{state},"change":{changes}}}\n'
                os.write(1, line.encode())
        return step

    def enter(frame: FrameType, _event: str, _argument: object) -> Step | None:
        nonlocal tap
        code = frame.f_code
        if not code.co_filename.startswith(watched) or code.co_filename.endswith(WRITER):
            return None
        if code.co_name == "sync_all":
            tap = frame.f_locals["self"]
        if tap is None:
            return None
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return step

    sys.settrace(enter)
