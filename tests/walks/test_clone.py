"""Walk of a data engineer with a clone and without Dynamics 365: `make sandbox`, sign in, run."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from sandbox.client import Sandbox
from tests.walks import readme

if TYPE_CHECKING:
    from tests.walks.newcomer import Newcomer


def test_walk_with_a_clone_extracts_from_the_sandbox_that_make_starts(newcomer: Newcomer) -> None:
    # Bytecode of all packages in advance is for those who start many processes.
    newcomer.variables = {"ROWS": "600", "PORT": "0", "UV_COMPILE_BYTECODE": "false"}
    with newcomer.running(readme.SANDBOX, newcomer.clone) as terminal:
        assert terminal.stdout
        printed = ""
        while "Press Ctrl-C to stop it." not in printed:
            line = terminal.stdout.readline()
            assert line, printed
            printed += line
        (config,) = re.findall(r"# config\.json to sign in .*\n(\{[^}]*\})", printed)
        given = json.loads(config)
        newcomer.write("config.json", config)
        signed_in = newcomer.run(readme.SIGN_IN)
        assert "Signed in as Ada Sandbox" in signed_in
        assert "✓ tables: 20 of 20 tables can be read." in signed_in
        newcomer.run(readme.FIRST_RUN)
        url = given["service_url"].partition("/api/")[0]
        sandbox = Sandbox({"url": url}, terminal)  # type: ignore[arg-type] - only asked for rows
        for table in ("account", "contact"):
            rows = {row[f"{table}id"] for row in newcomer.rows(f"{table}-*.jsonl")}
            assert rows == {row[f"{table}id"] for row in sandbox.rows(table)} != set()


def test_demo_of_the_readme_is_started_by_make(newcomer: Newcomer) -> None:
    """What it does then is the matter of the tests of the demo."""
    newcomer.folder = newcomer.clone
    assert "-m demo --service dataverse" in newcomer.run(f"export MAKEFLAGS=n\n{readme.DEMO}")
