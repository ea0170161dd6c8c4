"""Singer messages to standard output, whole lines whatever happens."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from singer_sdk.contrib.msgspec import MsgSpecWriter
from typing_extensions import override

from tap_dynamics365.records import encoder

if TYPE_CHECKING:
    from singer_sdk.singerlib.encoding.simple import Message


class Terminated(SystemExit):
    """The process was told to end, and all that was written is whole."""


class LineWriter(MsgSpecWriter):
    """Writes messages one by one, or many encoded lines at once.

    A signal that arrives in the middle of a line is obeyed behind it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._writing = False
        self._signal: int | None = None

    @override
    def serialize_message(self, message: Message) -> bytearray:
        return bytearray(encoder.encode(message.to_dict()) + b"\n")

    @override
    def write_message(self, message: Message) -> None:
        self.write_lines(self.format_message(message))

    def write_lines(self, lines: bytes | bytearray) -> None:
        """Write whole lines.

        Args:
            lines: Messages, each with its line end.

        Raises:
            Terminated: A signal came before.
        """
        self.check()
        self._writing = True
        try:
            rest = memoryview(lines)
            while rest:
                # An unbuffered stdout may take only a part of it.
                rest = rest[sys.stdout.buffer.write(rest) :]
            sys.stdout.buffer.flush()
        finally:
            self._writing = False

    def check(self) -> None:
        """Obey a signal that came while a line was on its way, once: a state is still to follow.

        Raises:
            Terminated: There was one.
        """
        if self._signal is not None:
            signum, self._signal = self._signal, None
            raise Terminated(128 + signum)

    def terminate(self, signum: int) -> None:
        """Have the process end as soon as what is written is whole.

        Args:
            signum: The signal.

        Raises:
            Terminated: At once, as nothing is being written.
        """
        self._signal = signum
        if not self._writing:
            self.check()
