"""Interruption of the tap at each change of its state, found by tracing each opcode.

Python handles a signal between two opcodes, and the state at that moment is the last one that the
tap writes. A state that exists for one opcode therefore matters. A traced process finds all of
them; tracing lines would not, because one line may change the state twice.
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

# Packages and files whose opcodes are traced: the tap, and the SDK's functions on state.
TRACED = {"tap_dynamics365": ("",), "singer_sdk": ("helpers/_state.py", "streams/_state.py")}
# Not traced: a state written here would break the line that the writer is writing.
WRITER = "singer/writer.py"
PROGRAM = """
import runpy, sys
sys.path.append({folder!r})
from tests.simulation.interruption import trace
trace({change})
runpy.run_module("tap_dynamics365", run_name="__main__", alter_sys=True)
"""


def traced(config: Message, clock: dict[str, float], change: int) -> Tap:
    """Make a tap that traces its state.

    Args:
        config: The settings.
        clock: The clock, as for `Tap`.
        change: The change at which a signal is sent, as for `trace`.
    """
    program = PROGRAM.format(folder=str(REPOSITORY), change=change)
    return Tap(config, command=("-c", program), clock=clock)


def trace(change: int) -> None:
    """Trace the state of the tap in this process, from the beginning of the sync.

    Args:
        change: The number of the change of the state at which the process sends itself SIGTERM. 0
            sends no signal: each state is written at once as a STATE message with its number.
    """
    folders = {name: Path(sys.modules[name].__file__ or "").parent for name in TRACED}
    prefixes = tuple(str(folders[name] / part) for name in TRACED for part in TRACED[name])
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
        if not code.co_filename.startswith(prefixes) or code.co_filename.endswith(WRITER):
            return None
        if code.co_name == "sync_all":
            tap = frame.f_locals["self"]
        if tap is None:
            return None
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return step

    # Python 3.12 traces opcodes only if a frame has them traced before.
    sys._getframe().f_trace_opcodes = True  # noqa: SLF001 - the frame of this function
    sys.settrace(enter)
