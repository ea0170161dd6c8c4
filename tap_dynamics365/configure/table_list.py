"""Table list: the tables of the service with what is known of each, and which are chosen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_dynamics365.services.describe import describe
from tap_dynamics365.singer import overview

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tap_dynamics365.services.describe import Described
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.settings import Settings


class View(NamedTuple):
    """Which tables the list shows.

    Attributes:
        text: A part of their names or labels, or of those of a column; empty for all.
        which: `all`, `chosen`, `custom` or `tracked`.
    """

    text: str = ""
    which: str = "all"


@dataclass
class TableList:
    """The tables of a service.

    Attributes:
        described: The tables by name.
        lines: What is known of each table, by name.
        chosen: The names of the tables that are chosen.
        left_out: The columns that are left out, by table.
    """

    described: Mapping[str, Described] = field(repr=False)
    lines: Mapping[str, Mapping[str, Any]] = field(repr=False)
    chosen: set[str] = field(default_factory=set)
    left_out: dict[str, frozenset[str]] = field(default_factory=dict)

    def shown(self, view: View) -> list[str]:
        """Name the tables that the list shows.

        Args:
            view: Which ones.
        """
        text = view.text.strip().lower()
        return [
            name
            for name in self.lines
            if self._is_one_of(name, view.which) and (not text or self._has(name, text))
        ]

    def _is_one_of(self, name: str, which: str) -> bool:
        match which:
            case "chosen":
                return name in self.chosen
            case "custom":
                definition = self.described[name].definition
                return definition is not None and definition.custom
            case "tracked":
                return self.described[name].table.tracked
            case _:
                return True

    def _has(self, name: str, text: str) -> bool:
        """Tell whether a text is in the names or labels of a table or of its columns."""
        table, definition = self.described[name]
        if text in name.lower() or text in (self.lines[name]["label"] or "").lower():
            return True
        if any(text in column.name.lower() for column in table.columns):
            return True
        return definition is not None and any(
            text in (column.display_name.text or "").lower() for column in definition.columns
        )

    @property
    def rows(self) -> int:
        """About how many rows the chosen tables have, as far as the service says."""
        return sum(self.lines[name]["rows"] or 0 for name in self.chosen)

    def choose(self, shown: Collection[str], ticked: Collection[str]) -> None:
        """Choose those of the shown tables that are ticked. Others stay as they are.

        Args:
            shown: The names of the tables that were shown.
            ticked: The names of the tables that are ticked.
        """
        self.chosen = (self.chosen - set(shown)) | (set(shown) & set(ticked))

    @classmethod
    def read(cls, service: Service, settings: Settings) -> TableList:
        """Read the tables of a service, and choose those that a run without a catalog reads.

        Args:
            service: The service.
            settings: The settings.

        Raises:
            Dynamics365Error: They can't be read.
        """
        kind, every = service.kind, replace(settings, tables=())
        found = {each.table.name: each for each in describe(service, every)}
        counts = dict(kind.count_rows(service.client, [*found])) if kind.count_rows else {}
        patterns = [pattern.lower() for pattern in settings.tables]

        def is_chosen(name: str) -> bool:
            if not patterns:
                return kind.selects_all
            return any(fnmatchcase(name.lower(), pattern) for pattern in patterns)

        return cls(
            found,
            {name: overview.of_table(each, kind, counts.get(name)) for name, each in found.items()},
            {name for name, (table, _) in found.items() if not table.private and is_chosen(name)},
        )
