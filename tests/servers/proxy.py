"""Forward proxy with a password: the independent package `proxy.py`.

with running(user="invented-user", password="invented-password") as proxy:
    tap = tap.but(**proxy.settings)
    assert proxy.seen() == [...]
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from proxy import Proxy as ProxyServer
from proxy.http.proxy import HttpProxyBasePlugin
from typing_extensions import override

from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from proxy.http.parser import HttpParser

LOG, PORTS = "TEST_PROXY_LOG", "TEST_PROXY_PORTS"


@dataclass(frozen=True)
class Proxy:
    """A running proxy.

    Args:
        port: The port on 127.0.0.1.
        user: The user name that it accepts.
        password: The password of the user.
        log: The file with a line for each request.
    """

    port: int
    user: str
    password: str
    log: Path

    @property
    def settings(self) -> dict[str, Any]:
        """The settings with which the tap uses the proxy."""
        return {
            "proxy_host": "127.0.0.1",
            "proxy_port": self.port,
            "proxy_user": self.user,
            "proxy_password": self.password,
        }

    @property
    def url(self) -> str:
        """The URL of the proxy, without user and password."""
        return f"http://127.0.0.1:{self.port}"

    def seen(self) -> list[str]:
        """Read the requests: `CONNECT host:port`, or a method and an absolute URL without query."""
        return self.log.read_text().splitlines()


class Plugin(HttpProxyBasePlugin):
    """Logs each request, and resolves host names to ports of 127.0.0.1."""

    @override
    def before_upstream_connection(self, request: HttpParser) -> HttpParser:
        host = (request.host or b"").decode()
        self._tunnel = request.is_https_tunnel
        if self._tunnel:
            self._write(f"CONNECT {host}:{request.port}")
        self._origin = f"http://{host}:{request.port}"
        ports = json.loads(os.environ[PORTS])
        if host in ports:
            request.host, request.port = b"127.0.0.1", ports[host]
        return request

    @override
    def handle_client_request(self, request: HttpParser) -> HttpParser:
        if not self._tunnel:
            method, path = ((part or b"").decode() for part in (request.method, request.path))
            self._write(f"{method} {self._origin}{path.partition('?')[0]}")
        return request

    @staticmethod
    def _write(line: str) -> None:
        with Path(os.environ[LOG]).open("a", encoding="utf-8") as log:
            log.write(f"{line}\n")


@contextmanager
def running(
    user: str = "invented-proxy-user",
    password: str = "invented-proxy-password",  # noqa: S107 - invented, and says so
    ports: Mapping[str, int] | None = None,
) -> Iterator[Proxy]:
    """Start a proxy in a process of its own.

    Args:
        user: The user name that it accepts.
        password: The password of the user.
        ports: The ports of 127.0.0.1 that replace host names and their ports.
    """
    with TemporaryDirectory() as folder:
        log = Path(folder, "log")
        log.touch()
        environment = {LOG: str(log), PORTS: json.dumps(dict(ports or {}))}
        with subprocess.Popen(  # noqa: S603 - this file
            [sys.executable, "-m", "tests.servers.proxy", folder, f"{user}:{password}"],
            cwd=REPOSITORY,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                port = process.stdout.readline() if process.stdout else ""
                assert port, f"The proxy ended with code {process.wait()}."
                yield Proxy(int(port), user, password, log)
            finally:
                process.terminate()


def main(folder: str, credentials: str) -> None:
    """Print the port, and serve until SIGTERM or SIGINT."""
    options = {
        "--port": "0",
        "--num-acceptors": "1",
        "--num-workers": "1",
        "--timeout": "300",
        "--log-level": "CRITICAL",
        "--data-dir": folder,
        "--cache-dir": folder,
        "--basic-auth": credentials,
        "--plugins": "tests.servers.proxy.Plugin",
    }
    with ProxyServer([part for option in options.items() for part in option]) as server:
        sys.stdout.write(f"{server.flags.port}\n")
        sys.stdout.flush()
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main(*sys.argv[1:])
