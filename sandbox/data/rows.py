"""Invented rows: the same model, count and seed always give the same rows.

Values are made a column at a time: drawing many values from a pool at once makes a million rows
affordable. Columns that belong together (a name and its email address, a city and its postcode, a
state and its status) are drawn from the same items.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.data import pools, recipes
from sandbox.data.drawing import Drawing, identifiers
from sandbox.data.model import FIRST_VERSION, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.data.model import Column, Model, Table

CHUNK = 50_000
LARGEST_IMPORT = 6_000
SHARE_OF_IMPORTS = 0.02
# Recipes of unique values, and of values that increase with time.
UNIQUE = frozenset({"key", "same_as_key", "version", "ticks", "modified", "created", "number"})
SPAN = int((pools.END - pools.START).total_seconds())


class Batch(NamedTuple):
    """Rows of one table.

    Attributes:
        table: The table.
        columns: Names of the stored columns.
        rows: Values of these columns.
        repeats: Whether the values of all other columns are those of the table's first rows.
    """

    table: Table
    columns: list[str]
    rows: Iterator[tuple[Any, ...]]
    repeats: bool


def shares(model: Model, total: int, sizes: Mapping[str, int]) -> dict[str, int]:
    """Return the number of rows of each table.

    Args:
        model: The tables.
        total: Number of rows over all tables without a given size.
        sizes: Number of rows of tables with a given size.
    """
    tables = [table for table in model.tables if table.set_name and not table.union_of]
    weight = sum(table.share for table in tables if table.fixed_rows is None)
    counts = {
        table.name: min(table.fixed_rows, total)
        if table.fixed_rows is not None
        else max(min(total, 1), round(total * table.share / weight))
        for table in tables
    }
    return {**counts, **sizes}


def invent(model: Model, rows: int, seed: int, sizes: Mapping[str, int]) -> Iterator[Batch]:
    """Invent rows for every table of a model, in batches.

    Args:
        model: The tables.
        rows: Number of rows over all tables.
        seed: Seed of the rows.
        sizes: Number of rows of tables with a given size.
    """
    counts = shares(model, rows, sizes)
    material = pools.make(random.Random(f"{seed}/pools"))  # noqa: S311  - repeatable by design
    ids = {
        name: identifiers(random.Random(f"{seed}/{name}/ids"), count)  # noqa: S311  - as above
        for name, count in counts.items()
    }
    version = FIRST_VERSION
    for name, count in counts.items():
        table = model.by_name[name]
        rng = random.Random(f"{seed}/{name}")  # noqa: S311  - as above
        moments = _moments(rng, count)
        for start in range(0, count, CHUNK):
            part = slice(start, min(start + CHUNK, count))
            drawing = Drawing(table, rng, material, ids, ids[name][part], moments[part], version)
            version += len(drawing.ids)
            yield _batch(drawing, start)


def _moments(rng: random.Random, count: int) -> list[int]:
    """Return when each row was last changed, in increasing order.

    Imports give many rows the same second.
    """
    moments: list[int] = []
    big_import = count // 4
    while len(moments) < count:
        at = rng.randrange(SPAN)
        size = 1
        if len(moments) >= big_import >= 0:
            size, big_import = max(1, min(count // 10, LARGEST_IMPORT)), count + 1
        elif rng.random() < SHARE_OF_IMPORTS:
            size = rng.randint(2, max(2, min(400, count // 20)))
        moments.extend([at] * size)
    return sorted(moments[:count])


def _is_unique(column: Column) -> bool:
    return column.values.partition(":")[0] in UNIQUE


def _batch(drawing: Drawing, start: int) -> Batch:
    """Make the rows of a batch.

    Only the first batch of a table has all columns. Further batches have only the unique ones and
    take the rest from the first, so that a million rows cost hardly more than 50,000.

    Args:
        drawing: State of the batch.
        start: Number of the first row within its table.
    """
    drawing.start = start
    repeats = start > 0 and all(_is_unique(drawing.table.by_property[k]) for k in drawing.table.key)
    for column in drawing.table.columns:
        if column.kind is Kind.STREAM or (repeats and not _is_unique(column)):
            continue
        cells = recipes.draw(drawing, column)
        if column.nulls:
            chance, nulls = drawing.rng.random, column.nulls
            cells = [None if chance() < nulls else cell for cell in cells]
        if not start:
            edges = drawing.pools.edges.get(column.values, [])[: drawing.count]
            cells[: len(edges)] = edges
        drawing.done[column.property_name] = cells
        if (kept := drawing.done.get(column.type_column)) is not None:
            pairs = zip(kept, cells, strict=True)
            drawing.done[column.type_column] = [kind if row else None for kind, row in pairs]
    rows = zip(*drawing.done.values(), strict=True)
    return Batch(drawing.table, list(drawing.done), rows, repeats)
