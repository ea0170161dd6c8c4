"""Walk with a Meltano project of one's own: add, install, sign in, select, run, run again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.walks import readme
from tests.walks.newcomer import git

if TYPE_CHECKING:
    from sandbox.client import Sandbox
    from tests.walks.newcomer import Newcomer


def fill_in(newcomer: Newcomer, sandbox: Sandbox) -> None:
    """Fill in .env and meltano.yml, as the README tells to."""
    path = newcomer.folder / ".env"
    text = path.read_text()
    for name, key in (
        ("SERVICE_URL", "service_url"),
        ("TOKEN_URI", "token_uri"),
        ("CLIENT_ID", "public_client_id"),
    ):
        line = f"TAP_DYNAMICS365_{name}={sandbox.announced[key]}"
        text, count = re.subn(rf"(?m)^#?TAP_DYNAMICS365_{name}=.*$", line, text)
        assert count == 1
    path.write_text(text)
    path = newcomer.folder / "meltano.yml"
    line = newcomer.own(readme.PIP_URL).strip()
    text, count = re.subn(r"(?m)\bpip_url: .*$", line, path.read_text())
    assert count == 1
    path.write_text(text)


def sent(output: str) -> int:
    """The number of rows in the summary of a run."""
    (rows,) = re.findall(r"\bSent ([\d,]+) rows? in ", output)
    return int(rows.replace(",", ""))


@pytest.mark.usefixtures("needs_meltano")
def test_walk_with_a_meltano_project_extracts_and_then_only_changes(
    newcomer: Newcomer, changing_sandbox: Sandbox, hub: str
) -> None:
    newcomer.variables = {"MELTANO_HUB_API_ROOT": hub}
    newcomer.run(readme.MELTANO_PROJECT)
    assert newcomer.folder.name == "warehouse"
    fill_in(newcomer, changing_sandbox)
    output = newcomer.run(readme.MELTANO_RUN)
    assert "Signed in as Ada Sandbox" in output
    assert "Warning" not in output
    accounts = changing_sandbox.rows("account")
    assert sent(output) == len(accounts)
    keys = [row["accountid"] for row in newcomer.rows("output/account.jsonl")]
    assert sorted(keys) == sorted(row["accountid"] for row in accounts)

    # New columns are seen, too.
    changing_sandbox.add_column("account", "new_code")
    changed = {"name": "Invented Ltd", "new_code": "A-1"}
    changing_sandbox.update("account", accounts[0]["accountid"], changed)
    # The change, and the row at the bookmark.
    assert sent(newcomer.run(readme.MELTANO_RUN.splitlines()[-1])) == 2
    new = newcomer.rows("output/account.jsonl")[len(keys) :]
    assert (accounts[0]["accountid"], "Invented Ltd", "A-1") in {
        (row["accountid"], row["name"], row["new_code"]) for row in new
    }

    project = yaml.safe_load((newcomer.folder / "meltano.yml").read_text())
    (tap,) = project["plugins"]["extractors"]
    # Of an editable installation such as this one, Meltano caches no catalog anyway.
    assert tap["use_cached_catalog"] is False
    assert "config" not in tap
    # No tracked file of the clone has changed.
    assert git(newcomer.clone, "diff", "--name-only") == ""
