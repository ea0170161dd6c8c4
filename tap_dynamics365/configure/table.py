"""A table of the screen Tables: its columns, first rows, replication and catalog entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from tap_dynamics365.cell import cell
from tap_dynamics365.configure import pages, replicating
from tap_dynamics365.configure.chosen_catalog import catalog
from tap_dynamics365.configure.session import Notice
from tap_dynamics365.errors import MetadataError, ServiceError
from tap_dynamics365.planning import sample
from tap_dynamics365.services.describe import with_choices
from tap_dynamics365.singer import overview

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from tap_dynamics365.configure.session import Session
    from tap_dynamics365.configure.table_list import TableList
    from tap_dynamics365.planning.sample import Sample
    from tap_dynamics365.services.describe import Described

TABLES = "/tables"
PREVIEWED = 20
MASK = "••••"
# So many characters of an example, and choices of a column, are shown.
LONGEST_EXAMPLE, MOST_CHOICES = 40, 6


def _named(request: Request) -> str:
    return request.query_params.get("name", "")


def described(found: TableList, name: str) -> Described:
    """Return a table by its name.

    Args:
        found: The tables.
        name: The name.

    Raises:
        MetadataError: There is no such table.
    """
    if name not in found.described:
        msg = "The service has no such table."
        raise MetadataError(msg)
    return found.described[name]


def _columns(request: Request) -> Response:
    """Show a table and its columns; with values of its first rows, if they are asked for."""
    session, name = pages.session_of(request), _named(request)
    found = session.tables
    own, shows_values = described(found, name), "values" in request.query_params
    rows: Sequence[Mapping[str, Any]] = ()
    problem = ""
    try:
        if name not in found.whole:
            found.whole[name] = with_choices(session.service, own)
        own = found.whole[name]
        if shows_values or "sample" in request.query_params:
            rows = _sampled(session, name)
    except ServiceError as error:
        problem = error.message
    columns, chosen = found.columns[name], found.selection.get(name, frozenset())
    change = found.changes.get(name)
    retyped = {each.column: each for each in change.retyped} if change else {}
    known = found.samples.get(name)
    listed = [
        {
            **column,
            "is_automatic": column["name"] in columns.automatic,
            "is_chosen": column["name"] in chosen,
            "is_new": change is not None and column["name"] in change.added,
            "before": retyped[column["name"]].before if column["name"] in retyped else "",
            "choices": column["choices"][:MOST_CHOICES],
            "more_choices": max(0, len(column["choices"]) - MOST_CHOICES),
            "measured": known.columns.get(column["name"]) if known else None,
            "example": _example(rows, column["name"], shows_values=shows_values),
        }
        for column in overview.of_columns(own)
    ]
    return _in_frame(
        request,
        "columns",
        found,
        name,
        columns=listed,
        sample=known,
        change=change,
        problem=problem,
        has_examples=bool(rows),
        shows_values=shows_values,
        has_labels=any(one["label"] for each in listed for one in each["choices"]),
    )


def _sampled(session: Session, name: str) -> Sequence[Mapping[str, Any]]:
    """Read the first rows of a table. What they say of the columns is kept, and no value is."""
    found = session.tables
    table = described(found, name).table
    known, rows = sample.read(session.service, session.settings(), table)
    found.samples[name] = known
    return rows


def _example(rows: Sequence[Mapping[str, Any]], column: str, *, shows_values: bool) -> str:
    """Write the first value of a column."""
    value = next((row[column] for row in rows if row[column] not in (None, "")), None)
    if value is None:
        return ""
    if not shows_values:
        return MASK
    text = cell(value)
    return text if len(text) <= LONGEST_EXAMPLE else f"{text[: LONGEST_EXAMPLE - 1]}…"


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
    described(found, name)
    with pages.session_of(request).lock:
        found.choose_columns(name, form.get("column", []))
    if pages.is_partial(request):
        return pages.render(request, "choice.part.html", tables=found, is_aside=True)
    return pages.lead(f"/table?{urlencode({'name': name})}")


def _preview(request: Request) -> Response:
    """Show the first rows of a table. They are neither kept nor written anywhere."""
    session, name = pages.session_of(request), _named(request)
    found, shows_values = session.tables, "values" in request.query_params
    described(found, name)
    try:
        rows = _sampled(session, name)
    except ServiceError as error:
        return _in_frame(request, "preview", found, name, problem=error.message)
    known: Sample = found.samples[name]
    # Columns with values first, in the order of the table.
    names = sorted(known.columns, key=lambda column: not known.columns[column].filled)
    write = cell if shows_values else _mask
    return _in_frame(
        request,
        "preview",
        found,
        name,
        problem="",
        shows_values=shows_values,
        names=names,
        sample=known,
        rows=[[write(row[column]) for column in names] for row in rows[:PREVIEWED]],
    )


def _replication(request: Request) -> Response:
    """Show the replication methods that a table can have; and rows since a date, on request."""
    session, name = pages.session_of(request), _named(request)
    found, kind = session.tables, session.service.kind
    own, settings = described(found, name), session.settings()
    usual = replicating.default(own, kind, settings)
    chosen = session.replication.get(name, usual)
    since = request.query_params.get("since", "").strip()
    methods = replicating.methods(own, kind, found.lines[name]["rows"])
    key = replicating.date_of(own, kind, chosen)
    answer = ""
    if since and key:
        answer = replicating.rows_since(session.service, session.settings(start=since), own, key)
    return _in_frame(
        request,
        "replication",
        found,
        name,
        methods=methods,
        usual=usual,
        replication=chosen,
        settings=settings,
        date_key=key,
        since=since or (settings.start_date or ""),
        answer=answer,
    )


def _replicate(request: Request) -> Response:
    """Take the replication method of a table."""
    session, form = pages.session_of(request), pages.form_of(request)
    name = form.get("name", [""])[-1]
    found, kind = session.tables, session.service.kind
    own = described(found, name)
    chosen = replicating.choose(
        replicating.methods(own, kind, found.lines[name]["rows"]),
        form.get("method", [""])[-1],
        form.get("key", [""])[-1],
    )
    # Also the default: a file of the project may have another one.
    with session.lock:
        session.replication = {**session.replication, name: chosen}
    by = f", by {chosen.key}" if chosen.key else ""
    session.notices.append(Notice("ok", f"{name} is replicated {chosen.method}{by}."))
    return pages.lead(f"/table/replication?{urlencode({'name': name})}")


def _entry(request: Request) -> Response:
    """Show the catalog entry of a table, as Singer has it with this choice."""
    session, name = pages.session_of(request), _named(request)
    found = session.tables
    described(found, name)
    (entry,) = catalog(session, [name])["streams"]
    text = msgspec.json.format(msgspec.json.encode(entry), indent=2).decode()
    return _in_frame(request, "entry", found, name, text=text)


def _mask(value: Any) -> str:  # noqa: ANN401 - any value of JSON
    """Write that there is a value, and nothing of it."""
    return "" if value is None else MASK


ROUTES = [
    pages.page("/table", _columns),
    pages.action("/table/columns", TABLES, _choose_columns, asks=True),
    pages.page("/table/preview", _preview),
    pages.page("/table/replication", _replication),
    pages.action("/table/replication", TABLES, _replicate, asks=True),
    pages.page("/table/entry", _entry),
]
