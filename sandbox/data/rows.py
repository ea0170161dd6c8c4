"""Rows invented for a model: the same model, count and seed always give the same rows.

Values are made a column at a time, because drawing many values from a pool at once is what
makes a million rows affordable. Columns of a row that belong together (a name and its email
address, a city and its post code, a state and its reason) share the numbers they are drawn by.
"""

from __future__ import annotations

import json
import random
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.data import pools
from sandbox.data.model import EXACT_TEXT, INTEGERS, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sandbox.data.model import Column, Model, Table

Cells = list[Any]
CHUNK = 50_000
FIRST_VERSION = 1_000_000
LARGEST_IMPORT = 6_000
SHARE_OF_IMPORTS = 0.02
# Recipes for what no other row has, and for what goes with time.
UNIQUE = frozenset({"key", "same_as_key", "version", "ticks", "modified", "created", "number"})
NUMBERS = INTEGERS | EXACT_TEXT
SPAN = int((pools.END - pools.START).total_seconds())
ENTITY_NAMES = ("account", "contact", "opportunity", "lead")


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


def type_column(column: Column) -> str:
    """Where the store keeps which table a polymorphic lookup points at."""
    return f"{column.property_name}@type"


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
        name: _identifiers(random.Random(f"{seed}/{name}/ids"), count)  # noqa: S311  - as above
        for name, count in counts.items()
    }
    version = FIRST_VERSION
    for name, count in counts.items():
        table = model.by_name[name]
        rng = random.Random(f"{seed}/{name}")  # noqa: S311  - as above
        moments = _moments(rng, count)
        for start in range(0, count, CHUNK):
            part = slice(start, min(start + CHUNK, count))
            drawing = _Drawing(table, rng, material, ids, ids[name][part], moments[part], version)
            version += len(drawing.ids)
            yield drawing.batch(start)


def _identifiers(rng: random.Random, count: int) -> list[str]:
    """GUIDs of the kind that SQL Server hands out one after another, in random order."""
    result = []
    for _ in range(count):
        bits = f"{rng.getrandbits(80):020x}"
        result.append(f"{bits[:8]}-{bits[8:12]}-ee11-9{bits[12:14]}0-000d3a{bits[14:20]}")
    return result


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


