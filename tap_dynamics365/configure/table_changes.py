"""Changes of the tables since a file of the project was written, to take or to leave out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_dynamics365.configure import pages
from tap_dynamics365.configure.session import Notice
from tap_dynamics365.errors import SettingsError
from tap_dynamics365.singer import select_rules

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

CHANGES = "/tables/changes"


def _show(request: Request) -> Response:
    found = pages.session_of(request).tables
    return pages.render(
        request,
        "changes.html",
        tables=found,
        unmatched=select_rules.unmatched(found.rules, found.columns),
    )


def _decide(request: Request) -> None:
    """Take what is new in a table, or leave it out."""
    session, form = pages.session_of(request), pages.form_of(request)
    found, name = session.tables, form.get("table", [""])[-1]
    change = found.changes.get(name)
    if change is None or not change.added:
        msg = "Nothing is new in this table."
        raise SettingsError(msg)
    is_new_table = change.change == "new"
    if not is_new_table and name not in found.selection:
        msg = "This table is not chosen."
        raise SettingsError(msg)
    decision = form.get("decision", [""])[-1]
    if decision not in {"take", "leave"}:
        msg = "Take what is new, or leave it out."
        raise SettingsError(msg)
    what = f"{name} is" if is_new_table else f"The new columns of {name} are"
    if decision == "take":
        with session.lock:
            found.take(name)
        session.notices.append(Notice("ok", f"{what} chosen."))
    else:
        with session.lock:
            found.leave(name)
        session.notices.append(Notice("ok", f"{what} left out."))


ROUTES = [
    pages.page(CHANGES, _show),
    pages.action(CHANGES, CHANGES, _decide, asks=True),
]
