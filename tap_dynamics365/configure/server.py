"""Server: the page on the loopback addresses of this machine, until the person or time ends it."""

from __future__ import annotations

import errno
import getpass
import os
import shlex
import socket
from contextlib import contextmanager
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import uvicorn
from typing_extensions import override

from tap_dynamics365.configure.access import Access
from tap_dynamics365.configure.app import make_app
from tap_dynamics365.errors import SettingsError
from tap_dynamics365.login import loopback, terminal, web_browser

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_dynamics365.configure.session import Session

# Seconds without any request, after which the server ends.
IDLE_SECONDS = 1800
# Seconds that answers may take once the server ends.
PATIENCE = 2
SSH_PORT = "22"
#: What the end of the page means.
KEPT = "Files that were written stay as they are."
# The key stands in the file, which only its owner can read, and not on the command line of a
# browser, which all users of the machine can read.
FORWARD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>dynamics365 configure</title>
<meta http-equiv="refresh" content="0;url={address}"></head>
<body><a href="{address}">Open the page</a></body></html>
"""


class _Server(uvicorn.Server):
    """A server that ends when nobody uses it."""

    def __init__(self, config: uvicorn.Config, access: Access, idle: float) -> None:
        super().__init__(config)
        self._access = access
        self._idle = idle

    @override
    async def on_tick(self, counter: int) -> bool:
        now = self._access.clock()
        if now > self._access.ends_at:
            terminal.say(f"Ended with the button End. {KEPT}")
            return True
        if now - self._access.used_at > self._idle:
            minutes = f"{self._idle / 60:.0f} minutes"
            terminal.say(f"Ended, because nobody used the page for {minutes}. {KEPT}")
            return True
        return await super().on_tick(counter)


def serve(
    session: Session, *, port: int = 0, opens_browser: bool = True, idle: float = IDLE_SECONDS
) -> None:
    """Serve the page until the person ends it, or nobody uses it.

    Args:
        session: What the page holds in memory.
        port: The port; 0 takes a free one.
        opens_browser: Whether to open a browser, if there is one.
        idle: Seconds without any request, after which the server ends.

    Raises:
        KeyboardInterrupt: Ctrl-C ended it.
        SettingsError: The port can't be opened.
    """
    with _listening(port) as sockets, TemporaryDirectory(prefix="dynamics365-") as folder:
        access = Access(sockets[0].getsockname()[1])
        config = uvicorn.Config(
            make_app(session, access),
            lifespan="off",
            loop="asyncio",
            http="h11",
            ws="none",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=PATIENCE,
        )
        server = _Server(config, access, idle)
        address = f"http://localhost:{access.port}/#k={access.key}"
        has_browser = opens_browser and web_browser.has_browser()
        if has_browser:
            file = Path(folder, "open.html")
            file.touch(mode=0o600)
            file.write_text(FORWARD.format(address=escape(address)), encoding="utf-8")
            web_browser.open_address(file.as_uri())
        _announce(address, access.port, has_browser=has_browser)
        server.run(sockets=list(sockets))


def _announce(address: str, port: int, *, has_browser: bool) -> None:
    """Say where the page is."""
    if has_browser:
        terminal.say("Your browser opens. If it does not, open this address:", "")
    elif "SSH_CONNECTION" in os.environ:
        terminal.say(
            "On your own machine, run this, with the name by which you reach this one:",
            "",
            f"    {_tunnel(port)}",
            "",
            "and open this address there:",
            "",
        )
    else:
        terminal.say("Open this address in a browser on this machine:", "")
    terminal.say(
        f"    {address}",
        "",
        "It works once, for 10 minutes. The page ends with Ctrl-C, with its button End, or after "
        "30 minutes without use.",
    )


def _tunnel(port: int) -> str:
    """Return the command that makes a port of this machine one of the person's own machine."""
    try:
        user = f"{getpass.getuser()}@"
    except (ImportError, KeyError, OSError):
        # The user has no name, as in some containers.
        user = ""
    # The addresses and ports of both ends.
    *_, server = os.environ["SSH_CONNECTION"].split() or [SSH_PORT]
    other = ["-p", server] if server != SSH_PORT else []
    forward = f"{port}:127.0.0.1:{port}"
    return shlex.join(["ssh", *other, "-L", forward, f"{user}{socket.gethostname()}"])


@contextmanager
def _listening(port: int) -> Iterator[Sequence[socket.socket]]:
    """Listen on all addresses of `localhost`, on the same port, and on no other address."""
    try:
        found = _listeners(port)
    except OSError as error:
        msg = f"Port {port} can't be opened ({error.strerror}): choose another one with --port."
        raise SettingsError(msg) from error
    try:
        yield found
    finally:
        for each in found:
            each.close()


def _listeners(port: int) -> Sequence[socket.socket]:
    while True:
        first = _listen(socket.AF_INET, "127.0.0.1", port)
        if not loopback.has_ipv6():
            return [first]
        try:
            return [first, _listen(socket.AF_INET6, "::1", first.getsockname()[1])]
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return [first]
            # Another program uses the port on ::1, and would receive what is for the page.
            first.close()
            if port:
                raise


def _listen(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            # The port of a server that has just ended. On Windows, two programs could share it.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener
