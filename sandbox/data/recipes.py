"""Recipes: how the values of a column are drawn.

A column names its recipe in `Column.values`, with an argument after a colon: `integer:0:255`.
"""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.data import pools
from sandbox.data.drawing import Cells, identifiers
from sandbox.data.model import EXACT_TEXT, INTEGERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sandbox.data.drawing import Drawing
    from sandbox.data.model import Column

    Recipe = Callable[[Drawing, Column, str], Cells]

NUMBERS = INTEGERS | EXACT_TEXT
ENTITY_NAMES = ("account", "contact", "opportunity", "lead")
_RECIPES: dict[str, Recipe] = {}


def draw(drawing: Drawing, column: Column) -> Cells:
    """Draw the values of a column.

    Args:
        drawing: The batch that the values belong to.
        column: The column.

    Raises:
        ValueError: The recipe of the column is unknown.
    """
    recipe, _, rest = column.values.partition(":")
    if make := _RECIPES.get(recipe):
        return make(drawing, column, rest)
    if recipe in drawing.pools.plain:
        return drawing.rng.choices(drawing.pools.plain[recipe], k=drawing.count)
    for group, pool in (
        ("people", drawing.pools.people),
        ("companies", drawing.pools.companies),
        ("places", drawing.pools.places),
    ):
        if hasattr(pool[0], recipe):
            # A row can have several addresses, each of one place.
            rows = drawing.group(group + column.name[:8] * (group == "places"), pool)
            return [getattr(row, recipe) for row in rows]
    message = f"{drawing.table.name}.{column.name} has the unknown recipe {column.values!r}"
    raise ValueError(message)


def _recipe(function: Recipe) -> Recipe:
    """Register a recipe under the name of its function."""
    _RECIPES[function.__name__.lstrip("_")] = function
    return function


