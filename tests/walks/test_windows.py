"""Walk on Windows: the commands for PowerShell, with the encodings of Windows PowerShell 5.1.

No PowerShell is here. Each command of the page has to be one of the forms that `PowerShell`
understands. It does what Windows does with the bytes, and runs the programs themselves.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.documents import Document
from tests.walks import readme
from tests.walks.newcomer import SECONDS, filled_in
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from sandbox.client import Sandbox
    from tests.walks.newcomer import Newcomer

PAGE = Document(REPOSITORY / "docs" / "usage.md")
FIRST, NEXT = PAGE.commands("windows", "powershell")
# The code page of a console in the United States: how PowerShell decodes what a program writes.
CONSOLE = "cp437"
# How PowerShell writes files: by `>`, and by cmdlets with -Encoding utf8.
ENCODINGS = ["utf-16", "utf-8-sig"]


@dataclass
class PowerShell:
    """The commands of a page, carried out on another system.

    Args:
        newcomer: Whose shell it is.
        encoding: How files are written.
    """

    newcomer: Newcomer
    encoding: str

    def run(self, command: str) -> str:
        """Run a command, and return what the terminal shows."""
        if found := re.fullmatch(r'cmd /c "([^"]*)"', command):
            return self.newcomer.run(found[1])
        if found := re.fullmatch(r"Get-Content (\S+) -Tail (\d+) > (\S+)", command):
            lines = (self.newcomer.folder / found[1]).read_text("cp1252").splitlines()
            self.write(found[3], lines[-int(found[2]) :])
            return ""
        if found := re.fullmatch(r"([\w-]+(?: [\w./-]+)*) > (\S+)", command):
            done = subprocess.run(  # noqa: S602 - a command of a page
                found[1],
                shell=True,
                cwd=self.newcomer.folder,
                env=self.newcomer.environment,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
            assert done.returncode == 0, done.stderr.decode()
            self.write(found[2], done.stdout.decode(CONSOLE).splitlines())
            return ""
        assert re.fullmatch(r"[\w-]+( [\w./-]+)*", command), f"PowerShell does not know {command}"
        return self.newcomer.run(command)

    def write(self, name: str, lines: list[str]) -> None:
        """Write a file as PowerShell does."""
        text = "".join(f"{line}\r\n" for line in lines)
        (self.newcomer.folder / name).write_bytes(text.encode(self.encoding))


def test_installation_on_windows_is_that_of_the_readme() -> None:
    expected = [line.partition(" #")[0].strip() for line in readme.INSTALL.splitlines()]
    given = FIRST.replace(r"C:\path\to\clone", "/path/to/clone").splitlines()
    assert given[: len(expected)] == expected


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_walk_on_windows_extracts_and_then_only_changes(
    newcomer: Newcomer, changing_sandbox: Sandbox, encoding: str
) -> None:
    shell = PowerShell(newcomer, encoding)
    accounts = changing_sandbox.rows("account")
    key = accounts[0]["accountid"]
    changing_sandbox.update("account", key, {"name": "Café"})
    app = {name: changing_sandbox.announced[name] for name in ("service_url", "token_uri")}
    public = changing_sandbox.announced["public_client_id"]
    config = filled_in(
        readme.CONFIG, {**app, "client_id": public, "token_store": str(newcomer.folder / "token")}
    )
    shell.write("config.json", config.splitlines())

    commands = [line for line in FIRST.splitlines() if not line.startswith("uv tool install ")]
    shown = "".join(map(shell.run, commands))
    assert "Signed in as Ada Sandbox" in shown
    assert "✓ tables: 2 of 2 tables can be read." in shown
    first = newcomer.rows("account-*.jsonl")
    assert len(first) == len(accounts)
    assert (key, "Café") in {(row["accountid"], row["name"]) for row in first}
    for name in ("config.json", "catalog.json", "state.json"):
        content = (newcomer.folder / name).read_bytes()
        assert content.startswith((b"\xff\xfe", b"\xef\xbb\xbf"))
        assert content.decode(encoding).endswith("\r\n")

    changing_sandbox.update("account", key, {"name": "Zażółć"})
    # The row changed before was the one at the bookmark of its table.
    assert "Sent 2 rows in " in "".join(map(shell.run, NEXT.splitlines()))
    names = [row["name"] for row in newcomer.rows("account-*.jsonl") if row["accountid"] == key]
    assert names[-1] == "Zażółć"
