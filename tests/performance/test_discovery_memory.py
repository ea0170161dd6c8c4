"""Memory of discovery where the metadata document has thousands of tables."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.finance_operations import service
from tests.services.finance_operations.service import NAMESPACE, prop
from tests.tap import SECONDS
from tools.measuring import Command, run
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.services.finance_operations.service import Running

# As many as an environment of Finance & Operations has, with as many columns on average.
TABLES, COLUMNS = 4_000, 17
# Megabytes that discovery may take for some tables, and for all of them. The document has 30 MB,
# and the catalog of all tables has more, but no run holds either of them.
SOME, ALL = 120, 130
KINDS = (
    ("Edm.String", "String"),
    (f"{NAMESPACE}.NoYes", "Enum"),
    ("Edm.Decimal", "Real"),
    ("Edm.DateTimeOffset", "Date"),
)


def entity(number: int) -> str:
    """An entity type whose columns have names of their own."""
    columns = (
        prop(f"Column{n}OfTable{number}", *KINDS[n % len(KINDS)]) for n in range(COLUMNS - 1)
    )
    return service.entity(f"Table{number}", ("dataAreaId",), service.COMPANY, *columns)


@pytest.fixture(scope="module")
def large() -> Iterator[Running]:
    """A Finance & Operations with thousands of tables."""
    types = "".join(map(entity, range(TABLES)))
    sets = {f"Tables{number}": f"Table{number}" for number in range(TABLES)}
    document = service.document(types + service.ENUMERATIONS, sets)
    with service.running(data=document) as running:
        yield running


def memory(service: Running, folder: Path, **settings: Any) -> float:
    """Discover, and return the maximum memory of the run in megabytes."""
    config = folder / "config.json"
    config.write_text(json.dumps({**service.tap.settings, **settings}))
    tap = (sys.executable, "-m", "tap_dynamics365", "--config", config, "--discover")
    return run(Command(tap, {"PYTHONPATH": str(REPOSITORY)}), SECONDS).memory


@pytest.mark.parametrize(
    ("tables", "most"), [([f"table1{n}" for n in range(20)], SOME), (None, ALL)], ids=["20", "all"]
)
def test_memory_of_discovery_is_bounded_also_with_a_schema_map(
    large: Running, tmp_path: Path, tables: list[str] | None, most: int
) -> None:
    kept = str(tmp_path / "map.json")
    for settings in ({}, {"schema_map": kept}, {"schema_map": kept}):
        used = memory(large, tmp_path, tables=tables, **settings)
        sys.stdout.write(f"--discover of {len(tables or ()) or TABLES} tables: {used:.0f} MB\n")
        assert used < most
