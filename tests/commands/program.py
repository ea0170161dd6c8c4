"""Runs `dynamics365` as a process, and reads its output."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tests.tap import SECONDS, begin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.tap import Message

FORKED = ("-m", "tap_dynamics365.commands")


@dataclass(frozen=True)
class Output:
    """What a command wrote.

    Args:
        status: The exit code.
        printed: Standard output.
        log: Standard error.
    """

    status: int
    printed: str
    log: str

    @property
    def lines(self) -> list[str]:
        """The lines of standard output."""
        return self.printed.splitlines()

    @property
    def checks(self) -> dict[str, tuple[str, str]]:
        """The mark and the words of each check, by its name."""
        split = (line.split(" ", 1) for line in self.lines)
        named = ((mark, *rest.split(": ", 1)) for mark, rest in split)
        return {name: (mark, words) for mark, name, words in named}

    @property
    def marks(self) -> dict[str, str]:
        """The mark of each check, by its name."""
        return {name: mark for name, (mark, _) in self.checks.items()}

    def refusal(self) -> str:
        """Assert that the command failed with one line; return it."""
        assert (self.status, self.printed) == (1, "")
        return self.log.splitlines()[-1]


def dynamics365(  # noqa: PLR0913 - what a command line consists of
    command: str,
    settings: Mapping[str, Any] | None,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    program: tuple[str, ...] = FORKED,
    catalog: Message | None = None,
    encoding: str = "utf-8",
    folder: Path | None = None,
) -> Output:
    """Run a command.

    Args:
        command: The name of the command.
        settings: The content of the file that `--config` names; None for no such file.
        *arguments: The rest of the command line.
        environment: Variables in addition to those of the tests.
        program: The beginning of the command line, as for `tests.tap.begin`.
        catalog: The content of the file that `--catalog` names.
        encoding: The encoding of both files.
        folder: The working folder; a new one without it.
    """
    with TemporaryDirectory() as name:
        given = [command]
        for option, content in (("config", settings), ("catalog", catalog)):
            if content is not None:
                path = Path(name, f"{option}.json")
                path.write_text(json.dumps(content), encoding=encoding)
                given += [f"--{option}", str(path)]
        process = begin(
            program,
            [*given, *arguments],
            cwd=folder or Path(name),
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        printed, log = process.communicate(timeout=SECONDS)
    output = Output(process.returncode, printed.decode(), log.decode())
    assert "Traceback" not in output.log
    return output
