"""Filled stores, cached in a process that forks sandboxes.

Inventing the rows takes most of a sandbox's start. `keep` invents rows once in the process that
forks; `filled` in the forked process copies the database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from sandbox.data.store import Snapshot, Store

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from sandbox.data.model import Model
    from sandbox.data.rows import Batch

# Largest number of rows to cache: some tens of megabytes.
MOST_KEPT = 30_000


class UnknownTableError(ValueError):
    """A number of rows is given for a table that does not exist."""


class Source(NamedTuple):
    """Where the contents of a service's store come from.

    Attributes:
        model: Returns the data model; given a CSDL document, the model of the document.
        invent: Invents rows for a model: number of rows over all tables, seed, and number of rows
            of tables with a given size.
        prepare: Adds functions and collations to a connection.
    """

    model: Callable[[Path | None], Model]
    invent: Callable[[Model, int, int, Mapping[str, int]], Iterator[Batch]]
    prepare: Callable[[sqlite3.Connection], None]


@dataclass(frozen=True)
class Contents:
    """Contents of a store.

    Attributes:
        source: Where the contents come from.
        rows: Number of rows over all tables.
        seed: Seed of the rows.
        csdl: CSDL document with the tables, in place of the sandbox's own model.
        sizes: Number of rows by table, whatever the table's share.
    """

    source: Source
    rows: int
    seed: int
    csdl: Path | None = None
    sizes: tuple[tuple[str, int], ...] = ()
    _written: int = field(init=False)

    def __post_init__(self) -> None:
        """Distinguish a document from an earlier one at the same path."""
        object.__setattr__(self, "_written", self.csdl.stat().st_mtime_ns if self.csdl else 0)


_kept: dict[Contents, tuple[Model, Snapshot]] = {}


def filled(contents: Contents) -> Store:
    """Return a store with its rows.

    Raises:
        UnknownTableError: A number of rows is given for a table that does not exist.
    """
    source = contents.source
    if contents in _kept:
        model, snapshot = _kept[contents]
        return Store(model, source.prepare, snapshot)
    model = source.model(contents.csdl)
    sizes = dict(contents.sizes)
    if unknown := sizes.keys() - model.by_name.keys():
        message = f"There is no table {min(unknown)!r}."
        raise UnknownTableError(message)
    store = Store(model, source.prepare)
    try:
        store.fill(source.invent(model, contents.rows, contents.seed, sizes))
    except BaseException:
        store.close()
        raise
    return store


def keep(contents: Contents) -> None:
    """Cache a filled store for this process and the processes that are forked from it."""
    if contents in _kept or contents.rows + sum(dict(contents.sizes).values()) > MOST_KEPT:
        return
    store = filled(contents)
    try:
        _kept[contents] = store.model, store.snapshot()
    finally:
        store.close()
