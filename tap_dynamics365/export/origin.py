"""Origin: the environment whose rows a destination has. Those of two would be mixed, and lost.

A run goes on at the bookmark of the run before. In another environment, it would leave out all rows
that are older.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_dynamics365.errors import InputError
from tap_dynamics365.odata.client import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_dynamics365.export.destination import Progress


def origin_of(service_url: str) -> str:
    """Return what identifies an environment: its URL, without the version of the API.

    Args:
        service_url: The service root, with a slash at its end.
    """
    return ROOT.sub("/", service_url.casefold())


def check_origin(progress: Mapping[str, Progress], origin: str, place: str) -> None:
    """Check that tables were exported from the same environment before.

    Args:
        progress: How far the destination has each table.
        origin: The environment of this run.
        place: The destination, for the message.

    Raises:
        InputError: A table is of another environment.
    """
    for table, each in progress.items():
        if each.origin not in {"", origin}:
            msg = (
                f"The rows of {table!r} in {place} are those of {each.origin}, and service_url is "
                f"now {origin}: choose another destination. If the environment has only moved, run "
                "once with --full."
            )
            raise InputError(msg)
