"""Invented rows: the same model, count and seed always give the same rows.

A company and its copy have rows with the same ids and dates; a third company has rows of its own.
"""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING, Any

from sandbox.business_central import values
from sandbox.business_central.companies import ALL, COPY, MAIN, OWN, SYSTEM_VERSION
from sandbox.business_central.csdl import API, COMPANY, PARENT, WRITES
from sandbox.data import pools
from sandbox.data.model import ENGLISH, FIRST_VERSION, GERMAN
from sandbox.data.rows import Batch, shares

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.business_central.companies import Company
    from sandbox.business_central.csdl import CentralModel, Shape
    from sandbox.data.model import Column, Model

# Sets with one row in each company.
SINGLE = frozenset({"companyInformation", "generalLedgerSetup"})
CREATED = "2021-05-04T03:02:01.003"
# Columns that number the rows of a set.
NUMBERS = frozenset({"number", "entryNumber"})
# Length of the numbers and codes in keys.
DIGITS = 6


def known_rows(model: CentralModel) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of the sets that tell of companies, routes and definitions."""
    kinds = [(api.path, *api.path.split("/")[1:]) for api in model.apis if api.namespace == API]
    routes = [
        {"route": path.removeprefix("api/"), "version": rest[-1]}
        | ({"publisher": rest[0], "group": rest[1]} if len(rest) > 1 else {})
        for path, *rest in kinds
    ]
    return {
        "companies": [company_row(company) for company in ALL],
        "Company": [web_service_row(company) for company in ALL],
        "apicategoryroutes": routes,
        "entityDefinitions": [
            _definition(name, shape) for name, shape in model.apis[0].sets.items()
        ],
    }


def company_row(company: Company) -> dict[str, Any]:
    """Return the row of a company in the set `companies`."""
    stamps = {"systemCreatedAt": CREATED, "systemModifiedAt": CREATED}
    names = {"id": company.id, "name": company.name, "displayName": company.name}
    return {**names, "systemVersion": SYSTEM_VERSION, "timestamp": 20_101, **stamps}


def web_service_row(company: Company) -> dict[str, Any]:
    """Return the row of a company in the set `Company` of the OData web services."""
    return {
        "Name": company.name,
        "Display_Name": company.name,
        "Id": company.id,
        "Evaluation_Company": int(company.evaluation),
    }


def _definition(name: str, shape: Shape) -> dict[str, str]:
    """Return the row of an entity set in `entityDefinitions`, with captions in two languages."""
    fields = [
        {"name": each.property_name, "captions": _captions(each.property_name)}
        for each in shape.shown
    ]
    members = [
        {"name": option.label.english, "value": option.value, "captions": _captions(text)}
        for column in shape.shown
        for option in (column.options.options if column.options else ())
        if (text := option.label.english.replace("_x0020_", " ").replace("_x002D_", "-"))
    ]
    cells = {
        "entityCaptions": _captions(shape.table.schema_name),
        "entitySetCaptions": _captions(name),
        "properties": fields,
        "enumMembers": members,
    }
    plain = {"entityName": shape.table.schema_name, "entitySetName": name}
    return plain | {key: json.dumps(cell, separators=(",", ":")) for key, cell in cells.items()}


def _captions(name: str) -> list[dict[str, Any]]:
    """Return the captions of a name: its words, and in German the words with a mark."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z0-9])", " ", name).capitalize()
    return [
        {"languageCode": ENGLISH, "caption": words},
        {"languageCode": GERMAN, "caption": f"{words} (DE)"},
    ]


def invent(model: Model, rows: int, seed: int, sizes: Mapping[str, int]) -> Iterator[Batch]:
    """Invent rows for every entity set, in batches.

    Args:
        model: The entity sets.
        rows: Number of rows over all entity sets and companies.
        seed: Seed of the rows.
        sizes: Number of rows of entity sets with a given size.
    """
    central: CentralModel = model  # type: ignore[assignment]  # as `filling` makes it
    inventor = _Inventor(central, shares(model, rows, sizes), seed)
    version = FIRST_VERSION
    for table in model.tables:
        batch, count = inventor.batch(central.shape(table), version)
        version += count
        yield batch


