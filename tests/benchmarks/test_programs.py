"""Programs of the benchmarks: their commands can be made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import tables
from benchmarks.loads import Load
from benchmarks.programs import Ceiling, Place, Textbook

if TYPE_CHECKING:
    from sandbox.client import Sandbox

TABLE = tables.SMALL_TABLES[0]


def test_textbook_tap_gets_the_tables_of_the_load(sandbox: Sandbox, tmp_path: Path) -> None:
    command = Textbook().command(Load((TABLE,), ("modifiedon",)), Place(sandbox, tmp_path))
    config = json.loads(Path(command.arguments[-1]).read_text(encoding="utf-8"))
    (described,) = config["tables"]
    assert described["key"] == f"{TABLE}id"
    assert set(described["columns"]) == {f"{TABLE}id", "modifiedon"}


def test_raw_ceiling_gets_the_query_of_the_load(sandbox: Sandbox, tmp_path: Path) -> None:
    command = Ceiling().command(Load((TABLE,)), Place(sandbox, tmp_path))
    assert str(command.arguments[-1]).endswith(f"$orderby=modifiedon asc,{TABLE}id asc")
