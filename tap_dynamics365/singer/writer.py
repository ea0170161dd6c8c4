"""Line writer: writes Singer messages to stdout, and never leaves a line incomplete on a signal."""

from __future__ import annotations

import atexit
import logging
import os
import select
import sys
import time
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, NoReturn

from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.singerlib import RecordMessage
from typing_extensions import override

from tap_dynamics365.errors import OutputError
from tap_dynamics365.singer import process
from tap_dynamics365.singer.encoder import encoder

if TYPE_CHECKING:
    from singer_sdk.singerlib.encoding.simple import Message

# Seconds that a line may take after a signal, and seconds between later checks whether the reader
# still reads.
GRACE, LOOK_AGAIN = 1.0, 0.1
# Signals within this many seconds count as one: some programs signal a process, and then its
# process group.
SAME_MOMENT = 0.5

TARGET_EXITED = (
    "The target has ended before the tap. The target's log says why. Run again: rows that the "
    "target did not keep are sent again."
)
OUTPUT_BLOCKED = (
    "Nothing reads standard output: the last line is cut off, and no state follows it. The next "
    "run repeats what came after the last state."
)

logger = logging.getLogger("tap-dynamics365")


class Terminated(SystemExit):
    """The process received a signal. All written lines are complete, unless the log says so."""


class LineWriter(MsgSpecWriter):
    """Writes messages one by one, or many encoded lines at once.

    A signal during a write takes effect after the line, as long as the reader reads it.

    Attributes:
        record_bytes: How many bytes of records were written.
    """

    def __init__(self) -> None:
        super().__init__()
        self.record_bytes = 0
        self._writing = False
        # The signal received, its time, and whether it still has to end the process.
        self._signal = 0
        self._signalled_at = 0.0
        self._is_pending = False

    @override
    def serialize_message(self, message: Message) -> bytearray:
        return bytearray(encoder.encode(message.to_dict()) + b"\n")

    @override
    def write_message(self, message: Message) -> None:
        lines = self.format_message(message)
        if isinstance(message, RecordMessage):
            self.write_records(lines)
        else:
            self.write_lines(lines)

    def write_records(self, lines: bytes | bytearray) -> None:
        """Write RECORD messages.

        Args:
            lines: Messages, each with a line break at its end.

        Raises:
            OutputError: The reader has ended, or the disk is full.
            Terminated: A signal is pending.
        """
        self.write_lines(lines)
        self.record_bytes += len(lines)

    def write_lines(self, lines: bytes | bytearray) -> None:
        """Write whole lines.

        Args:
            lines: Messages, each with a line break at its end.

        Raises:
            OutputError: The reader has ended, or the disk is full.
            Terminated: A signal is pending.
        """
        self.check()
        self._writing = True
        try:
            # There is no buffer if standard output was closed from the start.
            output = getattr(sys.stdout, "buffer", None)
            if output is None:
                msg = "Standard output is closed: connect it to a target or a file."
                raise OutputError(msg)
            rest = memoryview(lines)
            while rest:
                # An unbuffered stdout may accept only a part.
                rest = rest[output.write(rest) :]
            output.flush()
        except OSError as error:
            self._raise_output_error(error)
        finally:
            self._writing = False

    def check(self) -> None:
        """Raise if a signal is pending. It raises only once, so that a state can still be written.

        Raises:
            Terminated: A signal arrived during a write.
        """
        if self._is_pending:
            self._is_pending = False
            raise Terminated(128 + self._signal)

    def terminate(self, signum: int) -> None:
        """Handle a signal: end after the current line. A second signal ends the process at once.

        Args:
            signum: The signal.

        Raises:
            Terminated: No line is being written, or the line can't be completed.
        """
        now = time.monotonic()
        if not self._signal:
            self._signal, self._signalled_at, self._is_pending = signum, now, True
            process.arm_watchdog(self._on_watchdog, GRACE, LOOK_AGAIN)
            _log_in_thread("Ending on signal %d.", signum)
            if not self._writing:
                self.check()
        elif now - self._signalled_at > SAME_MOMENT:
            _log_in_thread("Ending at once, on signal %d.", signum)
            if self._writing:
                self._abort_line()
            os._exit(128 + signum)

    def _on_watchdog(self) -> None:
        if not self._writing:
            self.check()
        elif not _is_writable():
            self._abort_line()

    def _abort_line(self) -> NoReturn:
        """Give up the current line, and end."""
        self._is_pending = False
        process.redirect_stdout_to_devnull()
        logger.warning(OUTPUT_BLOCKED)
        raise Terminated(128 + self._signal)

    def _raise_output_error(self, error: OSError) -> NoReturn:
        """Report that stdout can't be written, and end."""
        process.redirect_stdout_to_devnull()
        if isinstance(error, (BrokenPipeError, ConnectionResetError)):
            msg = TARGET_EXITED
        else:
            msg = (
                f"Standard output can't be written ({error.strerror}): solve the problem and run "
                "again. The last line may be cut off."
            )
        if self._signal:
            self._is_pending = False
            logger.warning(msg)
            raise Terminated(128 + self._signal) from None
        raise OutputError(msg) from None


def _log_in_thread(message: str, signum: int) -> None:
    """Log from a signal handler: in a thread, because the interrupted code may be logging."""
    thread = Thread(target=logger.info, args=(message, signum), daemon=True)
    thread.start()
    thread.join(LOOK_AGAIN)
    # The interrupted code continues, and may end the process before the thread has logged.
    atexit.register(thread.join, GRACE)


def _is_writable() -> bool:
    """Tell whether stdout accepts more bytes, so that the current line makes progress."""
    with suppress(OSError, ValueError):
        return bool(select.select([], [sys.stdout], [], 0)[1])
    return False
