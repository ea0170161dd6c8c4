"""App: the routes of the page, behind the guard."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tap_dynamics365.configure import (
    connect,
    pages,
    plan,
    query,
    save,
    sign_in,
    table,
    table_changes,
    tables,
)
from tap_dynamics365.configure.security import FIRST, START, Guard

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from tap_dynamics365.configure.access import Access
    from tap_dynamics365.configure.session import Session


# In the form that ends the server: the person knows that not everything is saved.
SURE = "sure"


def make_app(session: Session, access: Access) -> ASGIApp:
    """Make the page.

    Args:
        session: What it holds in memory.
        access: Who may use it.
    """
    app = Starlette(
        routes=[
            pages.page(FIRST, _first),
            Route(START, _start, methods=["POST"]),
            Route("/end", _end, methods=["POST"]),
            Mount("/static", StaticFiles(directory=Path(__file__).with_name("static"))),
            *connect.ROUTES,
            *sign_in.ROUTES,
            *tables.ROUTES,
            *table.ROUTES,
            *table_changes.ROUTES,
            *plan.ROUTES,
            *save.ROUTES,
            *query.ROUTES,
        ],
        exception_handlers={HTTPException: _not_found},
    )
    app.state.session, app.state.access = session, access
    return Guard(app, access)


def _first(request: Request) -> Response:
    """Show the page that sends the key; or take the redirect of the sign-in host."""
    access: Access = request.app.state.access
    if request.query_params:
        return sign_in.returned(request)
    if access.is_open(request.headers.get("cookie", "")):
        return pages.lead("/connect")
    return pages.render(request, "start.html")


async def _start(request: Request) -> Response:
    """Exchange the key for the cookie."""
    access: Access = request.app.state.access
    cookie = access.exchange(pages.form_of(request).get("key", [""])[0].strip())
    if cookie is None:
        return PlainTextResponse(
            "The key is wrong, was used already, or is older than 10 minutes: end the command with "
            "Ctrl-C, and run it again.",
            HTTPStatus.FORBIDDEN,
        )
    answer = pages.lead("/connect")
    answer.headers["Set-Cookie"] = cookie
    return answer


async def _end(request: Request) -> Response:
    """End the server, and ask before what was not saved is lost."""
    access: Access = request.app.state.access
    if not pages.session_of(request).is_saved and SURE not in pages.form_of(request):
        return pages.render(request, "unsaved.html")
    access.end()
    return pages.render(request, "ended.html")


async def _not_found(request: Request, error: Exception) -> Response:  # noqa: ARG001 - a handler
    return PlainTextResponse("There is no such page.", HTTPStatus.NOT_FOUND)
