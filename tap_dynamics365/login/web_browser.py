"""Web browser: opens an address on the person's screen."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from threading import Thread


def has_browser() -> bool:
    """Tell whether a browser can be opened on the person's screen.

    Without a screen, Python would open a text browser in the terminal, which the person needs.
    """
    if os.environ.get("BROWSER"):
        return True
    if sys.platform in {"darwin", "win32"}:
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_address(address: str) -> None:
    """Open an address in the browser.

    In a separate process: some browsers return only when they are closed, some write to the
    terminal, and Ctrl-C must not end them.

    Args:
        address: The address. Other users of the machine can see it.
    """
    with suppress(OSError):
        opening = subprocess.Popen(  # noqa: S603 - a module of Python's own
            [sys.executable, "-m", "webbrowser", address],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        # Otherwise Python warns that the process still runs, and Meltano shows warnings.
        Thread(target=opening.wait, daemon=True).start()
