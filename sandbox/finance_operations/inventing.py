"""Invented rows: the same model, count and seed always give the same rows."""

from __future__ import annotations

import random
from itertools import islice
from typing import TYPE_CHECKING, Any

from sandbox.data import pools
from sandbox.data.model import FIRST_VERSION
from sandbox.data.rows import Batch, shares
from sandbox.finance_operations import csdl, values
from sandbox.finance_operations.companies import KNOWN_ROWS, NAMES
from sandbox.finance_operations.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.data.model import Model, Table

CHUNK = 20_000
# Record IDs of neighbouring rows are this far apart.
RECORD_STEP = 3
# Record versions are 0 or 1 until a row is first changed.
UNCHANGED = (1, 1, 1, 0)
_MOST_JOINED = 9


def invent(model: Model, rows: int, seed: int, sizes: Mapping[str, int]) -> Iterator[Batch]:
    """Invent rows for every entity set, in batches.

    Args:
        model: The entity sets.
        rows: Number of rows over all entity sets.
        seed: Seed of the rows.
        sizes: Number of rows of entity sets with a given size.
    """
    material = pools.make(random.Random(f"{seed}/pools"))  # noqa: S311  - repeatable by design
    counts = shares(model, rows, sizes)
    counts |= {name: len(known) for name, known in KNOWN_ROWS.items() if name in counts}
    drawn = values.Values(material, random.Random(f"{seed}/values"))  # noqa: S311  - as above
    version = FIRST_VERSION
    for name, count in counts.items():
        table = model.by_name[name]
        rng = random.Random(f"{seed}/{name}")  # noqa: S311  - as above
        places = islice(_places(table), count)
        while chunk := list(islice(places, CHUNK)):
            yield _batch(table, drawn, rng, chunk, version)
            version += len(chunk)


def _places(table: Table) -> Iterator[tuple[int, str, int]]:
    """Yield for each row its number, its company, and its number within the company."""
    keys = Keys(table)
    row, full = 0, set[str]()
    while True:
        company, number = keys.place(row)
        if keys.limit is None or number < keys.limit:
            yield row, company, number
        else:
            full.add(company)
            if len(full) == (len(NAMES) if keys.has_company else 1):
                return
        row += 1


def _batch(
    table: Table,
    drawn: values.Values,
    rng: random.Random,
    places: list[tuple[int, str, int]],
    version: int,
) -> Batch:
    keys = Keys(table)
    count, done = len(places), dict[str, list[Any]]()
    if keys.has_company:
        done[csdl.COMPANY] = [company for _, company, _ in places]
    found = [keys.values(company, number) for _, company, number in places]
    for column, cells in zip(keys.columns, zip(*found, strict=True), strict=True):
        done[column.property_name] = list(cells)
    for column in table.columns:
        name = column.property_name
        if name in done:
            continue
        if column.values == "version":
            done[name] = list(range(version, version + count))
        elif values.is_drawn(column):
            done[name] = drawn.draw(column, count, rng)
    first = values.FIRST_RECORD + sum(map(ord, table.name))
    done[csdl.RECORD] = [first + row * RECORD_STEP for row, _, _ in places]
    done[csdl.VERSION] = rng.choices(UNCHANGED, k=count)
    done[csdl.JOINED] = [_joined(rng)] * count
    for known, row in zip(KNOWN_ROWS.get(table.name, []), range(count), strict=False):
        for name, value in known.items():
            if name in done:
                done[name][row] = value
    return Batch(table, list(done), zip(*done.values(), strict=True), repeats=False)


def _joined(rng: random.Random) -> str:
    """Return the pairs of record version and record ID of the joined tables, for etags."""
    pairs = ("0,0", f"1,{values.FIRST_RECORD + rng.randrange(10**6)}")
    return "".join(f";{rng.choice(pairs)}" for _ in range(rng.randrange(_MOST_JOINED)))