class _Drawing:
    """One batch in the making."""

    def __init__(  # noqa: PLR0913, PLR0917  - what the rows of a batch are drawn from
        self,
        table: Table,
        rng: random.Random,
        material: pools.Pools,
        all_ids: dict[str, list[str]],
        ids: list[str],
        moments: list[int],
        version: int,
    ) -> None:
        self.table = table
        self.rng = rng
        self.pools = material
        self.all_ids = all_ids
        self.ids = ids
        self.moments = moments
        self.version = version
        self.start = 0
        self.count = len(ids)
        self.groups: dict[str, Sequence[Any]] = {}
        self.done: dict[str, Cells] = {}

    def batch(self, start: int) -> Batch:
        """The rows, of which the first is the table's row number `start`.

        Only the first batch is invented whole: of the others, what makes a row the one it is.
        A million rows then cost hardly more than the first of them.
        """
        self.start = start
        repeats = start > 0 and all(_is_unique(self.table.by_property[k]) for k in self.table.key)
        for column in self.table.columns:
            if column.kind is Kind.STREAM or (repeats and not _is_unique(column)):
                continue
            cells = self._cells(column)
            if column.nulls:
                chance, nulls = self.rng.random, column.nulls
                cells = [None if chance() < nulls else cell for cell in cells]
            if not start:
                edges = self.pools.edges.get(column.values, [])[: self.count]
                cells[: len(edges)] = edges
            self.done[column.property_name] = cells
            if (kept := self.done.get(type_column(column))) is not None:
                pairs = zip(kept, cells, strict=True)
                self.done[type_column(column)] = [kind if row else None for kind, row in pairs]
        rows = zip(*self.done.values(), strict=True)
        return Batch(self.table, list(self.done), rows, repeats)

    def _group(self, name: str, pool: Sequence[Any]) -> Sequence[Any]:
        if name not in self.groups:
            self.groups[name] = self.rng.choices(pool, k=self.count)
        return self.groups[name]

    def _cells(self, column: Column) -> Cells:
        recipe, _, rest = column.values.partition(":")
        make: Callable[[Column, str], Cells] | None = getattr(self, f"_make_{recipe}", None)
        if make:
            return make(column, rest)
        if recipe in self.pools.plain:
            return self.rng.choices(self.pools.plain[recipe], k=self.count)
        for group, pool in (
            ("people", self.pools.people),
            ("companies", self.pools.companies),
            ("places", self.pools.places),
        ):
            if hasattr(pool[0], recipe):
                rows = self._group(group + column.name[:8] * (group == "places"), pool)
                return [getattr(row, recipe) for row in rows]
        message = f"{self.table.name}.{column.name}: nobody knows how to make {column.values!r}"
        raise ValueError(message)

    def _make_key(self, column: Column, rest: str) -> Cells:
        if column.edm_type == "Edm.Guid":
            return list(self.ids)
        # Part of a composite key: all but the last part repeat.
        every = 2 ** int(rest or 0)
        numbers = [n // every for n in range(self.start, self.start + self.count)]
        if column.edm_type == "Edm.String":
            return [f"{column.name[:4].upper()}-{n:06d}" for n in numbers]
        return list(numbers)

    def _make_same_as_key(self, _column: Column, _rest: str) -> Cells:
        return list(self.ids)

    def _make_twins(self, _column: Column, _rest: str) -> Cells:
        """Ids of which some are those of the row before, too: in another partition."""
        return [self.ids[n - n % 2 * (n % 4 < 2)] for n in range(self.count)]  # noqa: PLR2004  - two of four rows

    def _make_partition(self, _column: Column, _rest: str) -> Cells:
        """A device for most rows; the others are alone in a partition of their own id."""
        return [
            f"Device-ABC-{1000 + n * 7 % 10}" if n % 5 else self.ids[n] for n in range(self.count)
        ]

    def _make_ticks(self, _column: Column, _rest: str) -> Cells:
        at = (pools.ticks(pools.START + timedelta(seconds=second)) for second in self.moments)
        return [start + 1_117 * (self.start + n) + 799 for n, start in enumerate(at)]

    def _make_never(self, _column: Column, _rest: str) -> Cells:
        return ["1900-01-01T00:00:00"] * self.count

    def _make_nothing(self, _column: Column, _rest: str) -> Cells:
        return ["00000000-0000-0000-0000-000000000000"] * self.count

    def _make_managed(self, _column: Column, name: str) -> Cells:
        pool = [
            f'{{"Value":{value},"CanBeChanged":{value},"ManagedPropertyLogicalName":"{name}"}}'
            for value in ("true", "false")
        ]
        return self.rng.choices(pool, k=self.count)

    def _make_own_name(self, _column: Column, _rest: str) -> Cells:
        return [self.table.name] * self.count

    def _make_table(self, _column: Column, _rest: str) -> Cells:
        return self.rng.choices(ENTITY_NAMES, k=self.count)

    def _make_version(self, _column: Column, _rest: str) -> Cells:
        return list(range(self.version, self.version + self.count))

    def _make_modified(self, _column: Column, fraction: str) -> Cells:
        return [pools.moment(second) + fraction for second in self.moments]

    def _make_created(self, _column: Column, fraction: str) -> Cells:
        if "modifiedon" not in self.table.by_property:
            return self._make_modified(_column, fraction)
        chance = self.rng.random
        return [pools.moment(int(second * min(1.0, chance() * 1.4))) for second in self.moments]

    def _make_guid(self, _column: Column, _rest: str) -> Cells:
        return list(_identifiers(self.rng, self.count))

    def _make_ids(self, _column: Column, target: str) -> Cells:
        pool = self.all_ids.get(target)
        return list(self.rng.choices(pool, k=self.count)) if pool else [None] * self.count

    def _make_lookup(self, column: Column, _rest: str) -> Cells:
        targets = [target for target in column.targets if self.all_ids.get(target)]
        if column.name == "transactioncurrencyid" and targets:
            pool = self.all_ids[targets[0]]
            currencies = self._group("currency", range(len(pools.CURRENCIES)))
            return [pool[number % len(pool)] for number in currencies]
        if not column.is_polymorphic:
            return self._make_ids(column, targets[0] if targets else "")
        if not targets:
            self.done[type_column(column)] = [None] * self.count
            return [None] * self.count
        pairs = [
            (target, row)
            for target in targets
            for row in self.rng.choices(self.all_ids[target], k=max(1, self.count // len(targets)))
        ]
        drawn = self.rng.choices(pairs, k=self.count)
        self.done[type_column(column)] = [target for target, _ in drawn]
        return [row for _, row in drawn]

    def _make_rate(self, _column: Column, _rest: str) -> Cells:
        numbers = self._group("currency", range(len(pools.CURRENCIES)))
        return [pools.CURRENCIES[number].currency_rate for number in numbers]

    def _currency(self, name: str) -> Cells:
        rows = [pools.CURRENCIES[n % len(pools.CURRENCIES)] for n in range(self.count)]
        return [getattr(row, name) for row in rows]

    def _make_currency_name(self, _column: Column, _rest: str) -> Cells:
        return self._currency("currency_name")

    def _make_currency_code(self, _column: Column, _rest: str) -> Cells:
        return self._currency("currency_code")

    def _make_currency_symbol(self, _column: Column, _rest: str) -> Cells:
        return self._currency("currency_symbol")

    def _make_currency_rate(self, _column: Column, _rest: str) -> Cells:
        return self._currency("currency_rate")

    def _make_base(self, column: Column, amount: str) -> Cells:
        known: dict[tuple[str, str], str] = {}
        rates = self._make_rate(column, "")
        result: Cells = []
        for value, rate in zip(self.done[amount], rates, strict=True):
            if value is None:
                result.append(None)
                continue
            pair = (value, rate)
            if pair not in known:
                known[pair] = f"{Decimal(value) / Decimal(rate):.{column.scale}f}"
            result.append(known[pair])
        return result

    def _make_computed(self, column: Column, _rest: str) -> Cells:
        pool = [f"{Decimal(amount):.{column.scale}f}" for amount in self.pools.plain["money"][:500]]
        return self.rng.choices(pool, k=self.count)

    def _make_composite(self, _column: Column, address: str) -> Cells:
        names = ("line1", "postalcode", "city", "country")
        parts = zip(*(self.done[f"{address}_{name}"] for name in names), strict=True)
        return ["\r\n".join(filter(None, each)) or None for each in parts]

    def _make_number(self, _column: Column, prefix: str) -> Cells:
        return [f"{prefix}{n:07d}" for n in range(self.start + 1, self.start + self.count + 1)]

    def _make_integer(self, _column: Column, limits: str) -> Cells:
        low, high = (int(limit) for limit in limits.split(":"))
        return self.rng.choices(range(low, high + 1), k=self.count)

    def _make_big(self, _column: Column, _rest: str) -> Cells:
        pool = [2**53 + self.rng.getrandbits(62) for _ in range(500)]
        return self.rng.choices(pool, k=self.count)

    def _make_decimal(self, column: Column, limits: str) -> Cells:
        low, high = (int(limit) for limit in limits.split(":"))
        scale = column.scale or 2
        pool = [f"{Decimal(str(self.rng.uniform(low, high))):.{scale}f}" for _ in range(2000)]
        return self.rng.choices(pool, k=self.count)

    def _make_double(self, _column: Column, limits: str) -> Cells:
        low, high = (int(limit) for limit in limits.split(":"))
        pool = [repr(round(self.rng.uniform(low, high), 5)) for _ in range(2000)]
        return self.rng.choices(pool, k=self.count)

    def _make_boolean(self, _column: Column, _rest: str) -> Cells:
        return self.rng.choices((0, 1, 0), k=self.count)

    def _make_option(self, column: Column, _rest: str) -> Cells:
        options = column.options.options if column.options else ()
        return self.rng.choices([option.value for option in options], k=self.count)

    def _make_options(self, column: Column, _rest: str) -> Cells:
        values = [option.value for option in column.options.options] if column.options else []
        pool = [
            ",".join(
                str(value) for value in sorted(self.rng.sample(values, k=self.rng.randint(1, 4)))
            )
            for _ in range(300)
        ]
        return self.rng.choices(pool, k=self.count)

    def _statuses(self) -> Sequence[Any]:
        options = self.table.by_property["statuscode"].options
        return self._group("status", options.options if options else ())

    def _make_state(self, _column: Column, _rest: str) -> Cells:
        return [option.state for option in self._statuses()]

    def _make_status(self, _column: Column, _rest: str) -> Cells:
        return [option.value for option in self._statuses()]

    def _make_member(self, column: Column, _rest: str) -> Cells:
        return self.rng.choices(column.members, k=self.count)

    def _make_structure(self, column: Column, _rest: str) -> Cells:
        pool = [json.dumps(self._structure(column), ensure_ascii=False) for _ in range(50)]
        return self.rng.choices(pool, k=self.count)

    def _structure(self, column: Column) -> object:
        if column.is_collection:
            return [self._member(column) for _ in range(self.rng.randint(0, 3))]
        return self._member(column)

    def _member(self, column: Column) -> object:
        if column.fields:
            return {field.name: self._structure(field) for field in column.fields}
        if column.members:
            return self.rng.choice(column.members)
        inner = column.edm_type.removeprefix("Collection(").rstrip(")")
        if inner == "Edm.Boolean":
            return self.rng.random() < 0.5  # noqa: PLR2004  - as often true as false
        if inner in NUMBERS:
            return self.rng.randrange(100)
        return self.rng.choice(self.pools.plain["words"])
