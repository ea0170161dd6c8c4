"""Fixtures of the walks: a clone, and a machine on which the tap and a target are installed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.servers.scripted import answer, serving
from tests.walks import newcomer as machines
from tests.walks import readme
from tests.walks.newcomer import Newcomer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What MeltanoHub says of this target, without descriptions. Its API:
# https://hub.meltano.com/meltano/api/v1/plugins/loaders/index
TARGET = {
    "name": "target-jsonl",
    "label": "JSON Lines (JSONL)",
    "namespace": "target_jsonl",
    "variant": "andyh1203",
    "pip_url": "target-jsonl",
    "settings": [
        {"name": "destination_path", "value": "output"},
        {"name": "do_timestamp_file", "kind": "boolean", "value": False},
        {"name": "custom_name", "kind": "string"},
    ],
}


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of this repository."""
    folder = tmp_path_factory.mktemp("clone")
    machines.clone_repository(folder)
    return folder


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, clone: Path) -> Path:
    """The home of a newcomer who has done what the section Install says."""
    home = tmp_path_factory.mktemp("home")
    machines.new_machine(home)
    output = Newcomer(home, clone, home).run(readme.INSTALL)
    assert "tap-dynamics365" in output
    return home


@pytest.fixture
def newcomer(installed: Path, clone: Path, tmp_path: Path) -> Newcomer:
    """A newcomer in an empty folder."""
    return Newcomer(installed, clone, tmp_path)


@pytest.fixture
def hub() -> Iterator[str]:
    """The address of a MeltanoHub that knows one target."""
    with serving(lambda request: answer(json.dumps(found(request)).encode())) as server:

        def found(request: bytes) -> object:
            path = request.split(maxsplit=2)[1].decode()
            reference = f"{server.url}/plugins/loaders/target-jsonl--andyh1203"
            entry = {
                "logo_url": "",
                "default_variant": "andyh1203",
                "variants": {"andyh1203": {"ref": reference}},
            }
            pages = {
                "/plugins/loaders/index": {"target-jsonl": entry},
                "/plugins/loaders/target-jsonl--andyh1203": TARGET,
            }
            return pages.get(path, {})

        yield server.url
