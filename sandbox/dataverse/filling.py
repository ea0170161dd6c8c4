"""Filled stores, of which a process that forks keeps those that it fills for others.

To invent the rows of a sandbox takes most of its start. `keep` does it once in a process that forks
for each sandbox; `filled` in the forked process then begins with a copy of the database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.data.store import Snapshot, Store
from sandbox.dataverse.organisation import MODEL
from sandbox.metadata import csdl
from sandbox.query import rendering

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.data.model import Model

# More than some tens of megabytes are not kept.
MOST_KEPT = 20_000


class UnknownTableError(ValueError):
    """Rows are asked for of a table that the model has not."""


@dataclass(frozen=True)
class Contents:
    """What a store is filled with.

    Attributes:
        rows: how many over all tables.
        seed: what they follow from.
        csdl: a document that describes the tables, in place of the sandbox's own organisation.
        sizes: how many rows a table gets, whatever its share.
    """

    rows: int
    seed: int
    csdl: Path | None = None
    sizes: tuple[tuple[str, int], ...] = ()
    _written: int = field(init=False)

    def __post_init__(self) -> None:
        """Tell a document from another that was under its path before."""
        object.__setattr__(self, "_written", self.csdl.stat().st_mtime_ns if self.csdl else 0)


_kept: dict[Contents, tuple[Model, Snapshot]] = {}


def filled(contents: Contents) -> Store:
    """A store with its rows.

    Raises:
        UnknownTableError: a size is given for a table that there is not.
    """
    if contents in _kept:
        model, snapshot = _kept[contents]
        return Store(model, rendering.add_functions, snapshot)
    model = csdl.read(contents.csdl) if contents.csdl else MODEL
    sizes = dict(contents.sizes)
    if unknown := sizes.keys() - model.by_name.keys():
        message = f"There is no table {min(unknown)!r}."
        raise UnknownTableError(message)
    store = Store(model, rendering.add_functions)
    try:
        store.fill(contents.rows, contents.seed, sizes)
    except BaseException:
        store.close()
        raise
    return store


def keep(contents: Contents) -> None:
    """Have this process, and those forked from it, copy a store in place of filling it."""
    if contents in _kept or contents.rows + sum(dict(contents.sizes).values()) > MOST_KEPT:
        return
    store = filled(contents)
    try:
        _kept[contents] = store.model, store.snapshot()
    finally:
        store.close()
