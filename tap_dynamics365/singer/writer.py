"""Singer messages to standard output, whole lines whatever happens."""

from __future__ import annotations

import atexit
import logging
import os
import select
import signal
import sys
import time
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, NoReturn

from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.singerlib import RecordMessage
from typing_extensions import override

from tap_dynamics365.errors import OutputError
from tap_dynamics365.singer.encoder import encoder

if TYPE_CHECKING:
    from singer_sdk.singerlib.encoding.simple import Message

# Seconds for the line under way to go out when the process is told to end, and from then on
# between two looks at whether somebody reads it.
GRACE, LOOK_AGAIN = 1.0, 0.1
# Signals that come within so many seconds are one: some programs signal a process, and then the
# group that it belongs to.
SAME_MOMENT = 0.5

TARGET_EXITED = (
    "The target has ended before the tap; its own log says why. Run again: what it did not keep "
    "is sent again."
)
OUTPUT_BLOCKED = (
    "Nobody reads standard output: the last line is cut off, and no state goes out behind it. The "
    "next run sends again what came after the last state."
)

logger = logging.getLogger("tap-dynamics365")


class Terminated(SystemExit):
    """The process was told to end. All that was written is whole, or the log says otherwise."""


class LineWriter(MsgSpecWriter):
    """Writes messages one by one, or many encoded lines at once.

    A signal that arrives in the middle of a line is obeyed behind it, if somebody reads it.

    Attributes:
        record_bytes: How many bytes of records were written.
    """

    def __init__(self) -> None:
        super().__init__()
        self.record_bytes = 0
        self._writing = False
        # The signal that the process ends on, since when, and whether that is still to be obeyed.
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
            lines: Messages, each with its line end.

        Raises:
            OutputError: Nobody reads them any more, or there is no room for them.
            Terminated: A signal came before.
        """
        self.write_lines(lines)
        self.record_bytes += len(lines)

    def write_lines(self, lines: bytes | bytearray) -> None:
        """Write whole lines.

        Args:
            lines: Messages, each with its line end.

        Raises:
            OutputError: Nobody reads them any more, or there is no room for them.
            Terminated: A signal came before.
        """
        self.check()
        self._writing = True
        try:
            # There is none where standard output was closed from the start.
            output = getattr(sys.stdout, "buffer", None)
            if output is None:
                msg = "Standard output is closed: let it lead to a target or a file."
                raise OutputError(msg)
            rest = memoryview(lines)
            while rest:
                # An unbuffered stdout may take only a part of it.
                rest = rest[output.write(rest) :]
            output.flush()
        except OSError as error:
            self._raise_output_error(error)
        finally:
            self._writing = False

    def check(self) -> None:
        """Obey a signal that came while a line was on its way, once: a state is still to follow.

        Raises:
            Terminated: There was one.
        """
        if self._is_pending:
            self._is_pending = False
            raise Terminated(128 + self._signal)

    def terminate(self, signum: int) -> None:
        """Have the process end as soon as what is written is whole; if told again, at once.

        Args:
            signum: The signal.

        Raises:
            Terminated: Nothing is being written, or it will not be whole.
        """
        now = time.monotonic()
        if not self._signal:
            self._signal, self._signalled_at, self._is_pending = signum, now, True
            self._arm_watchdog()
            _log_in_thread("Ending on signal %d.", signum)
            if not self._writing:
                self.check()
        elif now - self._signalled_at > SAME_MOMENT:
            _log_in_thread("Ending at once, on signal %d.", signum)
            if self._writing:
                self._abort_line()
            os._exit(128 + signum)

    def _arm_watchdog(self) -> None:
        """Have the process end too if the line under way does not."""
        # Other systems have no such alarm.
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, lambda *_: self._on_watchdog())
            signal.setitimer(signal.ITIMER_REAL, GRACE, LOOK_AGAIN)
            # When the interpreter has let go of its handlers, the alarm would end the process.
            atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)

    def _on_watchdog(self) -> None:
        if not self._writing:
            self.check()
        elif not _is_writable():
            self._abort_line()

    def _abort_line(self) -> NoReturn:
        """Leave the line under way as it is, and end."""
        self._is_pending = False
        _redirect_stdout_to_devnull()
        logger.warning(OUTPUT_BLOCKED)
        raise Terminated(128 + self._signal)

    def _raise_output_error(self, error: OSError) -> NoReturn:
        """Tell that nothing can be written any more, and end."""
        _redirect_stdout_to_devnull()
        if isinstance(error, (BrokenPipeError, ConnectionResetError)):
            msg = TARGET_EXITED
        else:
            msg = (
                f"Standard output can't be written ({error.strerror}): see to it and run again. "
                "Its last line may be cut off."
            )
        if self._signal:
            self._is_pending = False
            logger.warning(msg)
            raise Terminated(128 + self._signal) from None
        raise OutputError(msg) from None


def _log_in_thread(message: str, signum: int) -> None:
    """Log from a handler of signals: in a thread, for what it interrupts may be logging too."""
    thread = Thread(target=logger.info, args=(message, signum), daemon=True)
    thread.start()
    thread.join(LOOK_AGAIN)
    # What was interrupted goes on, and may end the process before the thread has had its turn.
    atexit.register(thread.join, GRACE)


def _is_writable() -> bool:
    """Tell whether there is room for more, so that the line under way goes on."""
    with suppress(OSError, ValueError):
        return bool(select.select([], [sys.stdout], [], 0)[1])
    return False


def _redirect_stdout_to_devnull() -> None:
    """Let what is left in buffers, and what still comes, go nowhere.

    The interpreter writes its buffers at its end, would wait or fail once more, and say so.
    """
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