@_recipe
def _key(drawing: Drawing, column: Column, rest: str) -> Cells:
    if column.edm_type == "Edm.Guid":
        return list(drawing.ids)
    # Part of a composite key: all parts but the last one repeat.
    every = 2 ** int(rest or 0)
    numbers = [n // every for n in range(drawing.start, drawing.start + drawing.count)]
    if column.edm_type == "Edm.String":
        return [f"{column.name[:4].upper()}-{n:06d}" for n in numbers]
    return list(numbers)


@_recipe
def _same_as_key(drawing: Drawing, _column: Column, _rest: str) -> Cells:
    return list(drawing.ids)


@_recipe
def _twins(drawing: Drawing, _column: Column, _rest: str) -> Cells:
    """Return ids of which some repeat the id of the row before, in another partition."""
    return [drawing.ids[n - n % 2 * (n % 4 < 2)] for n in range(drawing.count)]  # noqa: PLR2004  - two of four rows


@_recipe
def _partition(drawing: Drawing, _column: Column, _rest: str) -> Cells:
    """Return a device for most rows; the others are alone in a partition with their own id."""
    return [
        f"Device-ABC-{1000 + n * 7 % 10}" if n % 5 else drawing.ids[n] for n in range(drawing.count)
    ]


@_recipe
def _ticks(drawing: Drawing, _column: Column, _rest: str) -> Cells:
    at = (pools.ticks(pools.START + timedelta(seconds=second)) for second in drawing.moments)
    return [start + 1_117 * (drawing.start + n) + 799 for n, start in enumerate(at)]


@_recipe
def _never(drawing: Drawing, _column: Column, _rest: str) -> Cells:
    return ["1900-01-01T00:00:00"] * drawing.count


@_recipe
def _nothing(drawing: Drawing, _column: Column, _rest: str) -> Cells:
    return ["00000000-0000-0000-0000-000000000000"] * drawing.count


@_recipe
def _managed(drawing: Drawing, _column: Column, name: str) -> Cells:
    pool = [
        f'{{"Value":{value},"CanBeChanged":{value},"ManagedPropertyLogicalName":"{name}"}}'
        for value in ("true", "false")
    ]
    return drawing.rng.choices(pool, k=drawing.count)


@_recipe
def _own_name(drawing: Drawing, _column: Column, _rest: str) -> Cells:
    return [drawing.table.name] * drawing.count


@_recipe
def _table(drawing: Drawing, _column: Column, _rest: str) -> Cells:
    return drawing.rng.choices(ENTITY_NAMES, k=drawing.count)


@_recipe
def _version(drawing: Drawing, _column: Column, _rest: str) -> Cells:
    return list(range(drawing.version, drawing.version + drawing.count))


@_recipe
def _modified(drawing: Drawing, _column: Column, fraction: str) -> Cells:
    return [pools.moment(second) + fraction for second in drawing.moments]


@_recipe
def _created(drawing: Drawing, _column: Column, fraction: str) -> Cells:
    if "modifiedon" not in drawing.table.by_property:
        return _modified(drawing, _column, fraction)
    chance = drawing.rng.random
    return [pools.moment(int(second * min(1.0, chance() * 1.4))) for second in drawing.moments]


@_recipe
def _guid(drawing: Drawing, _column: Column, _rest: str) -> Cells:
    return list(identifiers(drawing.rng, drawing.count))


@_recipe
def _ids(drawing: Drawing, _column: Column, target: str) -> Cells:
    pool = drawing.all_ids.get(target)
    return list(drawing.rng.choices(pool, k=drawing.count)) if pool else [None] * drawing.count


@_recipe
def _lookup(drawing: Drawing, column: Column, _rest: str) -> Cells:
    targets = [target for target in column.targets if drawing.all_ids.get(target)]
    if column.name == "transactioncurrencyid" and targets:
        pool = drawing.all_ids[targets[0]]
        currencies = drawing.group("currency", range(len(pools.CURRENCIES)))
        return [pool[number % len(pool)] for number in currencies]
    if not column.is_polymorphic:
        return _ids(drawing, column, targets[0] if targets else "")
    if not targets:
        drawing.done[column.type_column] = [None] * drawing.count
        return [None] * drawing.count
    pairs = [
        (target, row)
        for target in targets
        for row in drawing.rng.choices(
            drawing.all_ids[target], k=max(1, drawing.count // len(targets))
        )
    ]
    drawn = drawing.rng.choices(pairs, k=drawing.count)
    drawing.done[column.type_column] = [target for target, _ in drawn]
    return [row for _, row in drawn]


@_recipe
def _rate(drawing: Drawing, _column: Column, _rest: str) -> Cells:
    numbers = drawing.group("currency", range(len(pools.CURRENCIES)))
    return [pools.CURRENCIES[number].currency_rate for number in numbers]


def _currency(drawing: Drawing, name: str) -> Cells:
    rows = [pools.CURRENCIES[n % len(pools.CURRENCIES)] for n in range(drawing.count)]
    return [getattr(row, name) for row in rows]


@_recipe
def _currency_name(drawing: Drawing, _column: Column, _rest: str) -> Cells:
    return _currency(drawing, "currency_name")


@_recipe
def _currency_code(drawing: Drawing, _column: Column, _rest: str) -> Cells:
    return _currency(drawing, "currency_code")


@_recipe
def _currency_symbol(drawing: Drawing, _column: Column, _rest: str) -> Cells:
    return _currency(drawing, "currency_symbol")


@_recipe
def _currency_rate(drawing: Drawing, _column: Column, _rest: str) -> Cells:
    return _currency(drawing, "currency_rate")


@_recipe
def _base(drawing: Drawing, column: Column, amount: str) -> Cells:
    known: dict[tuple[str, str], str] = {}
    rates = _rate(drawing, column, "")
    result: Cells = []
    for value, rate in zip(drawing.done[amount], rates, strict=True):
        if value is None:
            result.append(None)
            continue
        pair = (value, rate)
        if pair not in known:
            known[pair] = f"{Decimal(value) / Decimal(rate):.{column.scale}f}"
        result.append(known[pair])
    return result


@_recipe
def _computed(drawing: Drawing, column: Column, _rest: str) -> Cells:
    pool = [f"{Decimal(amount):.{column.scale}f}" for amount in drawing.pools.plain["money"][:500]]
    return drawing.rng.choices(pool, k=drawing.count)


@_recipe
def _composite(drawing: Drawing, _column: Column, address: str) -> Cells:
    names = ("line1", "postalcode", "city", "country")
    parts = zip(*(drawing.done[f"{address}_{name}"] for name in names), strict=True)
    return ["\r\n".join(filter(None, each)) or None for each in parts]


@_recipe
def _number(drawing: Drawing, _column: Column, prefix: str) -> Cells:
    return [f"{prefix}{n:07d}" for n in range(drawing.start + 1, drawing.start + drawing.count + 1)]


@_recipe
def _integer(drawing: Drawing, _column: Column, limits: str) -> Cells:
    low, high = (int(limit) for limit in limits.split(":"))
    return drawing.rng.choices(range(low, high + 1), k=drawing.count)


@_recipe
def _big(drawing: Drawing, _column: Column, _rest: str) -> Cells:
    pool = [2**53 + drawing.rng.getrandbits(62) for _ in range(500)]
    return drawing.rng.choices(pool, k=drawing.count)


@_recipe
def _decimal(drawing: Drawing, column: Column, limits: str) -> Cells:
    low, high = (int(limit) for limit in limits.split(":"))
    scale = column.scale or 2
    pool = [f"{Decimal(str(drawing.rng.uniform(low, high))):.{scale}f}" for _ in range(2000)]
    return drawing.rng.choices(pool, k=drawing.count)


@_recipe
def _double(drawing: Drawing, _column: Column, limits: str) -> Cells:
    low, high = (int(limit) for limit in limits.split(":"))
    pool = [repr(round(drawing.rng.uniform(low, high), 5)) for _ in range(2000)]
    return drawing.rng.choices(pool, k=drawing.count)


@_recipe
def _boolean(drawing: Drawing, _column: Column, _rest: str) -> Cells:
    return drawing.rng.choices((0, 1, 0), k=drawing.count)


@_recipe
def _option(drawing: Drawing, column: Column, _rest: str) -> Cells:
    options = column.options.options if column.options else ()
    return drawing.rng.choices([option.value for option in options], k=drawing.count)


@_recipe
def _options(drawing: Drawing, column: Column, _rest: str) -> Cells:
    values = [option.value for option in column.options.options] if column.options else []
    pool = [
        ",".join(
            str(value) for value in sorted(drawing.rng.sample(values, k=drawing.rng.randint(1, 4)))
        )
        for _ in range(300)
    ]
    return drawing.rng.choices(pool, k=drawing.count)


def _statuses(drawing: Drawing) -> Sequence[Any]:
    options = drawing.table.by_property["statuscode"].options
    return drawing.group("status", options.options if options else ())


@_recipe
def _state(drawing: Drawing, _column: Column, _rest: str) -> Cells:
    return [option.state for option in _statuses(drawing)]


@_recipe
def _status(drawing: Drawing, _column: Column, _rest: str) -> Cells:
    return [option.value for option in _statuses(drawing)]


@_recipe
def _member(drawing: Drawing, column: Column, _rest: str) -> Cells:
    return drawing.rng.choices(column.members, k=drawing.count)


@_recipe
def _structure(drawing: Drawing, column: Column, _rest: str) -> Cells:
    pool = [json.dumps(_object(drawing, column), ensure_ascii=False) for _ in range(50)]
    return drawing.rng.choices(pool, k=drawing.count)


def _object(drawing: Drawing, column: Column) -> object:
    if column.is_collection:
        return [_value(drawing, column) for _ in range(drawing.rng.randint(0, 3))]
    return _value(drawing, column)


def _value(drawing: Drawing, column: Column) -> object:
    if column.fields:
        return {field.name: _object(drawing, field) for field in column.fields}
    if column.members:
        return drawing.rng.choice(column.members)
    inner = column.edm_type.removeprefix("Collection(").rstrip(")")
    if inner == "Edm.Boolean":
        return drawing.rng.random() < 0.5  # noqa: PLR2004  - as often true as false
    if inner in NUMBERS:
        return drawing.rng.randrange(100)
    return drawing.rng.choice(drawing.pools.plain["words"])
