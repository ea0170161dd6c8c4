"""Resources: from the path of a URL to an entity set, a company, a row, or a stream."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sandbox.business_central import errors
from sandbox.business_central.conditions import Condition
from sandbox.business_central.csdl import API, COMPANY
from sandbox.business_central.queries import split
from sandbox.data.model import Kind
from sandbox.data.store import quoted
from sandbox.query import filters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.business_central.companies import Companies, Company
    from sandbox.business_central.csdl import Api, Shape
    from sandbox.data.store import Store

_SEGMENT = re.compile(r"([^\W\d]\w*)(?:\((.*)\))?", re.DOTALL)
_TEXT = re.compile(r"'((?:[^']|'')*)'")
# Characters of a key that links don't encode.
_BARE = "',=-"


@dataclass(frozen=True)
class Resource:
    """What a path names.

    Attributes:
        api: The API.
        shape: The entity set.
        company: The company; None for a set that is in no company.
        path: Path below the service root, as links and context URLs have it.
        where: SQL condition and parameters of the row, or of the rows of a parent.
        is_row: Whether a key names one row.
        is_of_parent: Whether the path leads through a parent.
        stream: Name of a stream of the row.
        counts: Whether the number of rows is asked for.
    """

    api: Api
    shape: Shape
    company: Company | None
    path: str
    where: tuple[str, tuple[Any, ...]] = ("1", ())
    is_row: bool = False
    is_of_parent: bool = False
    stream: str = ""
    counts: bool = False

    @property
    def company_id(self) -> str:
        """Id of the company, as the store has it."""
        return self.company.id if self.company else ""

    def condition(self) -> tuple[str, list[Any]]:
        """Return the SQL condition for the rows, with its parameters."""
        where, parameters = self.where
        return f"{quoted(COMPANY)} = ? AND {where}", [self.company_id, *parameters]


class Resources:
    """Finds resources.

    Args:
        store: The rows.
        companies: The companies.
    """

    def __init__(self, store: Store, companies: Companies) -> None:
        self.store = store
        self.companies = companies

    def find(self, api: Api, segments: Sequence[str], asked: str) -> Resource:
        """Return what a path names.

        Args:
            api: The API.
            segments: Decoded segments below the service root.
            asked: Id or name of the company in the query, or an empty string.

        Raises:
            ServiceError: There is no such resource.
        """
        rest, place, company = list(segments), "", None
        name, key = _parts(rest[0])
        if name == api.companies and key is not None and len(rest) > 1:
            company = self.companies.find(_company(key))
            place = f"{_in_path(api, company)}/"
            del rest[0]
            name, key = _parts(rest[0])
        shape = api.sets.get(name)
        if shape is None:
            raise errors.unknown_segment(name)
        if not shape.has_company:
            company = None
        elif company is None:
            company = self.companies.find(asked or self.companies.default)
        found = Resource(api, shape, company, f"{place}{name}")
        found = self._with_key(found, key)
        for segment in rest[1:]:
            found = self._below(found, segment)
        return found

    def _with_key(self, found: Resource, key: str | None) -> Resource:
        if key is None:
            return found
        where = self._key(found.api, found.shape, key)
        return replace(found, where=where, is_row=True, path=_with(found.path, key))

    def _key(self, api: Api, shape: Shape, key: str) -> tuple[str, tuple[Any, ...]]:
        """Return the SQL condition of a key, `id` or `Document_Type='Order',No='1001'`."""
        parts = split(key, ",")
        if len(parts) != len(shape.key):
            message = f"The number of keys of '{shape.table.name}' does not match."
            raise errors.bad_query(message)
        condition, wheres = Condition(api, shape), []
        for name, part in zip(shape.key, parts, strict=True):
            given, is_named, value = part.partition("=")
            if is_named and not part.startswith("'"):
                name, part = given.strip(), value.strip()  # noqa: PLW2901  - the named form
            wheres.append(condition.write(filters.parse(f"{name} eq {part}")))
        return " AND ".join(wheres), tuple(condition.parameters)

    def _below(self, found: Resource, segment: str) -> Resource:
        name, key = _parts(segment)
        if segment == "$count" and not found.is_row:
            return replace(found, counts=True)
        column = found.shape.table.by_property.get(name)
        if found.is_row and column is not None and column.kind is Kind.STREAM:
            return replace(found, stream=name)
        navigation = found.shape.navigations.get(name)
        shape = found.api.of_type(navigation.target) if navigation else None
        if navigation is None or shape is None or not navigation.pairs or not found.is_row:
            raise errors.unknown_segment(segment)
        values = self._values(found, navigation.pairs)
        wheres = [f"{quoted(other)} = ?" for _, other in navigation.pairs]
        below = Resource(
            found.api,
            shape,
            found.company if shape.has_company else None,
            f"{found.path}/{name}",
            (" AND ".join(wheres), values),
            is_row=not navigation.is_collection,
            is_of_parent=True,
        )
        if key is None:
            return below
        where, parameters = self._key(found.api, shape, key)
        both = (f"{below.where[0]} AND {where}", (*values, *parameters))
        return replace(below, where=both, is_row=True, path=_with(below.path, key))

    def _values(self, found: Resource, pairs: Sequence[tuple[str, str]]) -> tuple[Any, ...]:
        """Return the values of a row that the rows below it have."""
        where, parameters = found.condition()
        names = ", ".join(quoted(own) for own, _ in pairs)
        sql = f"SELECT {names} FROM {quoted(found.shape.table.name)} WHERE {where}"  # noqa: S608  - names of the model
        rows = self.store.select(sql, parameters)
        if not rows:
            raise errors.no_row()
        return tuple(cell.decode() if isinstance(cell, bytes) else cell for cell in rows[0])


def _company(key: str) -> str:
    """Return the id or the name in a key of a company."""
    name = _TEXT.fullmatch(key)
    if name is None and "'" in key:
        message = "Syntax error: an apostrophe in a text must be doubled."
        raise errors.bad_query(message)
    return name[1].replace("''", "'") if name else key


def _parts(segment: str) -> tuple[str, str | None]:
    """Return the name in a segment, and the key if it has one."""
    match = _SEGMENT.fullmatch(segment)
    if match is None:
        return segment, None
    return match[1], match[2]


def _with(path: str, key: str) -> str:
    """Return a path with a key, encoded as links have it."""
    return f"{path}({quote(key, safe=_BARE)})"


def _in_path(api: Api, company: Company) -> str:
    """Return a company in a path, as links have it."""
    if api.namespace == API:
        return f"companies({company.id})"
    name = quote(company.name.replace("'", "''"), safe="'")
    return f"Company('{name}')"
