"""Table request: what to read of a table, as a user asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.extract.read import FULL_TABLE, INCREMENTAL, LOG_BASED
from tap_dynamics365.extract.replication import best_method, possible_replication_keys
from tap_dynamics365.settings import filters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_dynamics365.odata.edm import Table
    from tap_dynamics365.services.kind import ServiceKind
    from tap_dynamics365.settings import Settings


@dataclass(frozen=True)
class TableRequest:
    """What to read of a table.

    Attributes:
        table: The name of the table.
        columns: The columns of the batches, in this order; all columns if empty. LOG_BASED adds the
            missing columns of the key before them, and `_sdc_deleted_at` after them.
        filter: A condition in OData that every row fulfils, in addition to that of the setting
            `filters`; empty for all rows.
        method: `INCREMENTAL`, `FULL_TABLE` or `LOG_BASED`. None for the method of the setting
            `replication_method` if the table supports it, and the next best one otherwise.
        decimals: `exact` for decimal numbers, `text` for the digits that the service writes.
        text: Columns whose values are read as text: text itself, or the JSON of another value.
    """

    table: str
    columns: Sequence[str] = ()
    filter: str = ""
    method: str | None = None
    decimals: Literal["exact", "text"] = "exact"
    text: Sequence[str] = ()


@dataclass(frozen=True)
class Replication:
    """How a table is replicated.

    Attributes:
        method: The replication method.
        key: The replication key, if the table has one.
        row_filter: The condition that every row fulfils; empty for all rows.
    """

    method: str
    key: str | None
    row_filter: str = ""


def both(*conditions: str) -> str:
    """Return the condition that several conditions are fulfilled.

    Args:
        *conditions: The conditions. An empty one is always fulfilled.
    """
    found = [each for each in conditions if each]
    return found[0] if len(found) == 1 else " and ".join(f"({each})" for each in found)


def replication(
    request: TableRequest, table: Table, kind: ServiceKind, settings: Settings
) -> Replication:
    """Choose how a table is replicated.

    Args:
        request: What the user asks for.
        table: The table.
        kind: The service.
        settings: The filter of the table, and the method to prefer if the user asks for none.

    Raises:
        SettingsError: The table can't be replicated in the way that the user asks for.
    """
    row_filter = both(filters.find(settings.filters, table.name), request.filter)
    key = next(iter(possible_replication_keys(table, kind.replication_keys)), None)
    wish = f"The table {table.name!r} can't be read {request.method}"
    match request.method:
        case None:
            method = best_method(table, settings.replication_method, key)
            if method == LOG_BASED and row_filter:
                method = best_method(table, INCREMENTAL, key)
            return Replication(method, key, row_filter)
        case "INCREMENTAL" if key is None:
            msg = f"{wish}, because it has no replication key: choose {FULL_TABLE}."
        case "LOG_BASED" if not kind.tracks_changes:
            msg = f"{wish}, because {kind.name} does not track changes: choose {FULL_TABLE}."
        case "LOG_BASED" if row_filter:
            msg = (
                f"{wish} with a filter, because change tracking does not support filters: choose "
                f"{INCREMENTAL}, or remove the filter."
            )
        case "INCREMENTAL" | "FULL_TABLE" | "LOG_BASED":
            return Replication(request.method, key, row_filter)
        case _:
            known = f"{INCREMENTAL}, {LOG_BASED} or {FULL_TABLE}"
            msg = f"The method is {request.method!r}: choose {known}."
    raise SettingsError(msg)
