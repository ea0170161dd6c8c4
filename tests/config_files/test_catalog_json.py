"""File catalog.json: a catalog with a selection, which the tap runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tap_dynamics365.config_files import catalog_json, change
from tap_dynamics365.config_files.replication import Replication
from tap_dynamics365.errors import InputError
from tap_dynamics365.singer.select_rules import select, selectable, selected
from tests.tap import Tap, entry, own_metadata

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.client import Sandbox
    from tests.tap import Message

RULES = ["team.*", "!team.description", "territory.name"]


@pytest.fixture(scope="module")
def tap(sandbox: Sandbox) -> Tap:
    """A tap with two small tables."""
    return Tap({**sandbox.settings, "tables": ["team", "territory"]})


@pytest.fixture(scope="module")
def discovered(tap: Tap) -> Message:
    """The catalog of the tap."""
    return tap.discover()


def written(path: Path, catalog: Message, *given: object) -> Message:
    """Write a catalog; return it."""
    change.write(path.parent, [catalog_json.plan(path, catalog, *given)])  # type: ignore[arg-type]
    read: Message = json.loads(path.read_text())
    return read


def test_catalog_with_rules_runs_with_these_columns(
    tap: Tap, discovered: Message, tmp_path: Path
) -> None:
    chosen = {"team": Replication("FULL_TABLE")}
    catalog = written(tmp_path / "catalog.json", discovered, RULES, chosen)
    assert selected(catalog) == select(RULES, selectable(discovered))
    chosen_in = [item["metadata"] for item in entry(catalog, "team")["metadata"]]
    assert not [
        each for each in chosen_in if each["inclusion"] == "automatic" and "selected" in each
    ]
    run = tap.sync(catalog=catalog)
    assert run.counts.keys() == {"team", "territory"}
    columns = {
        message["stream"]: message["record"].keys()
        for message in run.messages
        if message["type"] == "RECORD"
    }
    assert columns["territory"] == {"territoryid", "name", "modifiedon"}
    assert "description" not in columns["team"]
    assert "team" not in run.state["bookmarks"] or not run.state["bookmarks"]["team"].get(
        "replication_key_value"
    )


def test_choices_of_the_file_stay_without_new_ones(discovered: Message, tmp_path: Path) -> None:
    path = tmp_path / "catalog.json"
    old = written(path, discovered, RULES, {"team": Replication("INCREMENTAL", "createdon")})
    assert written(path, discovered) == old
    assert not catalog_json.plan(path, discovered).is_change
    # A column that is new in the service, and one that is gone.
    of_team = entry(old, "team")
    of_team["metadata"] = [item for item in of_team["metadata"] if "name" not in item["breadcrumb"]]
    of_team["metadata"].append({"breadcrumb": ["properties", "gone"], "metadata": {}})
    path.write_text(json.dumps(old))
    new = written(path, discovered, None, {"team": Replication("LOG_BASED")})
    assert selected(new) == select(RULES, selectable(discovered))
    assert own_metadata(entry(new, "team"))["replication-method"] == "LOG_BASED"
    assert "replication-key" not in own_metadata(entry(new, "team"))


def test_catalog_that_is_written_is_laid_out_as_discovery_does(tap: Tap, tmp_path: Path) -> None:
    printed = tap.run("--discover").output
    planned = catalog_json.plan(tmp_path / "catalog.json", json.loads(printed))
    assert planned.after.decode() == printed


@pytest.mark.parametrize(
    ("table", "key", "reason"),
    [
        ("teem", "", "The catalog has no table teem"),
        ("team", "x", "The table team has no column x"),
    ],
)
def test_replication_of_what_does_not_exist_is_refused(
    discovered: Message, tmp_path: Path, table: str, key: str, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        catalog_json.plan(
            tmp_path / "catalog.json", discovered, None, {table: Replication("INCREMENTAL", key)}
        )


@pytest.mark.parametrize("content", ["[]", '{"streams": [{}]}', "{"])
def test_file_that_is_no_catalog_is_refused(
    discovered: Message, tmp_path: Path, content: str
) -> None:
    (tmp_path / "catalog.json").write_text(content)
    with pytest.raises(InputError, match="is no catalog"):
        catalog_json.plan(tmp_path / "catalog.json", discovered)
