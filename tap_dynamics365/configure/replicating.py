"""Replication of a table: the methods that it can have, with what each sees and costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_dynamics365.config_files.replication import Replication
from tap_dynamics365.errors import SettingsError
from tap_dynamics365.extract.read import FULL_TABLE, INCREMENTAL, LOG_BASED
from tap_dynamics365.extract.replication import GROWING, possible_replication_keys
from tap_dynamics365.planning import since
from tap_dynamics365.singer.catalog import catalog_entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_dynamics365.services.describe import Described
    from tap_dynamics365.services.kind import Service, ServiceKind
    from tap_dynamics365.settings import Settings


@dataclass(frozen=True)
class Method:
    """A replication method, as a table can have it.

    Attributes:
        name: Its name in the catalog.
        sees: Which rows a run sees.
        costs: What a run costs.
        hindrance: Why the table can't have it; empty if it can.
        keys: The replication keys to choose from, the best one first.
    """

    name: str
    sees: str
    costs: str
    hindrance: str = ""
    keys: Sequence[str] = ()


def methods(described: Described, kind: ServiceKind, rows: int | None) -> list[Method]:
    """Return the replication methods.

    Args:
        described: The table.
        kind: The service.
        rows: About how many rows it has; None if that is not known.
    """
    table = described.table
    best = possible_replication_keys(table, kind.replication_keys)
    others = [each.name for each in table.columns if each.type in GROWING and each.name not in best]
    whole = "the whole table" if rows is None else f"all rows, about {rows:,}"
    tracking = ""
    if not kind.tracks_changes:
        tracking = f"{kind.name} does not track changes."
    elif not table.tracked:
        tracking = "Change tracking is off for this table. An administrator can turn it on."
    elif len(table.key) != 1:
        tracking = "It needs a key of one column."
    return [
        Method(
            INCREMENTAL,
            "New and changed rows, by the replication key. With a date of creation, only new rows. "
            "No deleted rows.",
            "A run without changes costs 1 request.",
            "" if best or others else "The table has no date and no number that grows.",
            [*best, *others],
        ),
        Method(
            LOG_BASED,
            "New, changed and deleted rows, by change tracking.",
            "A run without changes costs 1 request. After 7 days without a run, the table is read "
            "in full.",
            tracking,
        ),
        Method(
            FULL_TABLE,
            "All rows. Deleted rows with emit_activate_version_messages.",
            f"Each run reads {whole}.",
        ),
    ]


def default(described: Described, kind: ServiceKind, settings: Settings) -> Replication:
    """Return the replication that discovery finds.

    Args:
        described: The table.
        kind: The service.
        settings: The settings.
    """
    table, definition = described
    found = catalog_entry(table, settings.replication_method, definition, kind.replication_keys)
    is_by_key = found.replication_method == INCREMENTAL
    return Replication(
        found.replication_method or FULL_TABLE, (found.replication_key or "") if is_by_key else ""
    )


def date_of(described: Described, kind: ServiceKind, chosen: Replication) -> str:
    """Return the date by which a first run begins at `start_date`; empty if it has none.

    Args:
        described: The table.
        kind: The service.
        chosen: Its replication.
    """
    if chosen.method == FULL_TABLE:
        return ""
    return since.date_key(described, kind, chosen.key)


def rows_since(service: Service, settings: Settings, described: Described, key: str) -> str:
    """Have the service count the rows that a first run reads since `start_date`.

    Args:
        service: The service.
        settings: The settings.
        described: The table.
        key: The date by which the run begins.

    Returns:
        A few words.

    Raises:
        Dynamics365Error: The service can't be asked.
    """
    name = described.table.name
    found = since.rows_since(service, settings, [described], {name: key})[name]
    if found is None:
        return f"{service.kind.name} does not count these rows."
    number = f"{found:,}" if isinstance(found, int) else found
    return f"{number} {'row' if found == 1 else 'rows'} since then."


def choose(found: Sequence[Method], method: str, key: str) -> Replication:
    """Return the replication that a person chooses.

    Args:
        found: The methods of the table.
        method: The method.
        key: The replication key, if the method has one.

    Raises:
        SettingsError: The table can't have it.
    """
    chosen = next((each for each in found if each.name == method), None)
    if chosen is None or chosen.hindrance:
        reason = chosen.hindrance if chosen else "There is no such method."
        raise SettingsError(reason)
    if not chosen.keys:
        return Replication(method)
    if key not in chosen.keys:
        msg = "The table has no such replication key."
        raise SettingsError(msg)
    return Replication(method, key)
