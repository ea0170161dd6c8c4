"""Rows invented for a model: the same model, count and seed always give the same rows.

Values are made a column at a time, because drawing many values from a pool at once is what
makes a million rows affordable. Columns of a row that belong together (a name and its email
address, a city and its post code, a state and its reason) share the numbers they are drawn by.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.data import pools, recipes
from sandbox.data.drawing import Drawing, identifiers
from sandbox.data.model import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.data.model import Column, Model, Table

CHUNK = 50_000
FIRST_VERSION = 1_000_000
LARGEST_IMPORT = 6_000
SHARE_OF_IMPORTS = 0.02
# Recipes for what no other row has, and for what goes with time.
UNIQUE = frozenset({"key", "same_as_key", "version", "ticks", "modified", "created", "number"})
SPAN = int((pools.END - pools.START).total_seconds())


class Batch(NamedTuple):
    """Rows of one table.

    Attributes:
        columns: the names of the stored columns.
        repeats: whether the cells of all other columns are those of the table's first rows.
    """

    table: Table
    columns: list[str]
    rows: Iterator[tuple[Any, ...]]
    repeats: bool


def shares(model: Model, total: int, sizes: Mapping[str, int]) -> dict[str, int]:
    """How many rows each table gets.

    Args:
        model: the tables.
        total: how many rows there shall be together, but for
        sizes: tables with the number of rows they get in any case.
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
    """Rows for every table of the model, in batches.

    Args:
        model: the tables.
        rows: how many rows there shall be together.
        seed: what the rows follow from.
        sizes: as for `shares`.
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
    """When each row was last changed, rising; imports give many rows the same second."""
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
    """The rows, of which the first is the table's row number `start`.

    Only the first batch is invented whole: of the others, what makes a row the one it is.
    A million rows then cost hardly more than the first of them.
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
