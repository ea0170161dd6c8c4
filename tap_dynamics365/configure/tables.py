"""Screen Tables: the tables of the service, the columns of one, its first rows, and the choice."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tap_dynamics365.cell import cell
from tap_dynamics365.configure import pages, references, replicating
from tap_dynamics365.configure.session import Notice
from tap_dynamics365.configure.table_list import WHICH, View
from tap_dynamics365.errors import MetadataError, ServiceError
from tap_dynamics365.singer import overview
from tap_dynamics365.table_rows import read_rows

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tap_dynamics365.configure.table_list import TableList
    from tap_dynamics365.services.describe import Described

TABLES = "/tables"
PREVIEWED = 20
MASK = "••••"


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


def _choose(request: Request) -> Response:
    """Take the ticked tables of the list."""
    found, form = pages.session_of(request).tables, pages.form_of(request)
    view = View(form.get("text", [""])[-1], form.get("which", ["all"])[-1])
    # A tick may change which tables are shown: then the form names those that were.
    with pages.session_of(request).lock:
        found.choose(form.get("shown", found.shown(view)), form.get("table", []))
    if pages.is_partial(request):
        return pages.render(request, "choice.part.html", tables=found, is_aside=True)
    return pages.lead(f"{TABLES}?{urlencode(view._asdict())}")


def _count(request: Request) -> None:
    """Have the service count the rows of the chosen tables, once the ticks are taken."""
    _choose(request)
    session = pages.session_of(request)
    counted = session.tables.count(session.service, session.settings())
    chosen = len(session.tables.selection)
    words = f"The rows of {counted:,} of {chosen:,} chosen tables are counted."
    session.notices.append(Notice("ok" if counted == chosen else "warning", words))


def _references(request: Request) -> Response:
    """Show how the chosen tables refer to each other."""
    found = pages.session_of(request).tables
    listed = references.references(found)
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
    rules = [line.strip() for line in text.splitlines()]
    session = pages.session_of(request)
    found = session.tables
    with session.lock:
        found.follow([rule for rule in rules if rule])


def _described(found: TableList, name: str) -> Described:
    if name not in found.described:
        msg = "The service has no such table."
        raise MetadataError(msg)
    return found.described[name]


def _table(request: Request) -> Response:
    """Show a table and its columns."""
    found, name = pages.session_of(request).tables, request.query_params.get("name", "")
    described = _described(found, name)
    definition = described.definition
    columns, chosen = found.columns[name], found.selection.get(name, frozenset())
    known = definition.by_property if definition else {}
    listed = [
        {
            **column,
            "is_automatic": column["name"] in columns.automatic,
            "is_chosen": column["name"] in chosen,
            "definition": known.get(column["name"]),
        }
        for column in overview.of_columns(described)
    ]
    return _in_frame(request, "columns", found, name, columns=listed)


def _in_frame(request: Request, part: str, found: TableList, name: str, **values: Any) -> Response:
    """Render a part of a table's page: alone for a script, else in the page."""
    template = "table.part.html" if pages.is_partial(request) else "table.html"
    table, definition = found.described[name]
    return pages.render(
        request,
        template,
        part=part,
        tables=found,
        line=found.lines[name],
        table=table,
        definition=definition,
        **values,
    )


def _choose_columns(request: Request) -> Response:
    """Take the ticked columns of a table."""
    found, form = pages.session_of(request).tables, pages.form_of(request)
    name = form.get("name", [""])[-1]
    _described(found, name)
    with pages.session_of(request).lock:
        found.choose_columns(name, form.get("column", []))
    if pages.is_partial(request):
        return pages.render(request, "choice.part.html", tables=found, is_aside=True)
    return pages.lead(f"/table?{urlencode({'name': name})}")


def _preview(request: Request) -> Response:
    """Show the first rows of a table. They are neither kept nor written anywhere."""
    session, name = pages.session_of(request), request.query_params.get("name", "")
    found, shows_values = session.tables, "values" in request.query_params
    table = _described(found, name).table
    # One page has no more rows than are wanted.
    settings = replace(session.settings(), fetch_size=PREVIEWED)
    try:
        rows = list(islice(read_rows(session.service, settings, table), PREVIEWED))
    except ServiceError as error:
        return _in_frame(request, "preview", found, name, problem=error.message)
    names = [*rows[0]] if rows else []
    filled = {column: sum(row[column] is not None for row in rows) for column in names}
    # Columns with values first, in the order of the table.
    names.sort(key=lambda column: not filled[column])
    write = cell if shows_values else _mask
    return _in_frame(
        request,
        "preview",
        found,
        name,
        problem="",
        shows_values=shows_values,
        names=names,
        filled=filled,
        rows=[[write(row[column]) for column in names] for row in rows],
    )


def _replication(request: Request) -> Response:
    """Show the replication methods that a table can have."""
    session, name = pages.session_of(request), request.query_params.get("name", "")
    found, kind = session.tables, session.service.kind
    described = _described(found, name)
    usual = replicating.default(described, kind, session.settings())
    return _in_frame(
        request,
        "replication",
        found,
        name,
        methods=replicating.methods(described, kind, found.lines[name]["rows"]),
        usual=usual,
        replication=session.replication.get(name, usual),
    )


def _replicate(request: Request) -> Response:
    """Take the replication method of a table."""
    session, form = pages.session_of(request), pages.form_of(request)
    name = form.get("name", [""])[-1]
    found, kind = session.tables, session.service.kind
    described = _described(found, name)
    chosen = replicating.choose(
        replicating.methods(described, kind, found.lines[name]["rows"]),
        form.get("method", [""])[-1],
        form.get("key", [""])[-1],
    )
    # Also the default: a file of the project may have another one.
    with session.lock:
        session.replication = {**session.replication, name: chosen}
    by = f", by {chosen.key}" if chosen.key else ""
    session.notices.append(Notice("ok", f"{name} is replicated {chosen.method}{by}."))
    return pages.lead(f"/table/replication?{urlencode({'name': name})}")


def _mask(value: Any) -> str:  # noqa: ANN401 - any value of JSON
    """Write that there is a value, and nothing of it."""
    return "" if value is None else MASK


ROUTES = [
    pages.page(TABLES, _show),
    pages.action(TABLES, TABLES, _choose, asks=True),
    pages.action("/tables/count", TABLES, _count, asks=True),
    pages.page("/tables/references", _references),
    pages.action("/tables/rules", TABLES, _follow, asks=True),
    pages.page("/table", _table),
    pages.action("/table/columns", TABLES, _choose_columns, asks=True),
    pages.page("/table/preview", _preview),
    pages.page("/table/replication", _replication),
    pages.action("/table/replication", TABLES, _replicate, asks=True),
]
