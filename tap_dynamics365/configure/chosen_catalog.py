"""Chosen catalog: the entries that the choice of the page gives to tables, as Singer has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_dynamics365.config_files import catalog_json
from tap_dynamics365.singer.discovery import make_entries

if TYPE_CHECKING:
    from collections.abc import Collection

    from tap_dynamics365.configure.session import Session


def catalog(session: Session, names: Collection[str]) -> dict[str, Any]:
    """Return the catalog of tables.

    Args:
        session: The session, with its rules and the replication of its tables.
        names: The names of the tables.

    Returns:
        The catalog, as JSON has it. Tables that are not chosen are not selected in it.

    Raises:
        Dynamics365Error: The service can't be opened, or a table can't be replicated so.
    """
    found, settings = session.tables, session.settings()
    described = [found.described[name] for name in names]
    entries = make_entries(described, session.service.kind, settings, is_selected=True)
    made = {"streams": [entry.to_dict() for entry in entries]}
    replication = {name: own for name, own in session.replication.items() if name in names}
    catalog_json.choose(made, found.rules, replication)
    return made
