"""Meltano in a project of its own: this one's meltano.yml, and nobody's state."""

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
from typing import TYPE_CHECKING, Any

from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.client import Sandbox
    from tools.postgres import Postgres

# Made by the Makefile. The plugins are installed in it too, once for all projects.
ENVIRONMENT = REPOSITORY / ".venv-meltano"
EXECUTABLE = ENVIRONMENT / "bin" / "meltano"
PLUGINS = ENVIRONMENT / "plugins"

# Variables of a user's own set-up, which must not leak in here.
FOREIGN = ("MELTANO_", "TAP_DYNAMICS365_", "TARGET_POSTGRES_", "TARGET_JSONL_")


class MeltanoError(RuntimeError):
    """A command of Meltano failed.

    Args:
        command: The command line.
        log: All that it wrote.
    """

    def __init__(self, command: str, log: str) -> None:
        super().__init__(f"{command} failed:\n{log}")
        self.command = command
        self.log = log


@dataclass(frozen=True)
class Run:
    """What a command of Meltano wrote.

    Args:
        output: Line by line, in Meltano's JSON format where it obeys that.
    """

    output: str

    @property
    def log(self) -> str:
        """Its log for people: who says what."""
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
        """How many rows the tap says it sent, by stream."""
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
    # The frames of an exception in Meltano itself tell nothing about the plugins.
    causes = (
        f"{cause.get('exc_type')}: {cause.get('exc_value')}" for cause in entry.get("exception", ())
    )
    return " ".join((str(entry.get("event")), *causes))


@dataclass(frozen=True)
class Project:
    """A temporary Meltano project.

    Args:
        folder: Where it lies.
        environment: Variables that its commands see.
    """

    folder: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str) -> Run:
        """Run a command of Meltano, with all the processes that it starts.

        Args:
            arguments: The command line after `meltano`.

        Raises:
            MeltanoError: Its exit code was not 0.
        """
        with (self.folder / "meltano.log").open("w+", errors="replace") as output:
            process = subprocess.Popen(  # noqa: S603  - the program of our own environment
                [EXECUTABLE, *arguments],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                status = process.wait()
            except BaseException:
                # Ctrl-C, say: the tap and the target go with it.
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
    """Make a project, and remove it afterwards.

    Args:
        settings: Variables that set up its plugins, such as TAP_DYNAMICS365_SERVICE_URL.
    """
    with TemporaryDirectory(prefix="meltano-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        definition = (REPOSITORY / "meltano.yml").read_text()
        # The tap of this repository, seen from elsewhere.
        definition = definition.replace("pip_url: -e .", "pip_url: -e '$TAP_REPOSITORY'")
        (folder / "meltano.yml").write_text(definition)
        own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        # uv has a list of certificate authorities of its own; a company's are the machine's.
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
    """Return the variables by which Meltano's plugins read from one and load into the other."""
    tap = {f"TAP_DYNAMICS365_{name.upper()}": text for name, text in dynamics.settings.items()}
    return {**tap, "TARGET_POSTGRES_SQLALCHEMY_URL": database.sqlalchemy_url}
