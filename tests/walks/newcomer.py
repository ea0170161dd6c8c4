"""A newcomer: a home folder, the environment of a new machine, and a shell that runs commands."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.meltano import EXECUTABLE as MELTANO
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# A limit for a sign-in that nobody completes.
SECONDS = 300
# What a page writes for the reader's own clone.
CLONE = "/path/to/clone"
SYSTEM_PATHS = (Path("/usr/local/bin"), Path("/usr/bin"), Path("/bin"))
# Beginnings of variables that say how this machine reaches package indexes. Others of pip and uv
# would lead to folders of its user.
NETWORK = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "PIP_CERT",
    "PIP_EXTRA_INDEX",
    "PIP_FIND_LINKS",
    "PIP_INDEX",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX",
    "UV_FIND_LINKS",
    "UV_INDEX",
)
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
        paths = [self.home / ".local" / "bin", self.home / "bin", *SYSTEM_PATHS]
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

    def run(self, commands: str) -> str:
        """Run commands of a page, each of which has to succeed.

        Args:
            commands: The commands.

        Returns:
            Both outputs, as the terminal shows them.
        """
        place = self.home / "folder"
        script = f"set -euo pipefail\n{commands}\npwd > {place}\n"
        with self.running(script, self.folder) as process:
            output, _ = process.communicate(timeout=SECONDS)
        status = process.returncode
        assert status == 0, f"{commands}\nended with {status}:\n{output}"
        self.folder = Path(place.read_text().strip())
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


@cache
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
    names = git(REPOSITORY, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    for name in names:
        # A file may be deleted, and the deletion not be committed yet.
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / name)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, and return its output."""
    done = subprocess.run(  # noqa: S603 - git
        ["git", *arguments],  # noqa: S607 - of this machine
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def filled_in(example: str, given: Mapping[str, Any]) -> str:
    """Fill in a configuration of a page; None takes a setting out."""
    config = {**json.loads(example), **given}
    return json.dumps({name: each for name, each in config.items() if each is not None}, indent=2)
