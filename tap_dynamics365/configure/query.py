"""Screen Query: rows that a person reads with an OData query, as a table, as JSON or with curl."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_dynamics365.configure import pages
from tap_dynamics365.errors import Dynamics365Error, MetadataError
from tap_dynamics365.planning import query as queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from tap_dynamics365.configure.session import Session

QUERY = "/query"
# The rows of a page.
PAGE_SIZE = 50
# A service may send more rows than it is asked for. JSON has all of them.
MOST_SHOWN = 500


@dataclass(frozen=True)
class _Result:
    """What a query has found.

    Attributes:
        names: The columns that have values.
        rows: The values of each row, in the same order.
        left_out: How many columns have no value in these rows.
        count: How many rows were read.
        number: The number of the page.
        has_more: Whether there is a page after it.
        json: The rows as JSON; empty if the table is wanted.
    """

    names: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = field(default=(), repr=False)
    left_out: int = 0
    count: int = 0
    number: int = 1
    has_more: bool = False
    json: str = field(default="", repr=False)


def _show(request: Request) -> Response:
    """Show the form, and what the query has found if there is one. Nothing is kept of the rows."""
    session, asked = pages.session_of(request), request.query_params
    path, form = asked.get("path", "").strip(), asked.get("as", "")
    problem, command, result = "", "", None
    try:
        if name := asked.get("table", ""):
            path = _path(session, name)
        elif path and form == "curl":
            service, settings = session.service, session.settings()
            command = queries.curl(service, settings, queries.address(service, settings, path))
        elif path:
            result = _run(session, path, asked.get("page", "1"), in_json=form == "json")
    except Dynamics365Error as error:
        problem = error.message
    return pages.render(
        request,
        "query.html",
        query=path,
        names=[*session.tables.lines] if session.has_tables else [],
        problem=problem,
        command=command,
        result=result,
    )


def _path(session: Session, name: str) -> str:
    """Return the path of the rows of a table, of its first part if it has parts."""
    if name not in session.tables.described:
        msg = "The service has no such table."
        raise MetadataError(msg)
    service = session.service
    every = service.kind.parts(service.client, session.settings())
    part = next((each for each in every if each.is_selected), None)
    entity_set = session.tables.described[name].table.entity_set
    return service.kind.url(service.client.url, entity_set, part).removeprefix(service.client.url)


def _run(session: Session, path: str, number: str, *, in_json: bool) -> _Result:
    """Read a page. The addresses of next pages come from the service, and never from a form."""
    service, settings = session.service, session.settings()
    first = queries.address(service, settings, path)
    known = session.queries.setdefault(path, [first])
    page = int(number) if number.isdecimal() and 0 < int(number) <= len(known) else 1
    answer = queries.read(service, known[page - 1], PAGE_SIZE)
    following = queries.next_address(service, answer)
    known[page:] = [following] if following is not None else []
    texts = [*queries.in_texts(answer.rows)]
    every = [*texts[0]] if texts else []
    names = [name for name in every if any(row[name] is not None for row in texts)]
    return _Result(
        names=names,
        rows=[[row[name] or "" for name in names] for row in texts[:MOST_SHOWN]],
        left_out=len(every) - len(names),
        count=len(texts),
        number=page,
        has_more=following is not None,
        json=queries.in_json(answer.rows) if in_json else "",
    )


ROUTES = [pages.page(QUERY, _show)]
