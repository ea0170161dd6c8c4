"""Walk with plain Singer commands: config.json, check, catalog, run, state, second run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.walks import readme
from tests.walks.newcomer import filled_in

if TYPE_CHECKING:
    from sandbox.client import Sandbox
    from tests.walks.newcomer import Newcomer

# As the README says for a pipeline without a person.
APP = ("service_url", "token_uri", "client_id", "client_secret")


def test_walk_with_singer_commands_extracts_and_then_only_changes(
    newcomer: Newcomer, changing_sandbox: Sandbox
) -> None:
    app = {name: changing_sandbox.announced[name] for name in APP}
    newcomer.write("config.json", filled_in(readme.CONFIG, {**app, "token_store": None}))
    # The app signs in as itself.
    looked = newcomer.run("\n".join(readme.SIGN_IN.splitlines()[1:]))
    assert "✓ tables: 2 of 2 tables can be read." in looked
    assert "systemuser" in looked

    newcomer.run(readme.FIRST_RUN)
    accounts = changing_sandbox.rows("account")
    first = newcomer.rows("account-*.jsonl")
    assert sorted(row["accountid"] for row in first) == sorted(row["accountid"] for row in accounts)
    contacts = newcomer.rows("contact-*.jsonl")
    assert len(contacts) == len(changing_sandbox.rows("contact"))
    state = json.loads((newcomer.folder / "state.json").read_text())
    assert state["bookmarks"].keys() == {"account", "contact"}

    changed = accounts[0]["accountid"]
    changing_sandbox.update("account", changed, {"name": "Zażółć Ltd"})
    output = newcomer.run(readme.NEXT_RUN)
    # The change, and the row at the bookmark of each table.
    assert "Sent 3 rows in " in output
    assert len(newcomer.rows("account-*.jsonl")) == len(first) + 2
    names = {(row["accountid"], row["name"]) for row in newcomer.rows("account-*.jsonl")}
    assert (changed, "Zażółć Ltd") in names
    assert json.loads((newcomer.folder / "state.json").read_text()) != state
