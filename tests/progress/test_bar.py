"""The progress bar as it appears on a terminal, below the log."""

from __future__ import annotations

import logging
import os
import pty
import re
import subprocess
import sys
import termios
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tap_dynamics365.extract.tally import Outcome, Tally
from tap_dynamics365.progress.bar import below_log
from tests.progress.test_progress import ending, progress, reading
from tests.tap import SECONDS, Message, Run, Tap, in_one_mode, select

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.client import Sandbox
    from tap_dynamics365.progress.bar import Bar

LINE = r"\d{4}-\d\d-\d\d .* \| [A-Z]+ +\| "


def read(terminal: int) -> bytes:
    """Read what was written to a terminal; empty once its other end is closed."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def screen(text: str) -> list[str]:
    """The lines on a terminal: after a carriage return, a line is overwritten."""
    lines = []
    for written in text.split("\r\n"):
        line = ""
        for part in written.split("\r"):
            line = part + line[len(part) :]
        lines.append(line.rstrip())
    return lines


def on_a_terminal(width: int, show: Callable[[Bar], None]) -> str:
    """Return what a terminal of a width receives while a bar is shown."""
    here, there = pty.openpty()
    termios.tcsetwinsize(there, (24, width))
    seen: list[bytes] = []

    def receive() -> None:
        while chunk := read(here):
            seen.append(chunk)

    receiver = Thread(target=receive)
    receiver.start()
    with os.fdopen(there, "w") as terminal, below_log(terminal) as bar:
        show(bar)
    receiver.join()
    os.close(here)
    return b"".join(seen).decode()


def bars(width: int, *tallies: Tally) -> list[str]:
    """Return the texts of the bar, as drawn at the time 5."""
    drawn = on_a_terminal(width, lambda bar: bar.draw(*progress(*tallies).bar(5.0)))
    return [text.rstrip() for text in drawn.split("\r") if text.strip()]


@pytest.mark.parametrize("tables", [0, 1, 3])
@pytest.mark.parametrize("width", [1, 20, 80])
def test_bar_on_a_narrow_terminal_fits_into_its_width(tables: int, width: int) -> None:
    drawn = bars(width, *(reading(f"table{number}", 5_000, 10_000) for number in range(tables)))
    assert drawn
    assert all(len(text) <= max(1, width - 1) for text in drawn)


def test_bar_on_a_terminal_without_a_width_fits_into_80_columns() -> None:
    (drawn,) = bars(0, *(reading("a" * 100, 5_000, 10_000) for _ in range(2)))
    assert len(drawn) == 79


def test_bar_of_a_table_with_a_row_count_is_as_long_as_the_part_that_is_done() -> None:
    (drawn,) = bars(80, reading("account", 5_000, 20_000))
    assert (
        drawn == "[#####...............] account: 5,000 of about 20,000 rows, 1,000 rows/s, about"
    )


def test_bar_of_a_table_without_a_row_count_is_text_only() -> None:
    assert bars(80, reading("account", 5_000)) == ["account: 5,000 rows, 1,000 rows/s"]


@pytest.mark.parametrize("outcome", Outcome)
def test_bar_of_many_tables_is_as_long_as_the_part_that_ended(outcome: Outcome) -> None:
    (drawn,) = bars(80, reading("account"), Tally("team", outcome=outcome))
    assert drawn.startswith("[##########..........] ")


def test_import_of_the_tap_does_not_import_tqdm() -> None:
    """Importing tqdm takes about 0.1 s, and only a terminal needs it."""
    code = "import sys, tap_dynamics365.tap; print('tqdm' in sys.modules)"
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    assert output == "False\n"


def test_bar_that_is_closed_leaves_the_log_lines() -> None:
    def show(bar: Bar) -> None:
        bar.write("first\n")
        bar.draw(0.5, "account")
        bar.write("second\n")
        bar.draw(None, "a")
        bar.write("third\n")

    assert screen(on_a_terminal(80, show)) == ["first", "second", "third", ""]


def test_bar_on_a_terminal_that_is_gone_raises_nothing() -> None:
    here, there = pty.openpty()
    terminal = os.fdopen(there, "w")
    handler = logging.StreamHandler(terminal)
    logging.getLogger().addHandler(handler)
    try:
        with below_log(terminal) as bar:
            bar.draw(0.5, "account")
            os.close(here)
            bar.draw(0.6, "account")
            logging.getLogger().error("Logged nowhere.")
            bar.draw(0.7, "account")
    finally:
        logging.getLogger().removeHandler(handler)
    assert handler.stream is terminal
    with pytest.raises(OSError, match="Input/output error"):
        terminal.close()


@in_one_mode
def test_bar_of_a_run_on_a_terminal_is_below_the_log(
    service: Sandbox, catalog: Message, tmp_path: Path
) -> None:
    tap = Tap(dict(service.settings))
    chosen = select(catalog, {"account": None})
    here, there = pty.openpty()
    try:
        with ending(tap.start(tmp_path, stderr=there, catalog=chosen)) as process:
            os.close(there)
            seen = b""
            while not re.search(rb"\r\[[#.]{20}\] account: [0-9,]+ of about [0-9,]+ rows", seen):
                chunk = read(here)
                assert chunk, seen
                seen += chunk
            output, _ = process.communicate(timeout=SECONDS)
        while chunk := read(here):
            seen += chunk
    finally:
        os.close(here)
    assert process.returncode == 0
    assert len(Run(0, output.decode(), "").records("account")) == len(service.rows("account"))
    lines = screen(seen.decode())
    # No line but those of the log is left, each from its first column on.
    assert lines.pop() == ""
    assert all(re.match(LINE, line) for line in lines), lines
    assert "Sent " in lines[-1]
