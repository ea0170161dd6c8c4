"""Table list: the tables of the service with what is known of each, and which are chosen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_dynamics365.odata.json_schema import is_stream
from tap_dynamics365.planning import row_counts
from tap_dynamics365.planning.measurements import Measurements
from tap_dynamics365.planning.tables import whole_tables
from tap_dynamics365.services.describe import describe
from tap_dynamics365.singer import overview, select_rules
from tap_dynamics365.singer.select_rules import Columns, Extent

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tap_dynamics365.config_files.saved_schema import SavedSchema
    from tap_dynamics365.planning.sample import Sample
    from tap_dynamics365.services.describe import Described
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.services.references import Reference
    from tap_dynamics365.settings import Settings
    from tap_dynamics365.singer.schema_changes import TableChange
    from tap_dynamics365.singer.select_rules import Selection

#: Which tables a list can show.
WHICH = ("all", "chosen", "custom", "tracked", "changed")


class View(NamedTuple):
    """Which tables the list shows.

    Attributes:
        text: A part of their names or labels, or of those of a column; empty for all.
        which: One of `WHICH`.
    """

    text: str = ""
    which: str = "all"


@dataclass
class TableList:
    """The tables of a service.

    Attributes:
        described: The tables by name.
        lines: What is known of each table, by name.
        columns: The columns of each table.
        rules: The rules that choose tables and columns, as Meltano has them. Ticks change them too.
        selection: What the rules choose.
        version: Another number for each choice of tables.
        changes: What has changed since a file of the project was written, by table.
        since: The name of that file; empty if there is none.
        whole: The tables with the choices of their columns, as far as these were read, by name.
        samples: What the first rows of tables have told of their columns, by name.
        measured: What was measured of tables for plans.
        links: How tables refer to each other; None if that was not read.
    """

    described: Mapping[str, Described] = field(repr=False)
    lines: dict[str, Mapping[str, Any]] = field(repr=False)
    columns: Mapping[str, Columns] = field(repr=False)
    rules: Sequence[str] = ()
    selection: Selection = field(default_factory=dict, repr=False)
    version: int = 0
    changes: Mapping[str, TableChange] = field(default_factory=dict, repr=False)
    since: str = ""
    whole: dict[str, Described] = field(default_factory=dict, repr=False)
    samples: dict[str, Sample] = field(default_factory=dict, repr=False)
    measured: Measurements = field(default_factory=Measurements, repr=False)
    links: Sequence[Reference] | None = field(default=None, repr=False)

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
        described = {each.table.name: each for each in describe(service, every)}
        counts = dict(kind.count_rows(service.client, [*described])) if kind.count_rows else {}
        lines: dict[str, Mapping[str, Any]] = {
            name: overview.of_table(each, kind, counts.get(name))
            for name, each in described.items()
        }
        columns = {name: _columns(each, lines[name]) for name, each in described.items()}
        found = cls(described, lines, columns)
        found.select(
            {
                name: columns[name].optional
                for name, (table, _) in described.items()
                if not table.private
                and _is_wanted(name, settings.tables, otherwise=kind.selects_all)
            }
        )
        return found

    def compare(self, saved: SavedSchema, settings: Settings) -> None:
        """Find what has changed since a file of the project was written.

        Args:
            saved: What the file has.
            settings: The settings, whose tables the file has.
        """
        changes = saved.changes(table for table, _ in self.described.values())
        self.since = saved.name
        self.changes = {
            each.table: each
            for each in changes
            if each.change != "new" or _is_wanted(each.table, settings.tables, otherwise=True)
        }

    def take(self, name: str) -> None:
        """Choose what is new in a table: its new columns, or a new table with all columns.

        Args:
            name: The table.
        """
        added = frozenset(self.changes[name].added)
        chosen = self.selection.get(name, frozenset()) | (added & self.columns[name].optional)
        self.select({**self.selection, name: chosen})

    def leave(self, name: str) -> None:
        """Leave out what is new in a table: its new columns, or a new table.

        Args:
            name: The table.
        """
        change, selection = self.changes[name], dict(self.selection)
        if change.change == "new":
            selection.pop(name, None)
        elif name in selection:
            selection[name] -= frozenset(change.added)
        self.select(selection)

    def follow(self, rules: Sequence[str]) -> None:
        """Choose by rules.

        Args:
            rules: The rules.
        """
        before = self.selection
        self.rules, self.selection = rules, select_rules.select(rules, self.columns)
        self.version += before.keys() != self.selection.keys()

    def select(self, selection: Selection) -> None:
        """Choose tables and columns, with rules that mean the same.

        Args:
            selection: The columns of each table.
        """
        self.follow(select_rules.shortest(selection, self.columns, self.rules))

    def choose(self, shown: Collection[str], ticked: Collection[str]) -> None:
        """Choose those of the shown tables that are ticked. Others stay as they are.

        Args:
            shown: The names of the tables that were shown.
            ticked: The names of the tables that are ticked. The columns of those that were chosen
                before stay.
        """
        selection = dict(self.selection)
        for name in shown:
            if name not in ticked:
                selection.pop(name, None)
            elif name in self.columns:
                selection.setdefault(name, self.columns[name].optional)
        self.select(selection)

    def choose_columns(self, name: str, ticked: Collection[str]) -> None:
        """Choose the columns of a table, and the table with them.

        Args:
            name: The table.
            ticked: The columns. Others are left out.
        """
        chosen = self.columns[name].optional & frozenset(ticked)
        self.select({**self.selection, name: chosen})

    def is_taken(self, name: str) -> str:
        """Say how much of what is new in a table is chosen: `all`, `some` or `none`.

        Args:
            name: The table.
        """
        if self.changes[name].change == "new":
            return "all" if name in self.selection else "none"
        sent = self.selection.get(name)
        if sent is None:
            return "none"
        added = {*self.changes[name].added} & self.columns[name].optional
        left = added - sent
        return "some" if left and left != added else "none" if left else "all"

    def count(self, service: Service, settings: Settings) -> list[str]:
        """Have the service count the rows that a first run reads of the chosen tables.

        Args:
            service: The service.
            settings: The settings.

        Returns:
            The tables whose rows the service has not counted.

        Raises:
            Dynamics365Error: The service can't be asked.
        """
        chosen = [self.described[name] for name in self.selection]
        counts = row_counts.count(service, settings, whole_tables(chosen, service, settings))
        known = {name: found.total for name, found in counts.items() if found.total is not None}
        for name, rows in known.items():
            self.lines[name] = {**self.lines[name], "rows": rows}
        return [name for name in counts if name not in known]

    def extent(self, name: str) -> Extent:
        """Say how much of a table is chosen.

        Args:
            name: The table.
        """
        return select_rules.extent(name, self.selection, self.columns)

    @property
    def rows(self) -> int:
        """About how many rows the chosen tables have, as far as the service says."""
        return sum(self.lines[name]["rows"] or 0 for name in self.selection)

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

    def has(self, which: str) -> bool:
        """Tell whether a list would have tables.

        Args:
            which: One of `WHICH`.
        """
        return which == "chosen" or any(self._is_one_of(name, which) for name in self.lines)

    def _is_one_of(self, name: str, which: str) -> bool:
        match which:
            case "chosen":
                return name in self.selection
            case "custom":
                definition = self.described[name].definition
                return definition is not None and definition.custom
            case "tracked":
                return self.described[name].table.tracked
            case "changed":
                return name in self.changes
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


def _is_wanted(name: str, patterns: Sequence[str], *, otherwise: bool) -> bool:
    """Tell whether the setting `tables` names a table."""
    if not patterns:
        return otherwise
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)


def _columns(described: Described, line: Mapping[str, Any]) -> Columns:
    """Return the columns of a table. Its key and its replication key are always sent."""
    names = {column.name for column in described.table.columns if not is_stream(column)}
    automatic = names & {*line["key"], line["replication_key"]}
    return Columns(frozenset(names - automatic), frozenset(automatic))