class _Inventor:
    def __init__(self, model: CentralModel, counts: dict[str, int], seed: int) -> None:
        self.model = model
        self.seed = seed
        self.counts = counts
        self.known = known_rows(model)
        material = pools.make(random.Random(f"{seed}/pools"))  # noqa: S311  - repeatable by design
        self.values = values.Values(material, random.Random(f"{seed}/values"))  # noqa: S311  - as above
        self._ids: dict[str, list[str]] = {}

    def split(self, shape: Shape) -> tuple[int, int]:
        """Return the number of rows of the main company, and of the company with its own rows."""
        name = shape.table.name
        if name in SINGLE:
            return 1, len(ALL) - 2
        if not shape.has_company:
            return len(self.known.get(name, [])), 0
        count = self.counts[name]
        main = (2 * count + 4) // 5
        return main, max(count - 2 * main, 0)

    def ids(self, shape: Shape) -> list[str]:
        """Return the ids of the rows of a set: those of the main company, then the others."""
        name = shape.table.name
        if name not in self._ids:
            rng = random.Random(f"{self.seed}/{name}/ids")  # noqa: S311  - as above
            self._ids[name] = [values.guid(rng) for _ in range(sum(self.split(shape)))]
        return self._ids[name]

    def batch(self, shape: Shape, version: int) -> tuple[Batch, int]:
        """Return the rows of a set, and their number."""
        table, (main, own) = shape.table, self.split(shape)
        total = main + own
        rng = random.Random(f"{self.seed}/{table.name}")  # noqa: S311  - as above
        cells: dict[str, list[Any]] = {COMPANY: [""] * total}
        for column in table.columns:
            name = column.property_name
            if name in {COMPANY, WRITES} or column.edm_type == "Edm.Stream":
                continue
            cells[name] = self._column(shape, column, main, total, rng)
        for place, row in enumerate(self.known.get(table.name, [])):
            for name in cells.keys() & row.keys():
                cells[name][place] = row[name]
        if table.name in SINGLE:
            cells[COMPANY] = [each.id for each in ALL if each is not COPY]
        elif shape.has_company:
            cells[COMPANY] = [MAIN.id] * main + [OWN.id] * own
        rows = list(zip(*cells.values(), strict=True))
        if shape.has_company:
            whole = min(main, self.counts[table.name] - main) if table.name not in SINGLE else 1
            rows += [(COPY.id, *row[1:]) for row in rows[:whole]]
        versions = range(version, version + len(rows))
        columns = [*cells, WRITES]
        if stamped := [c.property_name for c in table.columns if c.values == "version"]:
            at = columns.index(stamped[0])
            rows = [(*r[:at], v, *r[at + 1 :]) for r, v in zip(rows, versions, strict=True)]
        made = ((*row, number) for row, number in zip(rows, versions, strict=True))
        return Batch(table, columns, made, repeats=False), len(rows)

    def _column(
        self, shape: Shape, column: Column, main: int, total: int, rng: random.Random
    ) -> list[Any]:
        name = column.property_name
        parents = self._parents(shape, name)
        if name == shape.key[0] and column.edm_type == "Edm.Guid":
            return self._own_ids(shape, parents, main, total)
        if parents and total:
            return [self._parent(parents, row, row >= main, rng) for row in range(total)]
        if shape.table.name in self.known:
            return [values.blank(column)] * total
        if name in shape.key or name in NUMBERS:
            return [_part_of_key(column, row) for row in range(total)]
        return self.values.draw(column, total, rng)

    def _parents(self, shape: Shape, name: str) -> list[Shape]:
        """Return the sets whose ids a column has."""
        api = self.model.api_of(shape.table)
        if name == PARENT:
            own = shape.table.schema_name
            return [
                each
                for each in api.sets.values()
                if any(
                    navigation.target == own and navigation.pairs[:1] == ((each.key[0], PARENT),)
                    for navigation in each.navigations.values()
                )
            ]
        found = [
            api.of_type(each.target)
            for each in shape.navigations.values()
            if not each.is_collection and each.pairs[:1] == ((name, "id"),)
        ]
        return [each for each in found if each and each is not shape and each.has_company]

    def _own_ids(self, shape: Shape, parents: list[Shape], main: int, total: int) -> list[str]:
        """Return the ids of a set's rows; a picture has the id of what it shows."""
        own = self.ids(shape)
        if shape.table.name != "pictures" or not parents:
            return own
        shown, (first, _) = self.ids(parents[0]), self.split(parents[0])
        in_main, in_own = shown[:first][:main], shown[first:][: total - main]
        return [*in_main, *own[len(in_main) : main], *in_own, *own[main + len(in_own) : total]]

    def _parent(self, parents: list[Shape], row: int, is_own: bool, rng: random.Random) -> str:  # noqa: FBT001  - part of the place
        parent = parents[row % len(parents)]
        found, (main, _) = self.ids(parent), self.split(parent)
        reached = found[main:] if is_own else found[:main]
        return rng.choice(reached) if reached else values.NO_GUID


def _part_of_key(  # noqa: PLR0911  - a rule for each type
    column: Column, row: int
) -> Any:  # noqa: ANN401  - a cell
    """Return the part of a key in a row; each part but options is unique."""
    if column.options:
        members = column.options.options
        return members[row % len(members)].label.english
    if column.property_name == "Document_Type":
        return ("Order", "Quote")[row % 2]
    if column.edm_type == "Edm.Guid":
        return values.guid(random.Random(f"{column.property_name}/{row}"))  # noqa: S311  - repeatable
    if column.edm_type in {"Edm.Int32", "Edm.Int64"}:
        return row + 1
    if column.edm_type == "Edm.Decimal":
        return str(row + 1)
    if column.edm_type == "Edm.Date":
        return pools.moment(row * 86_400)[:10]
    if column.edm_type == "Edm.DateTimeOffset":
        return pools.moment(row)
    if column.edm_type == "Edm.Boolean":
        return row % 2
    digits = min(DIGITS, column.max_length or DIGITS)
    return f"{row + 1:0{digits}d}"
