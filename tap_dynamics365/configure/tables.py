"""Screen Tables: the tables of the service, the choice, and how the chosen tables refer."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tap_dynamics365.configure import pages, references
from tap_dynamics365.configure.session import Notice
from tap_dynamics365.configure.table_list import WHICH, View
from tap_dynamics365.planning.plan import MOST_NAMED, more
from tap_dynamics365.singer import select_rules

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

TABLES = "/tables"
CHANGED = "The choice has changed since this list was loaded, and your ticks are not taken."


def _view(request: Request) -> View:
    asked = request.query_params
    which = asked.get("which", "all")
    return View(asked.get("text", ""), which if which in WHICH else "all")


def _show(request: Request) -> Response:
    session, view = pages.session_of(request), _view(request)
    found = session.tables
    return pages.render(
        request,
        "tables.html",
        tables=found,
        view=view,
        # Some services have no such tables.
        views=[which for which in WHICH if which == view.which or found.has(which)],
        replication=session.replication,
        lines=[(found.lines[name], found.extent(name).value) for name in found.shown(view)],
    )


def _take(request: Request) -> bool:
    """Take the ticked tables of the list; return whether the list was that of this choice.

    Ticks of a list that was loaded before the choice changed would undo what has been chosen since.
    """
    session, form = pages.session_of(request), pages.form_of(request)
    found = session.tables
    view = View(form.get("text", [""])[-1], form.get("which", ["all"])[-1])
    with session.lock:
        if form.get("version", [""])[-1] not in {"", str(found.version)}:
            session.notices.append(Notice("warning", CHANGED))
            return False
        # A tick may change which tables are shown: then the form names those that were.
        found.choose(form.get("shown", found.shown(view)), form.get("table", []))
    return True


def _choose(request: Request) -> Response:
    """Take the ticked tables of the list."""
    is_taken, form = _take(request), pages.form_of(request)
    if pages.is_partial(request):
        found = pages.session_of(request).tables
        answer = pages.render(request, "choice.part.html", tables=found, is_aside=True)
        if not is_taken:
            answer.headers["HX-Refresh"] = "true"
        return answer
    view = View(form.get("text", [""])[-1], form.get("which", ["all"])[-1])
    return pages.lead(f"{TABLES}?{urlencode(view._asdict())}")


def _count(request: Request) -> None:
    """Have the service count the rows of the chosen tables, once the ticks are taken."""
    if not _take(request):
        return
    session = pages.session_of(request)
    found = session.tables
    left = found.count(session.service, session.settings())
    chosen = len(found.selection)
    words = f"The rows of {chosen - len(left):,} of {chosen:,} chosen tables are counted."
    if left:
        words += f" Not counted: {', '.join(left[:MOST_NAMED])}{more(len(left))}."
    session.notices.append(Notice("warning" if left else "ok", words))


def _references(request: Request) -> Response:
    """Show how the chosen tables refer to each other."""
    session = pages.session_of(request)
    found = session.tables
    listed = references.chosen(found, session.service)
    return pages.render(
        request,
        "references.html",
        tables=found,
        references=listed,
        picture=references.picture(listed, len(found.selection)),
        width=references.WIDTH,
        height=references.HEIGHT,
    )


def _follow(request: Request) -> None:
    """Choose by rules, one in a line."""
    text = pages.form_of(request).get("rules", [""])[-1]
    rules = [line.strip() for line in text.splitlines() if line.strip()]
    session = pages.session_of(request)
    found = session.tables
    with session.lock:
        found.follow(rules)
    if unmatched := select_rules.unmatched(rules, found.columns):
        words = "These rules match no table and no column: " if len(unmatched) > 1 else ""
        words = words or "This rule matches no table and no column: "
        session.notices.append(Notice("warning", f"{words}{', '.join(unmatched)}."))


ROUTES = [
    pages.page(TABLES, _show),
    pages.action(TABLES, TABLES, _choose, asks=True),
    pages.action("/tables/count", TABLES, _count, asks=True),
    pages.page("/tables/references", _references),
    pages.action("/tables/rules", TABLES, _follow, asks=True),
]
