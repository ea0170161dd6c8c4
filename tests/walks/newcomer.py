"""A newcomer: a home folder, the environment of a new machine, and a shell that runs commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.meltano import EXECUTABLE as MELTANO
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SECONDS = 60
# What a page writes for the reader's own clone.
CLONE = "/path/to/clone"
# How this machine reaches package indexes, which is no matter of the newcomer.
NETWORK = ("PIP_", "UV_", "SSL_CERT_", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY")
# A browser and a person, who presses "Sign in".
BROWSER = """#!{python}
import sys
from urllib.request import urlopen

with urlopen(sys.argv[1], data=b"answer=sign-in") as answer:
    answer.read()
"""


@dataclass
class Newcomer:
    """A person with an empty home folder, whose shell stays in the folder it has changed to.

    Args:
        home: The home folder.
        clone: A clone of this repository.
        folder: The folder that the shell starts in.
        variables: Variables in addition to those of a new machine.
    """

    home: Path
    clone: Path
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the shell."""
        own = {name: each for name, each in os.environ.items() if name.startswith(NETWORK)}
        paths = [self.home / ".local" / "bin", self.home / "bin", *map(Path, SYSTEM_PATHS)]
        return {
            **own,
            "HOME": str(self.home),
            "PATH": os.pathsep.join(map(str, paths)),
            "BROWSER": str(self.home / "bin" / "browser"),
            # The packages are on this machine already: what is tried is how they are installed.
            "UV_CACHE_DIR": uv_cache(),
            "UV_SYSTEM_CERTS": "true",
            "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
            **self.variables,
        }

    def own(self, commands: str) -> str:
        """Replace in commands what the reader has to replace."""
        return commands.replace(CLONE, str(self.clone))

    def attempt(self, commands: str) -> tuple[int, str]:
        """Run commands of a page, whether they succeed or not.

        Args:
            commands: The commands. They stop at the first one that fails.

        Returns:
            The exit code, and both outputs as the terminal shows them.
        """
        place = self.home / "folder"
        script = f"set -euo pipefail\n{commands}\npwd > {place}\n"
        with self.running(script, self.folder) as process:
            output, _ = process.communicate(timeout=SECONDS)
        if process.returncode == 0:
            self.folder = Path(place.read_text().strip())
        return process.returncode, output

    def run(self, commands: str) -> str:
        """Run commands of a page, which have to succeed, and return what the terminal shows."""
        status, output = self.attempt(commands)
        assert status == 0, f"{commands}\nended with {status}:\n{output}"
        return output

    def write(self, name: str, text: str) -> None:
        """Write a file in the folder of the shell."""
        (self.folder / name).write_text(text)

    def rows(self, pattern: str) -> list[dict[str, Any]]:
        """Return the rows in the files of JSON lines that match a pattern."""
        files = sorted(self.folder.glob(pattern))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    @contextmanager
    def running(self, commands: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
        """Run commands in another terminal, until the block ends."""
        process = subprocess.Popen(  # noqa: S603 - commands of this project's own pages
            ["bash", "-c", self.own(commands)],  # noqa: S607 - the newcomer's
            cwd=folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=SECONDS)


SYSTEM_PATHS = ("/usr/local/bin", "/usr/bin", "/bin")


def uv_cache() -> str:
    """The folder in which uv keeps packages on this machine."""
    uv = Path(sys.executable).with_name("uv")
    done = subprocess.run([uv, "cache", "dir"], capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout.strip()


def new_machine(home: Path) -> None:
    """Put into a home folder the programs that the README takes for granted, and a browser."""
    programs = home / "bin"
    programs.mkdir(parents=True)
    python = Path(sys.base_prefix) / "bin" / "python3"
    for name, target in (
        ("python3", python),
        ("uv", Path(sys.executable).with_name("uv")),
        ("meltano", MELTANO),
    ):
        (programs / name).symlink_to(target)
    browser = programs / "browser"
    browser.write_text(BROWSER.format(python=python))
    browser.chmod(0o755)


def clone_repository(folder: Path) -> None:
    """Make a clone of this repository as it is, with what is not committed yet."""
    git = ("git", "-c", "user.name=Newcomer", "-c", "user.email=newcomer@invented.example")

    def run(*arguments: str, place: Path, text: str | None = None) -> str:
        done = subprocess.run(  # noqa: S603 - git
            [*git, *arguments], cwd=place, input=text, capture_output=True, text=True, check=True
        )
        return done.stdout

    names = run("ls-files", "--cached", "--others", "--exclude-standard", place=REPOSITORY)
    there = [name for name in names.splitlines() if (REPOSITORY / name).is_file()]
    for name in there:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((REPOSITORY / name).read_bytes())
        target.chmod((REPOSITORY / name).stat().st_mode)
    run("init", "--quiet", place=folder)
    run("add", "--all", place=folder)
    run("commit", "--quiet", "--message", "A clone", place=folder)


def filled_in(example: str, given: Mapping[str, Any]) -> str:
    """Fill in a configuration of a page; None takes a setting out."""
    config = {**json.loads(example), **given}
    return json.dumps({name: each for name, each in config.items() if each is not None}, indent=2)
