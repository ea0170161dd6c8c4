"""Pages: renders templates, and runs the functions that answer requests."""

from __future__ import annotations

import asyncio
import re
from contextlib import nullcontext, suppress
from http import HTTPStatus
from threading import Thread
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.routing import Route

from tap_dynamics365.configure import failure, project
from tap_dynamics365.configure.security import FIRST, FORM
from tap_dynamics365.configure.session import Notice

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from tap_dynamics365.configure.session import Session

    Answer = Callable[[Request], Response]

#: The screens, by address.
SCREENS = {
    "/connect": "Connect",
    "/tables": "Tables",
    "/plan": "Plan",
    "/save": "Save",
    "/query": "Query",
}


def _words(text: str) -> Markup:
    """Escape a text, and mark what is between backticks as code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped


def _clicks(text: str) -> Markup:
    """As `_words`, and mark what is between asterisks as what to click."""
    return Markup(re.sub(r"\*([^*]*)\*", r"<strong>\1</strong>", str(_words(text))))  # noqa: S704 - escaped


def _count(number: int, noun: str) -> str:
    """Write a number with its noun: `1 row`, `2,000 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _percent(share: float) -> str:
    """Write a share in percent, and one between 0% and 1%, or 99% and 100%, as what it is."""
    if 0 < share < 0.01:  # noqa: PLR2004 - one percent
        return "< 1%"
    return f"{min(share, 0.99) if share < 1 else 1:.0%}"


def _sentence(text: str) -> tuple[str, str]:
    """Split the first sentence of a text from the rest."""
    first, end, rest = text.partition(". ")
    return first + end.rstrip(), rest


_templates = Environment(
    loader=PackageLoader("tap_dynamics365.configure"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {
    "words": _words,
    "clicks": _clicks,
    "count": _count,
    "sentence": _sentence,
    "percent": _percent,
    "folder": project.folder,
    "files": project.files,
}


def session_of(request: Request) -> Session:
    """Return the session of a request."""
    session: Session = request.app.state.session
    return session


def form_of(request: Request) -> Mapping[str, list[str]]:
    """Return the form of a request, which the guard has read."""
    form: Mapping[str, list[str]] = request.scope["state"][FORM]
    return form


def is_partial(request: Request) -> bool:
    """Tell whether a script of the page asks, and takes a part of it."""
    return "hx-request" in request.headers


def render(
    request: Request, template: str, status: HTTPStatus = HTTPStatus.OK, **values: Any
) -> Response:
    """Render a template.

    Args:
        request: The request.
        template: The name of the template.
        status: The HTTP status.
        **values: The values for the template. Texts are escaped.
    """
    html = _templates.get_template(template).render(
        csrf=request.app.state.access.csrf,
        session=session_of(request),
        path=request.url.path,
        screens=SCREENS,
        **values,
    )
    # Services send halves of characters, such as of an emoji that was cut off.
    return HTMLResponse(html.encode(errors="replace"), status)


def lead(path: str) -> Response:
    """Lead the browser to a page after a form (RFC 9110, section 15.4.4)."""
    return RedirectResponse(path, HTTPStatus.SEE_OTHER)


def page(path: str, answer: Answer, method: str = "GET") -> Route:
    """Make the route of a page, which changes nothing.

    Args:
        path: The path.
        answer: Makes the page, in a thread of its own.
        method: `POST` if the page is about a form, which may have secrets.
    """

    async def show(request: Request) -> Response:
        try:
            return await _in_thread(answer, request)
        except Exception as error:
            if path == FIRST:
                # Browsers without the cookie load it too, and must not see the frame.
                raise
            template = "problem.part.html" if is_partial(request) else "problem.html"
            # A script shows no answer with the status of a failure.
            return render(request, template, message=failure.sentence(error))

    return Route(path, show, methods=[method])


def action(
    path: str, back: str, act: Callable[[Request], Response | None], *, asks: bool = False
) -> Route:
    """Make the route of a form.

    Args:
        path: The path.
        back: The page that the browser is led to.
        act: Takes the form, in a thread of its own, while the session is locked. It may return
            an answer instead.
        asks: Whether `act` asks a service, which may be slow. It then locks the session itself, for
            its changes alone, so that other forms are taken meanwhile.
    """

    def take(request: Request) -> Response:
        session = session_of(request)
        session.notices = []
        try:
            with nullcontext() if asks else session.lock:
                return act(request) or lead(back)
        except Exception as error:  # noqa: BLE001 - any failure ends in a sentence
            session.notices.append(Notice("error", failure.sentence(error)))
            return lead(back)

    async def post(request: Request) -> Response:
        return await _in_thread(take, request)

    return Route(path, post, methods=["POST"])


def _in_thread(answer: Answer, request: Request) -> Awaitable[Response]:
    """Run a function in a thread that does not hinder the end of the process."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Response] = loop.create_future()

    def settle(response: Response | None, error: Exception | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        elif response is not None:
            future.set_result(response)

    def run() -> None:
        response, error = None, None
        try:
            response = answer(request)
        except Exception as raised:  # noqa: BLE001 - raised again where the answer is awaited
            error = raised
        # The server may have ended meanwhile, and its loop with it.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, response, error)

    Thread(target=run, daemon=True).start()
    return future
