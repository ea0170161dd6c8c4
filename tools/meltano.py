"""Temporary Meltano projects with this repository's meltano.yml and a state of their own."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, Protocol

from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sandbox.client import Sandbox
    from tools.postgres import Postgres

# Made by the Makefile. Plugins are installed in it too, once for all projects.
ENVIRONMENT = REPOSITORY / ".venv-meltano"
EXECUTABLE = ENVIRONMENT / "bin" / "meltano"
PLUGINS = ENVIRONMENT / "plugins"

# The name of a project's folder.
FOLDER = "warehouse"

# Prefixes of variables of the user's own setup, which projects must not inherit.
FOREIGN = ("MELTANO_", "TAP_DYNAMICS365_", "TARGET_POSTGRES_", "TARGET_JSONL_")


class MeltanoError(RuntimeError):
    """A Meltano command failed.

    Args:
        command: The command line.
        log: Its output.
    """

    def __init__(self, command: str, log: str) -> None:
        super().__init__(f"{command} failed:\n{log}")
        self.command = command
        self.log = log


@dataclass(frozen=True)
class Run:
    """Output of a Meltano command.

    Args:
        output: Lines of the output, mostly in Meltano's JSON format.
    """

    output: str

    @property
    def log(self) -> str:
        """The log in a readable format."""
        return "\n".join(
            "{source:<16} {level:<8} {text}".format(
                source=entry.get("string_id", entry.get("name", "meltano")),
                level=entry.get("level", ""),
                text=_text(entry),
            )
            if (entry := _entry(line))
            else line
            for line in self.output.splitlines()
        )

    @property
    def records(self) -> Counter[str]:
        """Number of rows that the tap reports as sent, by stream."""
        counts: Counter[str] = Counter()
        for entry in map(_entry, self.output.splitlines()):
            metric = entry.get("metric_info", {})
            if entry.get("producer") and metric.get("metric") == "record_count":
                counts[metric["tags"]["stream"]] += metric["value"]
        return counts


def _entry(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _text(entry: Mapping[str, Any]) -> str:
    if metric := entry.get("metric_info"):
        tags = " ".join(str(tag) for tag in metric.get("tags", {}).values() if tag)
        return f"{metric.get('metric')} {metric.get('value')} {tags}"
    # Stack frames within Meltano say nothing about the plugins.
    causes = (
        f"{cause.get('exc_type')}: {cause.get('exc_value')}" for cause in entry.get("exception", ())
    )
    return " ".join((str(entry.get("event")), *causes))


class Process(Protocol):
    """A running command, with the part of the interface of `subprocess.Popen` that is used."""

    @property
    def pid(self) -> int:
        """Process ID, which is also that of its process group."""

    def wait(self) -> int:
        """Wait until the process ends, and return its exit code."""


def start(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], output: IO[str]
) -> Process:
    """Start Meltano in a session of its own.

    Args:
        arguments: Arguments of `meltano`.
        folder: Working directory.
        environment: The whole environment.
        output: File for standard output and standard error.
    """
    return subprocess.Popen(  # noqa: S603  - a program of this project's environments
        [EXECUTABLE, *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


@dataclass(frozen=True)
class Project:
    """A temporary Meltano project.

    Args:
        folder: Folder of the project.
        environment: Environment variables of its commands.
        start: How Meltano is started; tests have a faster way.
    """

    folder: Path
    environment: Mapping[str, str]
    start: Callable[[Sequence[str], Path, Mapping[str, str], IO[str]], Process] = start

    def run(self, *arguments: str) -> Run:
        """Run a Meltano command to its end.

        Args:
            arguments: Arguments of `meltano`.

        Returns:
            Output of the command.

        Raises:
            MeltanoError: The exit code is not 0.
        """
        with (self.folder / "meltano.log").open("w+", errors="replace") as output:
            process = self.start(arguments, self.folder, self.environment, output)
            try:
                status = process.wait()
            except BaseException:
                # On Ctrl-C, for example, the tap and the target must end too.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
            output.seek(0)
            run = Run(output.read())
        if status:
            raise MeltanoError(shlex.join(("meltano", *arguments)), run.log)
        return run


@contextmanager
def project(settings: Mapping[str, str]) -> Iterator[Project]:
    """Create a temporary project.

    Args:
        settings: Variables that configure the plugins, such as TAP_DYNAMICS365_SERVICE_URL.
    """
    with TemporaryDirectory(prefix="meltano-", ignore_cleanup_errors=True) as name:
        folder = Path(name, FOLDER)
        folder.mkdir()
        definition = (REPOSITORY / "meltano.yml").read_text()
        # The tap of this repository, from another working directory.
        definition = definition.replace("pip_url: -e .", "pip_url: -e '$TAP_REPOSITORY'")
        (folder / "meltano.yml").write_text(definition)
        own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        # uv has its own list of certificate authorities; a company's authorities are in the
        # system's.
        own.setdefault("UV_SYSTEM_CERTS", "true")
        environment = {
            **own,
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
            "MELTANO_CLI_LOG_FORMAT": "json",
            "MELTANO_DATABASE_URI": f"sqlite:///{folder / 'meltano.db'}",
            "MELTANO_PROJECT_ROOT": str(folder),
            "MELTANO_SYS_DIR_ROOT": str(PLUGINS),
            "TAP_REPOSITORY": str(REPOSITORY),
            "XDG_STATE_HOME": str(folder / "logs"),
            **settings,
        }
        yield Project(folder, environment)


def plugin_settings(dynamics: Sandbox, database: Postgres) -> dict[str, str]:
    """Return the variables with which Meltano's plugins load a sandbox into a database.

    Args:
        dynamics: The sandbox.
        database: The database.
    """
    tap = {f"TAP_DYNAMICS365_{name.upper()}": text for name, text in dynamics.settings.items()}
    return {**tap, "TARGET_POSTGRES_SQLALCHEMY_URL": database.sqlalchemy_url}
