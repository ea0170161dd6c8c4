"""Rows since a date: how many rows a first run would read that begins there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_dynamics365.extract.replication import possible_replication_keys
from tap_dynamics365.odata.edm import Primitive
from tap_dynamics365.planning import row_counts
from tap_dynamics365.planning.tables import NO_KEYS, whole_tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_dynamics365.services.describe import Described
    from tap_dynamics365.services.kind import Service, ServiceKind
    from tap_dynamics365.settings import Settings

DATE = Primitive("Edm.DateTimeOffset")


def date_key(described: Described, kind: ServiceKind, key: str = "") -> str:
    """Return the date by which a first run begins at `start_date`.

    Args:
        described: The table.
        kind: The service.
        key: The replication key; empty for the one that discovery finds.

    Returns:
        The replication key; empty if there is none, or it is no date.
    """
    table = described.table
    key = key or next(iter(possible_replication_keys(table, kind.replication_keys)), "")
    is_date = any(each.name == key and each.type == DATE for each in table.columns)
    return key if is_date else ""


def rows_since(
    service: Service,
    settings: Settings,
    found: Sequence[Described],
    keys: Mapping[str, str] = NO_KEYS,
) -> dict[str, int | str | None]:
    """Have the service count the rows since the setting `start_date`.

    Args:
        service: The service.
        settings: The settings.
        found: The tables.
        keys: The replication keys of tables; others have the one that discovery finds.

    Returns:
        The number by table: None if it is unknown, or the table has no date to begin at; a text
        such as `5,000 or more` if the service counts no further.

    Raises:
        ServiceError: The parts of the service, or ways through parents, can't be read.
        SignInError: The sign-in host gave no token.
    """
    dated = [each for each in found if date_key(each, service.kind, keys.get(each.table.name, ""))]
    counts = row_counts.count(service, settings, whole_tables(dated, service, settings, keys))
    beyond = f"{service.client.dialect.largest_count:,.0f} or more"
    return {name: beyond if each.is_more else each.total for name, each in counts.items()}
